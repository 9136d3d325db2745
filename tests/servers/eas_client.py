# SPDX-License-Identifier: Apache-2.0
"""A small, synchronous EAS client for tests: what an independent client gets from a server, to compare the bridge with.

It speaks the protocol as the specification says (12.1 to 16.1) and judges what comes back: every answer must decode
strictly, and a request that the server refuses raises EasError with the HTTP status or the Status.

    client = EasClient(url, "alice", "secret")
    client.connect()                        # OPTIONS, Provision, DeviceInformation, FolderSync
    inbox = client.folder(type=2)
    items = client.sync_all(inbox.id)       # {ServerId: El ApplicationData}
    mime = client.fetch(inbox.id, list(items))
"""

import base64
import http.client
import http.cookies
import os
import socket
import ssl
import struct
import sys
import urllib.parse
from collections import namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "exchange"))

import wbxml
from wbxml import E, decode, encode

WBXML_TYPE = "application/vnd.ms-sync.wbxml"
MULTIPART_TYPE = "application/vnd.ms-sync.multipart"
POLICY_TYPE = "MS-EAS-Provisioning-WBXML"
FOLDER_TYPES = {"user": 1, "inbox": 2, "drafts": 3, "deleted": 4, "sent": 5, "outbox": 6, "tasks": 7, "calendar": 8}

Folder = namedtuple("Folder", "id parent name type")
SyncResult = namedtuple("SyncResult", "status key adds changes deletes softdeletes more responses collection")


class EasError(Exception):
    """`http` is the HTTP status, `status` the EAS Status (a string) or None."""

    def __init__(self, text, http=None, status=None, reply=None):
        super().__init__(text)
        self.http, self.status, self.reply = http, status, reply


class Reply:
    """One HTTP answer: status, headers (lower case), body; `tree` when it is WBXML, `parts` when it is multipart."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.tree, self.parts = None, []
        kind = headers.get("content-type", "").split(";")[0].strip()
        if status == 200 and body and kind == WBXML_TYPE:
            self.tree = decode(body)
        elif status == 200 and body and kind == MULTIPART_TYPE:
            self.parts = split_multipart(body)
            self.tree = decode(self.parts[0])


def split_multipart(body):
    """MS-ASCMD 2.2.1.1.1: PartCount, then offset and length of each part, all 32 bit little-endian, then the parts."""
    (count,) = struct.unpack_from("<I", body)
    pairs = [struct.unpack_from("<II", body, 4 + 8 * i) for i in range(count)]
    if any(offset < 4 + 8 * count or offset + length > len(body) for offset, length in pairs):
        raise EasError("multipart answer points outside itself")
    return [body[offset : offset + length] for offset, length in pairs]


def options_mime(filter_type=0, truncation=None):
    """Options for mail as MIME; `truncation` bytes at most, where the server can."""
    preference = [E("Type", 4)] + ([E("TruncationSize", truncation)] if truncation is not None else [])
    steps = ((4096, 1), (5120, 2), (7168, 3), (10240, 4), (20480, 5), (51200, 6), (102400, 7))
    level = 8 if truncation is None else next((code for size, code in steps if truncation <= size), 7)
    return E(
        "AirSync:Options",
        E("FilterType", filter_type),
        E("MIMESupport", 2),
        E("MIMETruncation", 0 if truncation == 0 else level),
        E("AirSyncBase:BodyPreference", *preference),
    )


class EasClient:
    def __init__(self, url, user, password, version="14.1", device_id=None, device_type="exbtest", **settings):
        """settings: ca_file, timeout (60), user_agent, policy_key, device_info (sent in Provision from 14.1 on)."""
        self.url = urllib.parse.urlsplit(url)
        self.user, self.password, self.version = user, password, version
        self.device_id = device_id or "test" + os.urandom(12).hex()
        self.device_type = device_type
        self.ca_file, self.timeout = settings.get("ca_file"), settings.get("timeout", 60)
        self.user_agent = settings.get("user_agent", "exbridge-test/1")
        self.policy_key = settings.get("policy_key", "0")
        self.device_info = settings.get("device_info", True)
        self.policy = None  # the EASProvisionDoc of the server, if it has one
        self.cookies = {}
        self.folder_key, self.folders = "0", {}
        self.keys = {}
        self.connection = None
        self.last = None

    # HTTP

    def request(self, cmd, tree=None, *, method="POST", body=None, params="", headers=None, content_type=WBXML_TYPE):
        """One request; returns the Reply whatever its status.  `headers` with a value None take a header away."""
        if tree is not None:
            body = encode(tree)
        target = self.url.path
        if cmd:
            names = (("Cmd", cmd), ("User", self.user), ("DeviceId", self.device_id), ("DeviceType", self.device_type))
            target += "?" + urllib.parse.urlencode(names, quote_via=urllib.parse.quote) + params
        send = self.headers(body, content_type, method == "OPTIONS" or cmd == "Ping")
        send.update(headers or {})
        send = {name: value for name, value in send.items() if value is not None}
        for attempt in (1, 2):
            fresh = self.connection is None
            try:
                self.last = self.exchange(method, target, body, send)
                return self.last
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                # A kept connection that the server closed meanwhile: the request was not seen.
                self.close()
                if fresh or attempt == 2:
                    raise

    def headers(self, body, content_type, without_key):
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        send = {"Authorization": "Basic " + token, "User-Agent": self.user_agent}
        send["MS-ASProtocolVersion"] = self.version
        if not without_key:
            send["X-MS-PolicyKey"] = self.policy_key
        if body:
            send["Content-Type"] = content_type
        if self.cookies:
            send["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return send

    def exchange(self, method, target, body, send):
        if self.connection is None:
            host, port = self.url.hostname, self.url.port
            if self.url.scheme == "https":
                context = ssl.create_default_context(cafile=self.ca_file)
                self.connection = http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context)
            else:
                self.connection = http.client.HTTPConnection(host, port, timeout=self.timeout)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.connection.request(method, target, body, send)
            answer = self.connection.getresponse()
            data = answer.read()
        except BaseException:
            self.close()
            raise
        for line in answer.headers.get_all("Set-Cookie") or ():
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        if answer.will_close:
            self.close()
        headers = {}
        for name, value in answer.getheaders():
            headers[name.lower()] = headers[name.lower()] + ", " + value if name.lower() in headers else value
        return Reply(answer.status, headers, data)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def command(self, cmd, tree=None, **more):
        """A request that must be answered with 200; returns the tree, or None for an empty body."""
        reply = self.request(cmd, tree, **more)
        if reply.status != 200:
            raise EasError(f"{cmd}: HTTP {reply.status}", reply.status, None, reply)
        if reply.body and reply.tree is None:
            raise EasError(f"{cmd}: not WBXML: {reply.body[:80]!r}", 200, None, reply)
        return reply.tree

    def checked(self, cmd, tree, ok=("1",), **more):
        """A command whose own Status must be one of `ok`."""
        answer = self.command(cmd, tree, **more)
        status = None if answer is None else answer.value("Status")
        if status is not None and status not in ok:
            raise EasError(f"{cmd}: Status {status}", 200, status, self.last)
        return answer

    # Connecting

    def connect(self):
        self.options()
        self.provision()
        if self.version in ("12.1", "14.0"):
            self.send_device_information()
        return self.folder_sync()

    def options(self):
        """(versions, commands) as sets."""
        reply = self.request(None, method="OPTIONS", headers={"MS-ASProtocolVersion": None})
        if reply.status != 200 or "ms-asprotocolversions" not in reply.headers:
            raise EasError(f"OPTIONS: HTTP {reply.status}, headers {sorted(reply.headers)}", reply.status, None, reply)
        split = lambda name: {v.strip() for v in reply.headers.get(name, "").split(",") if v.strip()}
        return split("ms-asprotocolversions"), split("ms-asprotocolcommands")

    def device_information(self):
        names = ("Model", "FriendlyName", "OS", "OSLanguage", "UserAgent")
        values = ("exbtest", "Test client", "Linux", "en-us", self.user_agent)
        # The order of MS-ASCMD 2.2.3.45: Model, IMEI, FriendlyName, OS, OSLanguage, PhoneNumber, UserAgent
        return E("Settings:DeviceInformation", E("Set", [E(n, v) for n, v in zip(names, values)]))

    def send_device_information(self):
        return self.checked("Settings", E("Settings:Settings", self.device_information()))

    def provision(self, acknowledge="1"):
        """Both phases; returns the status of the policy ("2": the server has none).  Raises on a wipe directive."""
        with_info = self.device_info and self.version in ("14.1", "16.0", "16.1")
        policy = E("Provision:Policies", E("Policy", E("PolicyType", POLICY_TYPE)))
        info = self.device_information() if with_info else None
        answer = self.checked("Provision", E("Provision:Provision", info, policy), headers={"X-MS-PolicyKey": "0"})
        for directive in ("RemoteWipe", "AccountOnlyRemoteWipe"):
            if answer.has(directive):
                raise EasError(directive, 200, "140", self.last)
        status = answer.value("Policies/Policy/Status")
        if status == "2":
            return status
        self.policy = answer.get("Policies/Policy/Data/EASProvisionDoc")
        key = answer.value("Policies/Policy/PolicyKey")
        policy = E("Policy", E("PolicyType", POLICY_TYPE), E("PolicyKey", key), E("Status", acknowledge))
        answer = self.checked(
            "Provision", E("Provision:Provision", E("Policies", policy)), headers={"X-MS-PolicyKey": key}
        )
        status = answer.value("Policies/Policy/Status")
        if status == "1":
            self.policy_key = answer.value("Policies/Policy/PolicyKey")
        return status

    def acknowledge_wipe(self, directive="RemoteWipe"):
        tree = E("Provision:Provision", E(directive, E("Status", 1)))
        return self.command("Provision", tree, headers={"X-MS-PolicyKey": "0"})

    # Folders

    def folder_sync(self, key=None):
        """Applies what changed; returns the answer's Changes element."""
        key = self.folder_key if key is None else key
        if key == "0":
            self.folders = {}
        answer = self.checked("FolderSync", E("FolderHierarchy:FolderSync", E("SyncKey", key)))
        self.folder_key = answer.value("SyncKey")
        changes = answer.get("Changes")
        for change in changes.elements if changes else ():
            number = change.value("ServerId")
            if change.tag == "Delete":
                self.folders.pop(number, None)
            elif change.tag in ("Add", "Update"):
                parent, name, kind = (change.value(n) for n in ("ParentId", "DisplayName", "Type"))
                self.folders[number] = Folder(number, parent, name, int(kind))
        return changes

    def folder(self, name=None, type=None):
        kind = FOLDER_TYPES.get(type, type)
        found = [f for f in self.folders.values() if name in (None, f.name) and kind in (None, f.type)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} folders match name={name} type={type}")
        return found[0]

    def folder_create(self, name, parent="0", type=12):
        fields = (E("SyncKey", self.folder_key), E("ParentId", parent), E("DisplayName", name), E("Type", type))
        answer = self.checked("FolderCreate", E("FolderHierarchy:FolderCreate", *fields))
        self.folder_key = answer.value("SyncKey")
        return answer.value("ServerId")

    def folder_update(self, number, name, parent="0"):
        fields = (E("SyncKey", self.folder_key), E("ServerId", number), E("ParentId", parent), E("DisplayName", name))
        answer = self.checked("FolderUpdate", E("FolderHierarchy:FolderUpdate", *fields))
        self.folder_key = answer.value("SyncKey")

    def folder_delete(self, number):
        fields = (E("SyncKey", self.folder_key), E("ServerId", number))
        answer = self.checked("FolderDelete", E("FolderHierarchy:FolderDelete", *fields))
        self.folder_key = answer.value("SyncKey")

    # Items

    def sync(self, number, *, key=None, window=100, options=None, commands=(), get_changes=None, as_moves=None):
        """One Sync of one collection.  An empty answer (nothing new) keeps the key."""
        key = self.keys.get(number, "0") if key is None else key
        fields = [E("SyncKey", key), E("CollectionId", number)]
        if key != "0":
            fields += [E("DeletesAsMoves", as_moves)] if as_moves is not None else []
            get_changes = (0 if commands else 1) if get_changes is None else get_changes
            fields += [E("GetChanges", get_changes), E("WindowSize", window)]
            fields += [options] if options is not None else []
            fields += [E("Commands", *commands)] if commands else []
        answer = self.checked("Sync", E("AirSync:Sync", E("Collections", E("Collection", *fields))))
        collection = answer.get("Collections/Collection") if answer else None
        if collection is None:
            return SyncResult("1", key, [], [], [], [], False, None, None)
        status = collection.value("Status")
        new = collection.value("SyncKey")
        if status == "1":
            self.keys[number] = new
        lists = [collection.all("Commands/" + name) for name in ("Add", "Change", "Delete", "SoftDelete")]
        more = collection.has("MoreAvailable")
        return SyncResult(status, new, *lists, more, collection.get("Responses"), collection)

    def sync_all(self, number, options=None, window=100, items=None):
        """From the beginning (or on from the last key, with `items` from before) until nothing more comes."""
        items = {} if items is None else items
        options = options_mime(truncation=0) if options is None else options
        if self.keys.get(number, "0") == "0":
            self.must(self.sync(number))
        while True:
            before = self.keys[number]
            result = self.must(self.sync(number, window=window, options=options))
            for add in result.adds:
                items[add.value("ServerId")] = add.get("ApplicationData")
            for change in result.changes:
                items[change.value("ServerId")] = change.get("ApplicationData")
            for gone in result.deletes + result.softdeletes:
                items.pop(gone.value("ServerId"), None)
            if not result.more and (self.keys[number] == before or not (result.adds or result.changes)):
                return items

    def must(self, result):
        if result.status != "1":
            raise EasError(f"Sync: Collection Status {result.status}", 200, result.status, self.last)
        return result

    def change(self, number, item, *fields):
        """Change fields of a message, e.g. change(f, i, E("Email:Read", 1)); returns the failure's Status or None."""
        command = E("AirSync:Change", E("ServerId", item), E("ApplicationData", *fields))
        result = self.must(self.sync(number, commands=[command]))
        return result.responses.value("Change/Status") if result.responses else None

    def delete(self, number, item, as_moves=1):
        command = E("AirSync:Delete", E("ServerId", item))
        result = self.must(self.sync(number, commands=[command], as_moves=as_moves))
        return result.responses.value("Delete/Status") if result.responses else None

    def fetch_tree(self, number, items):
        what = E("ItemOperations:Options", E("AirSync:MIMESupport", 2), E("AirSyncBase:BodyPreference", E("Type", 4)))
        return E(
            "ItemOperations:ItemOperations",
            [
                E("Fetch", E("Store", "Mailbox"), E("AirSync:CollectionId", number), E("AirSync:ServerId", i), what)
                for i in items
            ],
        )

    def fetch(self, number, items, multipart=True):
        """{ServerId: MIME bytes, or the Status as a string where there is none}, in as many requests as it takes."""
        found = {}
        for start in range(0, len(items), 100):
            headers = {"MS-ASAcceptMultiPart": "T"} if multipart else {}
            tree = self.fetch_tree(number, items[start : start + 100])
            answer = self.checked("ItemOperations", tree, headers=headers)
            for fetch in answer.all("Response/Fetch"):
                found[fetch.value("AirSync:ServerId")] = self.body_of(fetch)
        return found

    def body_of(self, fetch):
        if fetch.value("Status") != "1":
            return fetch.value("Status")
        body = fetch.get("Properties/AirSyncBase:Body")
        part = body.get("ItemOperations:Part")
        return self.last.parts[int(part.text)] if part is not None else body.get("Data").bytes

    def estimate(self, number):
        collection = [E("AirSync:SyncKey", self.keys[number]), E("CollectionId", number)]
        if self.version == "12.1":
            collection = [E("CollectionId", number), E("AirSync:FilterType", 0), collection[0]]
        tree = E("GetItemEstimate:GetItemEstimate", E("Collections", E("Collection", *collection)))
        return int(self.command("GetItemEstimate", tree).value("Response/Collection/Estimate"))

    def move(self, item, source, target):
        """The new ServerId, or the Status (not 3) as EasError."""
        move = E("Move:Move", E("SrcMsgId", item), E("SrcFldId", source), E("DstFldId", target))
        answer = self.command("MoveItems", E("Move:MoveItems", move))
        status = answer.value("Response/Status")
        if status != "3":
            raise EasError(f"MoveItems: Status {status}", 200, status, self.last)
        return answer.value("Response/DstMsgId")

    def ping(self, heartbeat, numbers, cls="Email"):
        """(Status, [folder ids])."""
        folders = E("Folders", [E("Folder", E("Id", n), E("Class", cls)) for n in numbers])
        before, self.timeout = self.timeout, heartbeat + 30
        if self.connection:
            self.close()
        try:
            answer = self.command("Ping", E("Ping:Ping", E("HeartbeatInterval", heartbeat), folders))
        finally:
            self.timeout = before
            self.close()
        changed = [f.value("Id") if f.elements else f.text for f in answer.all("Folders/Folder")]
        return answer.value("Status"), changed

    def send_mail(self, mime, client_id=None, save=True):
        if self.version == "12.1":
            self.command("SendMail", body=mime, content_type="message/rfc822", params="&SaveInSent=T" if save else "")
            return
        fields = [E("ClientId", client_id or os.urandom(16).hex())] + ([E("SaveInSentItems")] if save else [])
        answer = self.command("SendMail", E("ComposeMail:SendMail", *fields, E("Mime", mime)))
        if answer is not None:
            raise EasError(f"SendMail: Status {answer.value('Status')}", 200, answer.value("Status"), self.last)
