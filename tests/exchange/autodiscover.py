# SPDX-License-Identifier: Apache-2.0
"""The autodiscover half: POX in both schemas (MS-OXDSCLI, MS-ASCMD 2.2.2.3), SOAP (MS-OXWSADISC) and the JSON of version 2.

One process may be several hosts: what a host does is chosen by the Host header, option `autodiscover_hosts`:
{"corp.test": {"do": "settings"}, ...}, with "*" for all others (default: settings). `do`:

  settings       answer as Exchange does; `mail` is the host in the URLs (default: option autodiscover_mail, or the Host)
  redirect_url   in the POX answer, to `to`
  redirect_addr  in the POX answer, to the e-mail address `to`
  location       HTTP `status` (302) to `to`, before anybody signs in; on every path of autodiscover
  signed_location  the same, after he signed in
  error          the POX error `code`, `text`
  imap           a mail provider that knows POX, and no Exchange
  open           settings without signing in
  status, html   HTTP `status`, with a web page

The log's detail of each request has schema, email and host; its `authorization` is the scheme of the credentials that
came (or None): that is how an attacker's host says whether it got some.
"""
import json
import re
import urllib.parse

from lxml import etree

from httpd import Response

BASE = "http://schemas.microsoft.com/exchange/autodiscover/"
REQUESTS = {
    BASE + "outlook/requestschema/2006": ("outlook", BASE + "outlook/responseschema/2006a"),
    BASE + "mobilesync/requestschema/2006": ("mobile", BASE + "mobilesync/responseschema/2006"),
}
PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
JSON_PATH = "/autodiscover/autodiscover.json"
SOAP_PATH = "/autodiscover/autodiscover.svc"
SOAP = {"s": "http://schemas.xmlsoap.org/soap/envelope/", "w": "http://www.w3.org/2005/08/addressing",
        "a": "http://schemas.microsoft.com/exchange/2010/Autodiscover"}
SETTINGS = {"ExternalEwsUrl", "InternalEwsUrl", "AutoDiscoverSMTPAddress", "UserDisplayName"}  # of the many, those known here


class BadRequest(Exception):
    """A POX error, as the server answers it: code, text."""


def read_question(request):
    """(schema, email) of a POX request; BadRequest as MS-OXDSCLI 2.2.4.1.1.1 has it."""
    try:
        root = etree.fromstring(request.body, PARSER)
    except etree.XMLSyntaxError as e:
        raise BadRequest(600, "Invalid Request") from e
    name = etree.QName(root)
    if name.localname != "Autodiscover" or name.namespace not in REQUESTS:
        raise BadRequest(600, "Invalid Request")
    schema, answer = REQUESTS[name.namespace]
    ns = {"a": name.namespace}
    email = (root.findtext("a:Request/a:EMailAddress", None, ns) or "").strip()
    if (root.findtext("a:Request/a:AcceptableResponseSchema", None, ns) or "").strip() != answer:
        raise BadRequest(601, "Provider is not available")
    if not email:
        raise BadRequest(600, "Invalid Request")
    return schema, email


def read_soap(request):
    """(email, settings) of GetUserSettings (MS-OXWSADISC 3.1.4.7); ValueError says what no Exchange would take."""
    try:
        root = etree.fromstring(request.body, PARSER)
    except etree.XMLSyntaxError as e:
        raise ValueError("not well-formed") from e
    head, body = root.find("s:Header", SOAP), root.find("s:Body", SOAP)
    if root.tag != "{%s}Envelope" % SOAP["s"] or head is None or body is None:
        raise ValueError("no SOAP envelope")
    if head.findtext("w:Action", None, SOAP) != SOAP["a"] + "/Autodiscover/GetUserSettings":
        raise ValueError("the WS-Addressing action is another one")
    if not (head.findtext("a:RequestedServerVersion", "", SOAP) or "").startswith("Exchange2010"):
        raise ValueError("no RequestedServerVersion")
    path = "a:GetUserSettingsRequestMessage/a:Request/"
    emails = [e.text for e in body.findall(path + "a:Users/a:User/a:Mailbox", SOAP)]
    settings = [e.text for e in body.findall(path + "a:RequestedSettings/a:Setting", SOAP)]
    if len(emails) != 1 or not emails[0] or not settings or set(settings) - SETTINGS:
        raise ValueError(f"users {emails}, settings {settings}")
    if not (head.findtext("w:To", "", SOAP) or "").endswith(SOAP_PATH):
        raise ValueError("the WS-Addressing To is not this service")
    return emails[0], settings


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def document(schema, inner):
    spaces = {"outlook": "outlook/responseschema/2006a", "mobile": "mobilesync/responseschema/2006"}
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{BASE}responseschema/2006">'
        f'<Response xmlns="{BASE}{spaces[schema]}">{inner}</Response></Autodiscover>'
    )


def error_document(code, text):
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{BASE}responseschema/2006"><Response>'
        f'<Error Time="15:00:00.0000000" Id="1234567890"><ErrorCode>{code}</ErrorCode>'
        f"<Message>{escape(text)}</Message><DebugData /></Error></Response></Autodiscover>"
    )


class Autodiscover:
    protocol = "autodiscover"

    def __init__(self, app):
        self.app = app

    # ---- httpd's side ----

    def host(self, request):
        return request.headers.get("Host", "").rsplit(":", 1)[0].lower()

    def rule(self, request):
        hosts = self.app.options.autodiscover_hosts
        return hosts.get(self.host(request)) or hosts.get("*") or {"do": "settings"}

    def is_json(self, request):
        return request.path.lower().startswith(JSON_PATH)

    def is_soap(self, request):
        return request.path.lower() == SOAP_PATH

    def operation(self, request):
        detail = {"host": self.host(request)}
        if self.is_soap(request):
            detail["schema"] = "soap"
            return request.method, detail
        if self.is_json(request):
            return "Json", detail
        try:
            detail["schema"], detail["email"] = read_question(request)
        except BadRequest:
            detail["schema"] = None
        return request.method, detail

    def anonymous(self, request):
        return self.is_json(request) or self.rule(request)["do"] in ("location", "status", "html", "open", "imap")

    def fault(self, request, rule):
        return None

    def handle(self, request):
        rule = self.rule(request)
        do = rule["do"]
        if do in ("location", "signed_location"):
            return Response(rule.get("status", 302), b"", {"Location": rule["to"]})
        if do in ("status", "html"):
            return Response(
                rule.get("status", 200), b"<html><body>It works!</body></html>", content_type="text/html; charset=utf-8"
            )
        if self.is_json(request):
            return self.handle_json(request, rule)
        if self.is_soap(request):
            return self.handle_soap(request, rule)
        if not self.app.options.autodiscover_pox:
            return Response(404, b"")
        return self.handle_pox(request, rule)

    # ---- SOAP ----

    def handle_soap(self, request, rule):
        if not self.app.options.autodiscover_soap or request.method != "POST" or rule["do"] == "imap":
            return Response(404, b"")
        try:
            email, settings = read_soap(request)
        except ValueError as e:
            self.app.log.violation(f"autodiscover: {e}", request.entry)
            return Response(500, b"<s:Fault/>", content_type="text/xml; charset=utf-8")
        request.detail["email"] = email
        user = self.user_of(email)
        if rule["do"] in ("redirect_url", "redirect_addr"):
            code = {"redirect_url": "RedirectUrl", "redirect_addr": "RedirectAddress"}[rule["do"]]
            return self.soap(code, rule["to"].replace("autodiscover.xml", "autodiscover.svc"), {})
        if rule["do"] == "error" or user is None:
            return self.soap("InvalidUser" if user is None else "InternalServerError", "", {})
        options, sections = self.app.options, self.app.options.autodiscover_sections
        mail = rule.get("mail") or options.autodiscover_mail or request.headers["Host"]
        known = {"AutoDiscoverSMTPAddress": user.mailbox.email, "UserDisplayName": user.name}
        if "EXPR" in sections or "EXHTTP" in sections:
            known["ExternalEwsUrl"] = f"https://{mail}/EWS/Exchange.asmx"
        if "EXCH" in sections:
            known["InternalEwsUrl"] = f"https://{options.autodiscover_internal or mail}/EWS/Exchange.asmx"
        return self.soap("NoError", "", {name: known.get(name) for name in settings})

    def soap(self, code, target, values):
        found = "".join(f'<UserSetting i:type="StringSetting"><Name>{n}</Name><Value>{escape(v)}</Value></UserSetting>'
                        for n, v in values.items() if v is not None)
        missing = "".join(f"<UserSettingError><ErrorCode>SettingIsNotAvailable</ErrorCode><ErrorMessage>not there</ErrorMessage>"
                          f"<SettingName>{n}</SettingName></UserSettingError>" for n, v in values.items() if v is None)
        target = f"<RedirectTarget>{escape(target)}</RedirectTarget>" if target else '<RedirectTarget i:nil="true"/>'
        return self.pox(
            f'<s:Envelope xmlns:s="{SOAP["s"]}" xmlns:w="{SOAP["w"]}"><s:Header><w:Action s:mustUnderstand="1">{SOAP["a"]}'
            f'/Autodiscover/GetUserSettingsResponse</w:Action></s:Header><s:Body><GetUserSettingsResponseMessage xmlns="{SOAP["a"]}">'
            '<Response xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><ErrorCode>NoError</ErrorCode><ErrorMessage/>'
            f"<UserResponses><UserResponse><ErrorCode>{code}</ErrorCode><ErrorMessage>{code}</ErrorMessage>{target}"
            f"<UserSettingErrors>{missing}</UserSettingErrors><UserSettings>{found}</UserSettings></UserResponse></UserResponses>"
            "</Response></GetUserSettingsResponseMessage></s:Body></s:Envelope>")

    # ---- POX ----

    def handle_pox(self, request, rule):
        if request.method != "POST":
            return self.pox(error_document(600, "Invalid Request"))
        if request.headers.get_content_type() != "text/xml":
            self.app.log.violation("autodiscover: Content-Type is not text/xml", request.entry)
            return Response(415, b"")
        try:
            schema, email = read_question(request)
        except BadRequest as e:
            self.app.log.violation(f"autodiscover: {e.args}", request.entry)
            return self.pox(error_document(*e.args))
        if rule["do"] == "imap":
            return self.pox(document("outlook", self.foreign(email)))
        if rule["do"] == "error" or (rule["do"] == "redirect_url" and schema == "mobile"):
            code = rule.get("code", 601)
            text = {500: "The email address can't be found.", 601: "Provider is not available"}.get(code, "Error")
            return self.pox(error_document(code, rule.get("text", text)))
        if rule["do"] == "redirect_url":
            action = f"<Action>redirectUrl</Action><RedirectUrl>{escape(rule['to'])}</RedirectUrl>"
            return self.pox(document(schema, f"<Account><AccountType>email</AccountType>{action}</Account>"))
        if rule["do"] == "redirect_addr":
            to = escape(rule["to"])
            outlook = f"<Account><Action>redirectAddr</Action><RedirectAddr>{to}</RedirectAddr></Account>"
            mobile = f"<Culture>en:us</Culture><Action><Redirect>{to}</Redirect></Action>"
            return self.pox(document(schema, outlook if schema == "outlook" else mobile))
        user = self.user_of(email)
        if user is None:
            return self.pox(error_document(500, "The email address can't be found."))
        mail = rule.get("mail") or self.app.options.autodiscover_mail or request.headers["Host"]
        if schema == "outlook":
            return self.pox(document(schema, self.outlook(user, mail)))
        if not self.app.options.autodiscover_eas:
            return self.pox(error_document(601, "Provider is not available"))
        return self.pox(document(schema, self.mobile(user, mail)))

    def pox(self, text):
        return Response(200, text, content_type="text/xml; charset=utf-8")

    def user_of(self, email):
        return next((u for u in self.app.store.users if u.mailbox.email.casefold() == email.casefold()), None)

    def outlook(self, user, mail):
        options = self.app.options
        ews = f"https://{mail}/EWS/Exchange.asmx"
        inside = f"https://{options.autodiscover_internal or mail}/EWS/Exchange.asmx"
        owa = f"https://{mail}/owa/"
        known = {
            "EXCH": f"<Protocol><Type>EXCH</Type><Server>0b6b@{escape(mail)}</Server><ASUrl>{inside}</ASUrl><EwsUrl>{inside}"
            f"</EwsUrl><OABUrl>https://{mail}/OAB/1/</OABUrl></Protocol>",
            "EXPR": f"<Protocol><Type>EXPR</Type><Server>{mail}</Server><SSL>On</SSL><AuthPackage>Ntlm</AuthPackage>"
            f"<ASUrl>{ews}</ASUrl><EwsUrl>{ews}</EwsUrl></Protocol>",
            "EXHTTP": f"<Protocol><Type>EXHTTP</Type><Server>{mail}</Server><SSL>On</SSL><ASUrl>{ews}</ASUrl>"
            f"<EwsUrl>{ews}</EwsUrl></Protocol>",
            "WEB": f'<Protocol><Type>WEB</Type><Internal><OWAUrl AuthenticationMethod="Basic, Fba">{owa}</OWAUrl><Protocol>'
            f"<Type>EXCH</Type><ASUrl>{inside}</ASUrl></Protocol></Internal><External>"
            f'<OWAUrl AuthenticationMethod="Fba">{owa}</OWAUrl></External></Protocol>',
        }
        others = "".join(
            f"<AlternativeMailbox><Type>{kind}</Type><DisplayName>{escape(address)}</DisplayName>"
            f"<LegacyDN>/o=x</LegacyDN><SmtpAddress>{escape(address)}</SmtpAddress></AlternativeMailbox>"
            for kind, address in options.autodiscover_mailboxes
        )
        return (
            f"<User><DisplayName>{escape(user.name)}</DisplayName><LegacyDN>/o=x/cn={escape(user.name)}</LegacyDN>"
            f"<AutoDiscoverSMTPAddress>{escape(user.mailbox.email)}</AutoDiscoverSMTPAddress></User><Account>"
            f"<AccountType>email</AccountType><Action>settings</Action>"
            f"<MicrosoftOnline>{options.autodiscover_online}</MicrosoftOnline>"
            + "".join(known[name] for name in options.autodiscover_sections)
            + others
            + "</Account>"
        )

    def foreign(self, email):
        domain = escape(email.rpartition("@")[2])
        return (
            "<Account><AccountType>email</AccountType><Action>settings</Action><Protocol><Type>IMAP</Type>"
            f"<Server>imap.{domain}</Server><Port>993</Port><SSL>on</SSL></Protocol></Account>"
        )

    def mobile(self, user, mail):
        url = f"https://{mail}/Microsoft-Server-ActiveSync"
        return (
            f"<Culture>en:us</Culture><User><DisplayName>{escape(user.name)}</DisplayName>"
            f"<EMailAddress>{escape(user.mailbox.email)}</EMailAddress></User><Action><Settings>"
            f"<Server><Type>MobileSync</Type><Url>{url}</Url><Name>{url}</Name></Server></Settings></Action>"
        )

    # ---- JSON ----

    def handle_json(self, request, rule):
        m = re.match(re.escape(JSON_PATH) + r"(?:/v1\.0/([^/]+))?$", request.path, re.IGNORECASE)
        protocol = request.query.get("Protocol", "")
        email = urllib.parse.unquote(m.group(1) or "") if m else request.query.get("Email", "")
        request.detail.update(email=email, protocol=protocol)
        mail = rule.get("mail") or self.app.options.autodiscover_mail or request.headers["Host"]
        urls = {
            "activesync": ("ActiveSync", f"https://{mail}/Microsoft-Server-ActiveSync"),
            "ews": ("EWS", f"https://{mail}/EWS/Exchange.asmx"),
            "autodiscoverv1": ("AutodiscoverV1", f"https://{mail}/autodiscover/autodiscover.xml"),
        }
        if request.method != "GET" or not m:
            return Response(404, b"")
        if "@" not in email:
            return self.json(400, {"ErrorCode": "MandatoryParameterMissing", "ErrorMessage": "Email"})
        if not protocol:
            return self.json(400, {"ErrorCode": "MandatoryParameterMissing", "ErrorMessage": "Protocol"})
        if protocol.lower() not in urls:
            text = f"The given protocol value '{protocol}' is invalid."
            return self.json(400, {"ErrorCode": "InvalidProtocol", "ErrorMessage": text})
        name, url = urls[protocol.lower()]
        return self.json(200, {"Protocol": name, "Url": url})

    def json(self, status, value):
        return Response(status, json.dumps(value), content_type="application/json; charset=utf-8")


def register(app):
    app.options.declare(
        autodiscover_hosts={},  # see above
        autodiscover_mail="",  # host of the URLs; empty: the one that was asked
        autodiscover_internal="",  # host of the EXCH section; empty: the same
        autodiscover_sections=["EXCH", "EXPR", "EXHTTP", "WEB"],
        autodiscover_eas=True,  # the mobile schema is answered
        autodiscover_pox=True,  # autodiscover.xml is there
        autodiscover_soap=True,  # autodiscover.svc is there
        autodiscover_online="False",  # MicrosoftOnline
        autodiscover_mailboxes=[],  # [["Archive", "archive-1@corp.test"], ...]
    )
    app.route("/autodiscover", Autodiscover(app))
