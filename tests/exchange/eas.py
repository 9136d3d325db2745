# SPDX-License-Identifier: Apache-2.0
"""The EAS half of the stand-in Exchange: HTTP rules (MS-ASHTTP), versions, policy, dispatch to the commands.

Each command is a function COMMAND(ctx, tree) -> El, bytes, Response or None (an empty body), kept in the tables of the
modules eas_sync, eas_folders, eas_fetch, eas_ping, eas_send, eas_provision, eas_search.
"""
import collections
import hashlib
import re
import struct
import threading
import weakref

import eas_fetch
import eas_folders
import eas_meeting
import eas_pim  # noqa: F401 (it registers with eas_sync)
import eas_ping
import eas_provision
import eas_resolve
import eas_schema
import eas_search
import eas_send
import eas_sync
import wbxml
from eas_state import Device
from httpd import Response
from wbxml import E, WbxmlError

PATH = "/Microsoft-Server-ActiveSync"
WBXML_TYPE = "application/vnd.ms-sync.wbxml"
MULTIPART_TYPE = "application/vnd.ms-sync.multipart"
COMMANDS = {
    **eas_sync.COMMANDS,
    **eas_folders.COMMANDS,
    **eas_fetch.COMMANDS,
    **eas_ping.COMMANDS,
    **eas_send.COMMANDS,
    **eas_provision.COMMANDS,
    **eas_search.COMMANDS,
    **eas_meeting.COMMANDS,
    **eas_resolve.COMMANDS,
}
# Namespace of each command's root element; its Status is there, too.
ROOTS = {
    "Sync": "AirSync",
    "FolderSync": "FolderHierarchy",
    "FolderCreate": "FolderHierarchy",
    "FolderUpdate": "FolderHierarchy",
    "FolderDelete": "FolderHierarchy",
    "MoveItems": "Move",
    "GetItemEstimate": "GetItemEstimate",
    "ItemOperations": "ItemOperations",
    "Ping": "Ping",
    "Provision": "Provision",
    "Settings": "Settings",
    "SendMail": "ComposeMail",
    "SmartReply": "ComposeMail",
    "SmartForward": "ComposeMail",
    "Search": "Search",
    "Find": "Find",
    "MeetingResponse": "MeetingResponse",
    "ResolveRecipients": "ResolveRecipients",
}
MAY_BE_EMPTY = {"Sync", "Ping", "Provision"}
SINCE = {"Find": "16.1", "Settings": "12.0", "ItemOperations": "12.0", "Provision": "12.0"}
# HTTP status that takes the place of a common status up to 12.1 (MS-ASCMD 2.2.4); 400 for the others
OLD_HTTP = {
    "140": 449,
    "142": 449,
    "143": 449,
    "144": 449,
    "110": 503,
    "111": 503,
    "112": 403,
    "113": 507,
    "125": 403,
    "126": 403,
    "127": 403,
    "128": 403,
    "129": 403,
    "130": 403,
    "131": 403,
    "177": 403,
}
NO_POLICY_CHECK = {"Provision", "Ping"}
OPTIONS = {
    "eas_versions": ["2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1"],
    "eas_options": "normal",  # bare: 200 without headers; duplicate: MS-ASProtocolCommands twice
    "eas_provision": "required",  # required; none: no policy, key 0 is good
    "eas_policy": {},  # elements of EASProvisionDoc that differ from the harmless default
    "eas_policy_serial": 1,  # another value: every device must refresh its policy (143 or 449)
    "eas_allow_nonprovisionable": False,
    "eas_third_party_ok": False,  # Status 4 in the acknowledgement
    "eas_require_device_info": True,  # 165 without
    "eas_require_policy_header": True,  # 403 without X-MS-PolicyKey, as Exchange 2010 has it
    "eas_provision_status": True,  # False: Provision without the top-level Status (Tencent)
    "eas_wipe": "",  # device, account: remote wipe is asked of every device
    "eas_wipe_repeat": False,  # ... again after it was acknowledged (Exchange 2007, 2010)
    "eas_cookies": True,  # 16.x: the cookie must come back
    "eas_rp": "",  # MS-ASProtocolVersions after a server upgrade: X-MS-RP once for each device
    "eas_rp_repeat": False,  # ... in each answer
    "eas_item_ids": "stable",  # stable, remint, reuse: what ServerIds of items are after key 0
    "eas_truncate": "both",  # both, size, level, never: what limits MIME
    "eas_empty_sync": True,  # nothing new: an empty answer
    "eas_key_alone": False,  # nothing new, but a new SyncKey, as SOGo has it
    "eas_more_empty": False,  # before each page one without items but with MoreAvailable
    "eas_wbxml": "plain",  # verbose: the same with every redundancy that WBXML allows
    "eas_data_opaque": False,  # AirSyncBase:Data as OPAQUE instead of STR_I
    "eas_top_status": False,  # a Status beside Collections even where all is well
    "eas_more_last": False,  # MoreAvailable after Commands
    "eas_echo_success": False,  # Responses also for accepted Changes and Deletes, as SOGo has them
    "eas_change_as_add": False,  # a change of a known item comes as Add
    "eas_stray_change": False,  # each page ends with a Change of an item the client never saw
    "eas_fetch_echo": "normal",  # ItemOperations: normal; none: without ServerIds; reversed: in another order
    "eas_empty": "taken",  # 16.x, an event's empty Subject, Categories, Attendees: taken away; refused: 6; kept: ignored
    "eas_echo_own": False,  # the client's own changes are told again
    "eas_full_changes": False,  # a Change carries the whole item
    "eas_flag_needs_dates": False,  # a follow-up flag without dates is invalid (6)
    "eas_max_response_bytes": 0,  # a page ends early above this size
    "eas_attachments": True,  # list attachments in Sync
    "eas_rough_sizes": True,  # EstimatedDataSize is above the real size
    "eas_delay_add_s": 0.0,
    "eas_heartbeat_min": 60,
    "eas_heartbeat_max": 3540,
    "eas_ping_max_folders": 200,
    "eas_ping_reports": "all",  # all, adds: what wakes a Ping
    "eas_ping_false": False,  # every Ping reports changes at once, true or not
    "eas_ping_folder": "text",  # text, nested: Folder or Folder/Id in the answer
    "eas_ping_needs_sync": False,  # 7 for a folder that was never synced (Z-Push)
    "eas_move_echo": True,  # a move is told again by the next syncs
    "eas_ri_folder": True,  # the recipient cache (type 19) is listed
    "eas_max_send_bytes": 10485760,
    "eas_remembers_sends": True,  # False: no 118, a ClientId means nothing (SOGo)
    "eas_server_version": "15.1",  # MS-Server-ActiveSync
    "eas_server_name": "",  # a Server header of its own: not Exchange
    "eas_always_changes": False,  # GetChanges 0 brings changes all the same
    "eas_response_new_id": True,  # an answered event has another ServerId, as on Exchange Online
    "eas_limits": {"sync": 200, "fetch": 100, "move": 1000, "collections": 300},
}


class Context:
    """One command being served."""

    def __init__(self, half, request, cmd, device, version):
        self.half, self.app, self.request, self.cmd = half, half.app, request, cmd
        self.options = half.app.options
        self.device, self.version = device, version
        self.user, self.mailbox = request.user, request.user.mailbox
        self.rank = wbxml.VERSIONS.index(version)
        self.parts, self.multipart = [], False
        self.forced = None

    def at_least(self, version):
        return self.rank >= wbxml.VERSIONS.index(version)

    def now(self):
        return self.app.clock.now()

    def detail(self, **values):
        self.request.detail.update(values)

    def violation(self, what):
        self.app.log.violation(what, self.request.entry)

    def status(self, code):
        """A command's own Status and nothing else."""
        return E(f"{ROOTS[self.cmd]}:{self.cmd}", E("Status", code))

    def common(self, code):
        """A common status: in the document from 14.0 on, before that an HTTP status."""
        code = str(code)
        self.detail(status=code)
        if self.at_least("14.0"):
            return self.status(code)
        return Response(OLD_HTTP.get(code, 400), b"", content_type="text/html")

    def scripted(self, scope):
        """The code that a fault rule asks for in this scope (command, collection, item), or None."""
        if self.forced is not None and self.forced.get("eas", "command") == scope:
            return str(self.forced.get("code", 5))
        return None


class Refused(Exception):
    """Ends a request with an HTTP status."""

    def __init__(self, status, text, headers=None):
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}


class Half:
    protocol = "eas"

    def __init__(self, app):
        self.app = app
        self.devices = {}
        self.attachments = collections.OrderedDict()  # (mailbox, item) -> what is listed of it, see eas_items
        self.lock = threading.Lock()
        self.cookieless = weakref.WeakSet()  # connections that were given a cookie

    def operation(self, request):
        if request.method == "OPTIONS":
            return "OPTIONS", {}
        cmd = request.query.get("Cmd", request.method)
        detail = {"device": request.query.get("DeviceId"), "version": request.headers.get("MS-ASProtocolVersion")}
        try:
            tree = wbxml.decode(request.body) if request.body[:1] == b"\x03" else None
        except WbxmlError:
            tree = None
        detail["digest"] = hashlib.sha256(request.body).hexdigest()[:16]
        detail.update(describe(tree, request.user))
        return cmd, detail

    def fault(self, request, rule):
        if rule.do == "throttle":
            seconds = max(1, rule.get("backoff_ms", 30000) // 1000)
            headers = {"Retry-After": str(seconds), "X-MS-ASThrottle": "UserBudget"}
            return Response(rule.get("status", 503), b"", headers)
        return None  # eas_status, expired, policy: within the command

    def handle(self, request):
        try:
            if request.method == "OPTIONS":
                return self.with_cookie(request, self.options_answer())
            if request.method != "POST":
                raise Refused(501, f"method {request.method}")
            ctx = self.context(request)
            answer = self.serve(ctx)
        except Refused as e:
            request.detail["refused"] = e.text
            if e.status in (400, 403, 505):
                self.app.log.violation(f"HTTP {e.status}: {e.text}", request.entry)
            return Response(e.status, b"", {**e.headers, "Content-Type": "text/html"})
        return self.with_cookie(request, self.finish(ctx, answer))

    def options_answer(self):
        how = self.app.options.eas_options
        if how == "bare":
            return Response(200, b"", {"x-proxyerrormessage": "The network is busy."})
        commands = ",".join(sorted(COMMANDS))
        headers = {
            "MS-Server-ActiveSync": self.app.options.eas_server_version,
            "MS-ASProtocolVersions": ",".join(self.app.options.eas_versions),
            "MS-ASProtocolCommands": [commands] * (2 if how == "duplicate" else 1),
            "Allow": "OPTIONS,POST",
            "Public": "OPTIONS,POST",
            "Cache-Control": "private",
        }
        return Response(200, b"", headers)

    # The request line and headers

    def context(self, request):
        names = [pair.partition("=")[0] for pair in request.query_string.split("&")]
        if names[:4] != ["Cmd", "User", "DeviceId", "DeviceType"]:
            raise Refused(400, f"query must begin with Cmd, User, DeviceId, DeviceType: {request.query_string}")
        if not re.fullmatch(r"[A-Za-z0-9]{1,32}", request.query["DeviceId"]):
            raise Refused(400, "DeviceId")
        if not re.fullmatch(r"[A-Za-z0-9]{1,32}", request.query["DeviceType"]):
            raise Refused(400, "DeviceType")
        if not request.query["User"]:
            raise Refused(400, "User")
        version = request.headers.get("MS-ASProtocolVersion")
        if version is None:
            raise Refused(400, "no MS-ASProtocolVersion")
        if version not in self.app.options.eas_versions:
            raise Refused(505, f"protocol version {version} is not offered")
        cmd = request.query["Cmd"]
        if cmd not in COMMANDS or wbxml.VERSIONS.index(version) < wbxml.VERSIONS.index(SINCE.get(cmd, "2.5")):
            raise Refused(501, f"command {cmd}")
        if not request.headers.get("User-Agent"):
            self.app.log.violation("no User-Agent", request.entry)
        device = self.device(request, version)
        return Context(self, request, cmd, device, version)

    def device(self, request, version):
        key = request.user.name.casefold(), request.query["DeviceId"]
        with self.lock:
            device = self.devices.setdefault(key, Device(request.user, request.query["DeviceId"]))
        device.type, device.agent = request.query["DeviceType"], request.headers.get("User-Agent")
        if device.version not in (None, version):
            # Another version means other identities: every state is void until it is begun anew.
            device.forget_keys()
            device.folder_key = device.folder_previous = None
        device.version = version
        device.check_generation()
        return device

    def check_cookie(self, request, version):
        """On 16.x the cookie must come back; a client that was just started may come without, once for a connection."""
        if not self.app.options.eas_cookies or wbxml.VERSIONS.index(version) < wbxml.VERSIONS.index("16.0"):
            return
        if "X-BackEndCookie" in request.cookies:
            return
        if request.connection in self.cookieless:
            raise Refused(400, "the cookie did not come back")

    def with_cookie(self, request, response):
        if self.app.options.eas_cookies and "X-BackEndCookie" not in request.cookies and response.status != 401:
            response.headers["Set-Cookie"] = "X-BackEndCookie=standin-backend-1; path=/; HttpOnly"
            self.cookieless.add(request.connection)
        return response

    # The command

    def serve(self, ctx):
        request = ctx.request
        self.check_cookie(request, ctx.version)
        tree = self.parse(ctx)
        if isinstance(tree, Response):
            return tree
        refused = self.check_policy(ctx)
        if refused is not None:
            return refused
        rule = request.rule
        if rule is not None and rule.do in ("eas_status", "expired", "error"):
            ctx.forced = rule
            code = ctx.scripted("command") if rule.do != "expired" else None
            if code is not None:
                return ctx.common(code) if int(code) > 100 else ctx.status(code)
            if rule.do == "expired":
                ctx.device.forget_keys()
                if ctx.cmd.startswith("Folder"):
                    ctx.device.folder_key = ctx.device.folder_previous = None
        return COMMANDS[ctx.cmd](ctx, tree)

    def parse(self, ctx):
        """The request's tree, None for an empty body, raw bytes for message/rfc822, or the Response that refuses it."""
        body, kind = ctx.request.body, ctx.request.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if not body:
            if ctx.cmd in MAY_BE_EMPTY:
                return None
            raise Refused(400, f"{ctx.cmd} without a body")
        if ctx.cmd in ("SendMail", "SmartReply", "SmartForward") and not ctx.at_least("14.0"):
            if kind != "message/rfc822":
                raise Refused(400, f"Content-Type {kind}")
            return body
        if kind != WBXML_TYPE:
            raise Refused(400, f"Content-Type {kind}")
        try:
            tree = wbxml.decode(body)
        except WbxmlError as e:
            ctx.violation(f"WBXML: {e}")
            return self.as_response(ctx, ctx.common(102))
        newer = wbxml.known_in(tree, ctx.version)
        if newer or tree.name != f"{ROOTS[ctx.cmd]}:{ctx.cmd}":
            ctx.violation(f"{newer} is not in {ctx.version}" if newer else f"{tree.name} as {ctx.cmd}")
            return self.as_response(ctx, ctx.common(103))
        wrong = eas_schema.problem(tree, ctx.version)
        if wrong:
            ctx.violation(wrong)
            code = eas_schema.MALFORMED.get(ctx.cmd)
            return self.as_response(ctx, ctx.status(code) if code else ctx.common(103))
        return tree

    def check_policy(self, ctx):
        """None, or the answer that asks for provisioning."""
        device, options, rule = ctx.device, self.app.options, ctx.request.rule
        if ctx.cmd == "Provision":
            return None
        if eas_provision.wipe_due(ctx):
            return ctx.common(140)
        key = ctx.request.headers.get("X-MS-PolicyKey")
        if ctx.cmd in NO_POLICY_CHECK:
            return None
        if key is None and options.eas_require_policy_header:
            raise Refused(403, "no X-MS-PolicyKey")
        if rule is not None and rule.do == "policy":
            device.policy_key = None
            return ctx.common(rule.get("code", 143))
        if options.eas_provision != "required":
            return None
        if device.policy_key is None:
            return ctx.common(142)
        if device.policy_serial != options.eas_policy_serial:
            return ctx.common(143)
        if key != device.policy_key:
            return ctx.common(144 if key not in (None, "0") else 142)
        if ctx.version == "14.0" and options.eas_require_device_info and not device.info and ctx.cmd != "Settings":
            return ctx.common(165)
        return None

    # The answer

    def as_response(self, ctx, answer):
        return answer if isinstance(answer, Response) else self.finish(ctx, answer)

    def finish(self, ctx, answer):
        if isinstance(answer, Response):
            response = answer
        elif answer is None:
            response = Response(200, b"")
        else:
            newer = wbxml.known_in(answer, ctx.version)
            if newer:
                ctx.violation(f"the stand-in used {newer} in {ctx.version}")
            wrong = eas_schema.answer_problem(answer)
            if wrong:
                ctx.violation(f"the stand-in answered with {wrong}")
            data = wbxml.encode(answer, self.app.options.eas_wbxml == "verbose")
            if ctx.multipart:
                response = Response(200, multipart([data] + ctx.parts), content_type=MULTIPART_TYPE)
            else:
                response = Response(200, data, content_type=WBXML_TYPE)
        response.headers.setdefault("MS-Server-ActiveSync", self.app.options.eas_server_version)
        response.headers.setdefault("Cache-Control", "private")
        if self.app.options.eas_server_name:
            response.headers["Server"] = self.app.options.eas_server_name
        rp = self.app.options.eas_rp
        if rp and (self.app.options.eas_rp_repeat or ctx.device.rp_seen != rp):
            ctx.device.rp_seen = rp
            response.headers.update(
                {"X-MS-RP": rp, "MS-ASProtocolVersions": rp, "MS-ASProtocolCommands": ",".join(sorted(COMMANDS))}
            )
        return response

    def report(self):
        with self.lock:
            return [device.report() for device in self.devices.values()]


def multipart(parts):
    """MS-ASCMD 2.2.1.1.1: count, offset and length of each, the parts."""
    at = 4 + 8 * len(parts)
    head = [struct.pack("<I", len(parts))]
    for part in parts:
        head.append(struct.pack("<II", at, len(part)))
        at += len(part)
    return b"".join(head + parts)


def describe(tree, user):
    """What the log (and `where` of a fault rule) says of a request."""
    if tree is None:
        return {}
    kinds = {str(f.num): f.kind or f.name for f in list(user.mailbox.folders.values())} if user else {}  # others may change it
    found = {}
    if tree.name == "AirSync:Sync":
        collections = tree.all("Collections/Collection")
        ids = [c.value("CollectionId", "") for c in collections]
        commands = [c for collection in collections for c in collection.all("Commands")]
        found = {
            "folders": [kinds.get(i, i) for i in ids],
            "folder": kinds.get(ids[0], ids[0]) if ids else None,
            "key0": any(c.value("SyncKey") == "0" for c in collections),
            "windows": [c.value("WindowSize") for c in collections],
            "commands": [e.tag for c in commands for e in c.elements],
        }
    elif tree.name == "ItemOperations:ItemOperations":
        fetches = tree.all("Fetch")
        found = {"ids": [f.value("AirSync:ServerId") or f.value("AirSyncBase:FileReference") for f in fetches]}
    elif tree.name == "Ping:Ping":
        found = {
            "heartbeat": tree.value("HeartbeatInterval"),
            "folders": [kinds.get(f.value("Id"), f.value("Id")) for f in tree.all("Folders/Folder")],
        }
    elif tree.name == "FolderHierarchy:FolderSync":
        found = {"key0": tree.value("SyncKey") == "0"}
    elif tree.name == "Provision:Provision":
        found = {
            "phase": 2 if tree.has("Policies/Policy/PolicyKey") else 1,
            "ack": tree.value("Policies/Policy/Status"),
            "wipe_ack": [w.tag for w in tree.elements if w.tag.endswith("RemoteWipe")],
        }
    return found


def register(app):
    app.options.declare(**OPTIONS)
    app.eas = Half(app)
    app.route(PATH, app.eas)
