# SPDX-License-Identifier: Apache-2.0
"""A login server (OAuth 2.0 as Entra speaks it) and the check of its tokens, for the stand-in Exchange.

  GET  /TENANT/oauth2/v2.0/authorize     a form; POST /TENANT/login answers it and sends the browser back (RFC 6749 4.1)
  POST /TENANT/oauth2/v2.0/token         grants authorization_code (PKCE demanded, RFC 7636), refresh_token, device code
  POST /TENANT/oauth2/v2.0/devicecode    RFC 8628; GET and POST /TENANT/devicelogin is where the person goes
  /adfs/oauth2/...                       the same without v2.0, as AD FS has it

Clients are public: a secret is refused. Codes work once, for ten minutes, with the same redirect URI and client; a second
use of one takes back what the first one gave (RFC 6749 4.1.2). Refresh tokens rotate by option oauth_rotation:
  keep    the old one stays good (Entra)
  grace   the old one is good until the new one, or the access token that came with it, is used
  strict  the old one is spent at once, and presenting it again revokes all of its family (RFC 9700 4.14.2)
What no client of ours may do at all is reported as a violation.
"""
import base64
import hashlib
import html
import json
import re
import secrets
import threading
import urllib.parse

from httpd import Response

CLIENT = "5fd1ad20-0000-4000-8000-0000000c11e7"  # registered; NO_DEVICE is, without the device flow
NO_DEVICE = "5fd1ad20-0000-4000-8000-00000000de71"
TENANTS = ("common", "organizations", "standin.example.com", "adfs")
RESOURCES = {"ews": "/EWS.AccessAsUser.All", "eas": "/EAS.AccessAsUser.All"}  # behind option oauth_resource
SIDE_SCOPES = {"offline_access", "openid", "profile", "email"}
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Refused(Exception):
    def __init__(self, error, description, status=400):
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


class Grant:
    """What a sign-in gave; a refresh token and all that came from it share one."""

    def __init__(self, user, client, scopes):
        self.user, self.client, self.scopes = user, client, scopes
        self.revoked = False


class Token:
    def __init__(self, kind, grant, expires=None, parent=None):
        self.text = kind + secrets.token_urlsafe(24)
        self.grant, self.expires, self.parent = grant, expires, parent
        self.dead = False

    def use(self):
        """Its first use ends the time of the one it replaced."""
        if self.parent:
            self.parent.dead = True
            self.parent = None


def page(body, status=200):
    return Response(status, f"<!DOCTYPE html><html><body>{body}</body></html>", content_type="text/html; charset=utf-8")


def one_each(text):
    """A form's fields; a name that comes twice is an error (RFC 6749 3.1)."""
    pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refused("invalid_request", "AADSTS90014: A parameter is there more than once.")
    return dict(pairs)


def redirect_is_registered(uri):
    """Registered is http://localhost for native apps: any port, no path (RFC 8252 7.3, and what Entra makes of it)."""
    return re.fullmatch(r"http://localhost:\d{1,5}/?", uri) is not None


class Half:
    protocol = "oauth"

    def __init__(self, app):
        self.app = app
        self.lock = threading.Lock()
        self.flows, self.codes, self.devices, self.refresh, self.access = {}, {}, {}, {}, {}
        self.counts = {"refreshed": 0, "signed_in": 0}

    # ---- the part of a half ----

    def anonymous(self, request):
        return True

    def fault(self, request, rule):
        return None

    def operation(self, request):
        name = request.path.rstrip("/").rsplit("/", 1)[-1]
        detail = {}
        if name == "token":
            grant = urllib.parse.parse_qs(request.body.decode("latin-1")).get("grant_type", ["?"])[0]
            detail["grant"] = "device_code" if grant == DEVICE_GRANT else grant
        return name, detail

    def handle(self, request):
        parts = request.path.strip("/").split("/")
        tenant, rest = parts[0], "/".join(parts[1:])
        own = "oauth2/" if tenant == "adfs" else "oauth2/v2.0/"
        actions = {
            ("GET", own + "authorize"): self.authorize,
            ("POST", own + "token"): self.token,
            ("POST", own + "devicecode"): self.devicecode,
            ("POST", "login"): self.login,
            ("GET", "devicelogin"): self.device_page,
            ("POST", "devicelogin"): self.device_login,
        }
        action = actions.get((request.method, rest))
        if action is None:
            return page("Not Found", 404)
        try:
            with self.lock:
                return action(request)
        except Refused as no:
            request.detail["error"] = no.error
            return self.refuse(no)
        except ValueError:
            return self.refuse(Refused("invalid_request", "AADSTS900144: The request body is not a form."))

    def refuse(self, no):
        body = {
            "error": no.error,
            "error_description": f"{no.description} Trace ID: 0 Correlation ID: 0 Timestamp: 2026-01-05 08:00:00Z",
            "error_codes": [int(n) for n in re.findall(r"AADSTS(\d+)", no.description)],
        }
        return Response(no.status, json.dumps(body), {"Cache-Control": "no-store"}, content_type="application/json; charset=utf-8")

    def wrong(self, what, request):
        self.app.log.violation("oauth: " + what, request.entry)

    # ---- what clients say ----

    def client(self, fields):
        client = fields.get("client_id", "")
        if client not in (CLIENT, NO_DEVICE):
            raise Refused("unauthorized_client", f"AADSTS700016: Application with identifier '{client}' was not found.")
        return client

    def scopes(self, fields):
        scopes = set(fields.get("scope", "").split())
        if not scopes:
            raise Refused("invalid_request", "AADSTS900144: The request body must contain 'scope'.")
        for scope in scopes - SIDE_SCOPES:
            if scope not in [self.app.options.oauth_resource + name for name in RESOURCES.values()]:
                raise Refused("invalid_scope", f"AADSTS70011: The provided value for scope {scope} is not valid.")
        if not scopes - SIDE_SCOPES:
            raise Refused("invalid_scope", "AADSTS70011: No scope of a resource.")
        return scopes

    # ---- with a browser ----

    def authorize(self, request):
        fields = one_each(request.query_string)
        client = self.client(fields)
        redirect = fields.get("redirect_uri", "")
        if not redirect_is_registered(redirect):
            self.wrong(f"redirect URI {redirect}", request)
            return page("AADSTS50011: The redirect URI does not match the ones configured for the application.", 400)
        scopes = self.scopes(fields)
        if fields.get("response_type") != "code" or fields.get("response_mode", "query") != "query":
            raise Refused("unsupported_response_type", "AADSTS70005: response_type is not supported.")
        challenge = fields.get("code_challenge", "")
        if fields.get("code_challenge_method") != "S256" or not re.fullmatch(r"[A-Za-z0-9_-]{43}", challenge):
            self.wrong("no PKCE with S256", request)
            raise Refused("invalid_request", "AADSTS9002325: Proof Key for Code Exchange is required.")
        if len(fields.get("state", "")) < 16:
            self.wrong("a state that can be guessed", request)
        flow = secrets.token_urlsafe(12)
        self.flows[flow] = (client, redirect, fields["state"], scopes, challenge)
        hint = html.escape(fields.get("login_hint", ""))
        return page(
            f'<form method="post" action="/common/login"><input type="hidden" name="flow" value="{flow}">'
            f'<input name="user" value="{hint}"><input name="password" type="password">'
            '<button name="do" value="yes">Sign in</button><button name="do" value="no">Cancel</button></form>'
        )

    def login(self, request):
        fields = one_each(request.body.decode())
        client, redirect, state, scopes, challenge = self.flows.pop(fields["flow"])
        back = {"state": state, "session_state": secrets.token_hex(4)}
        if fields.get("do") == "no":
            back.update(error="access_denied", error_description="AADSTS65004: User declined to consent.")
        else:
            user = self.app.store.login(fields["user"], fields["password"])
            if user is None:
                return page("AADSTS50126: Invalid username or password.")
            code = "code-" + secrets.token_urlsafe(24)
            self.codes[code] = {
                "grant": Grant(user, client, scopes),
                "redirect": redirect,
                "challenge": challenge,
                "expires": self.app.clock.mono() + 600,
                "used": False,
            }
            back["code"] = code
        return Response(302, b"", {"Location": redirect + "?" + urllib.parse.urlencode(back)})

    # ---- without one ----

    def devicecode(self, request):
        fields = self.form(request)
        if self.client(fields) == NO_DEVICE:
            raise Refused("unauthorized_client", "AADSTS7000218: The request body must contain: 'client_secret'.", 401)
        code, user_code = "dc-" + secrets.token_urlsafe(24), secrets.token_hex(4).upper()
        interval = self.app.options.oauth_device_interval_s
        self.devices[code] = {
            "user_code": user_code,
            "client": fields["client_id"],
            "scopes": self.scopes(fields),
            "expires": self.app.clock.mono() + self.app.options.oauth_device_s,
            "asked": None,
            "interval": interval,
            "user": None,
            "declined": False,
        }
        url = f"http://{request.headers.get('Host')}/common/devicelogin"
        made = {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": url,
            "expires_in": self.app.options.oauth_device_s,
            "interval": interval,
            "message": f"To sign in, use a web browser to open the page {url} and enter the code {user_code}.",
        }
        return Response(200, json.dumps(made), {"Cache-Control": "no-store"}, content_type="application/json")

    def device_page(self, request):
        return page(
            '<form method="post" action="/common/devicelogin"><input name="user_code"><input name="user">'
            '<input name="password" type="password"><button name="do" value="yes">Next</button></form>'
        )

    def device_login(self, request):
        fields = one_each(request.body.decode())
        found = [d for d in self.devices.values() if d["user_code"] == fields["user_code"].strip()]
        if not found or found[0]["expires"] < self.app.clock.mono():
            return page("That code didn't work.")
        if fields.get("do") == "no":
            found[0]["declined"] = True
            return page("You cancelled.")
        user = self.app.store.login(fields["user"], fields["password"])
        if user is None:
            return page("AADSTS50126: Invalid username or password.")
        found[0]["user"] = user
        return page("You have signed in.")

    # ---- tokens ----

    def form(self, request):
        if request.headers.get("Content-Type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
            raise Refused("invalid_request", "AADSTS900144: The request body must be a form.")
        if request.query_string:
            self.wrong("parameters in the address of a POST", request)
        fields = one_each(request.body.decode())
        if "client_secret" in fields:
            self.wrong("a public client sends a secret", request)
            raise Refused("invalid_client", "AADSTS700025: Client is public so no secret may be presented.", 401)
        return fields

    def token(self, request):
        fields = self.form(request)
        grants = {
            "authorization_code": self.by_code,
            "refresh_token": self.by_refresh_token,
            DEVICE_GRANT: self.by_device_code,
        }
        give = grants.get(fields.get("grant_type"))
        if give is None:
            raise Refused("unsupported_grant_type", "AADSTS70003: The grant type is not supported.")
        return give(request, fields, self.client(fields))

    def by_code(self, request, fields, client):
        found = self.codes.get(fields.get("code", ""))
        if found is None:
            raise Refused("invalid_grant", "AADSTS9002313: Invalid request. The code is malformed.")
        grant = found["grant"]
        if found["used"]:
            self.wrong("a code is used twice", request)
            grant.revoked = True
            raise Refused("invalid_grant", "AADSTS54005: OAuth2 Authorization code was already redeemed.")
        found["used"] = True
        verifier = fields.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if not re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier) or challenge != found["challenge"]:
            self.wrong("the verifier does not fit the challenge", request)
            raise Refused("invalid_grant", "AADSTS501481: The Code_Verifier does not match the code_challenge.")
        if fields.get("redirect_uri") != found["redirect"] or client != grant.client:
            self.wrong("a code is redeemed with another redirect URI or client", request)
            raise Refused("invalid_grant", "AADSTS500112: The reply address does not match.")
        if found["expires"] < self.app.clock.mono():
            raise Refused("invalid_grant", "AADSTS70008: The provided authorization code has expired.")
        self.counts["signed_in"] += 1
        return self.give(grant)

    def by_device_code(self, request, fields, client):
        found = self.devices.get(fields.get("device_code", ""))
        now = self.app.clock.mono()
        if found is None or found["client"] != client:
            raise Refused("bad_verification_code", "AADSTS70000: The device code is not known.")
        if found["expires"] < now:
            raise Refused("expired_token", "AADSTS70020: The device code has expired.")
        early = found["asked"] is not None and now - found["asked"] < found["interval"] * 0.9
        found["asked"] = now
        if early:
            found["interval"] += 5  # RFC 8628 3.5
            self.wrong("the device code is asked about more often than allowed", request)
            raise Refused("slow_down", "AADSTS70018: Slow down.")
        if found["declined"]:
            raise Refused("authorization_declined", "AADSTS70022: The end user has denied the authorization.")
        if found["user"] is None:
            raise Refused("authorization_pending", "AADSTS70016: OAuth 2.0 device flow error. Authorization is pending.")
        del self.devices[fields["device_code"]]
        self.counts["signed_in"] += 1
        return self.give(Grant(found["user"], client, found["scopes"]))

    def by_refresh_token(self, request, fields, client):
        token = self.refresh.get(fields.get("refresh_token", ""))
        if token is None or token.grant.client != client:
            raise Refused("invalid_grant", "AADSTS9002313: Invalid request. The refresh token is malformed.")
        rotation, grant = self.app.options.oauth_rotation, token.grant
        if token.dead and rotation == "strict":
            grant.revoked = True
        if grant.revoked or token.dead:
            raise Refused("invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked.")
        if not self.scopes(fields) <= grant.scopes:
            raise Refused("invalid_grant", "AADSTS65001: The user or administrator has not consented to use the application.")
        token.use()
        self.counts["refreshed"] += 1
        if rotation == "strict":
            token.dead = True
        return self.give(grant, token if rotation == "grace" else None)

    def give(self, grant, parent=None):
        lifetime = self.app.options.oauth_access_s
        access = Token("at.", grant, self.app.clock.mono() + lifetime)
        self.access[access.text] = access
        made = {
            "token_type": "Bearer",
            "scope": " ".join(sorted(grant.scopes - {"offline_access"})),
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": access.text,
        }
        if "offline_access" in grant.scopes:
            refresh = Token("rt.", grant, parent=parent)
            access.parent = parent
            self.refresh[refresh.text] = refresh
            made["refresh_token"] = refresh.text
        if "openid" in grant.scopes:
            made["id_token"] = self.id_token(grant.user)
        return Response(200, json.dumps(made), {"Cache-Control": "no-store"}, content_type="application/json; charset=utf-8")

    def id_token(self, user):
        claims = {"aud": CLIENT, "sub": user.mailbox.email[::-1], "preferred_username": user.name, "email": user.mailbox.email}
        parts = [json.dumps({"typ": "JWT", "alg": "RS256"}), json.dumps(claims), secrets.token_hex(8)]
        return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)

    # ---- at the mailbox's door ----

    def check(self, request, text, protocol):
        """The User of a bearer token, or None, with request.refusal saying why (MS-XOAUTH 3.2.5.1)."""
        with self.lock:
            token = self.access.get(text)
            if token is None or token.grant.revoked and self.app.options.oauth_instant_revocation:
                why = '2000008;reason="The token has an invalid signature.";error_category="invalid_signature"'
            elif token.dead or token.expires <= self.app.clock.mono():
                why = '2000003;reason="The token has expired.";error_category="token_expired"'
            elif protocol not in RESOURCES or self.app.options.oauth_resource + RESOURCES[protocol] not in token.grant.scopes:
                why = '2000011;reason="The token contains not enough scope to make this call.";error_category="invalid_grant"'
            else:
                token.use()
                return token.grant.user
        request.refusal = {"x-ms-diagnostics": why}
        return None

    # ---- the control port ----

    def state(self):
        with self.lock:
            return {
                **self.counts,
                "secrets": [*self.access, *self.refresh, *self.codes, *self.devices],
                "refresh": [t.text for t in self.refresh.values() if not (t.dead or t.grant.revoked)],
            }

    def change(self, args):
        """{do: revoke}: all grants; {do: expire}: all access tokens."""
        with self.lock:
            for token in self.access.values():
                token.dead = token.dead or args["do"] == "expire"
            for token in self.refresh.values():
                token.grant.revoked = token.grant.revoked or args["do"] == "revoke"
        return {"done": args["do"]}


def register(app):
    app.options.declare(
        oauth_access_s=3600,  # life of an access token
        oauth_rotation="grace",
        oauth_resource="https://outlook.office365.com",  # each of Microsoft's clouds knows its own alone
        oauth_device_interval_s=1,
        oauth_device_s=900,
        oauth_instant_revocation=False,  # access tokens die with their grant; else they live to their end, as Entra's do
    )
    app.oauth = Half(app)
    for tenant in TENANTS:
        app.route(f"/{tenant}/", app.oauth)
