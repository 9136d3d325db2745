# SPDX-License-Identifier: Apache-2.0
"""Subscribe, Unsubscribe, GetEvents, GetStreamingEvents.

Affinity: Subscribe with X-PreferServerAffinity sets a cookie; with the option `affinity`
every later request about the subscription must bring it back, or the subscription is not found, as in a farm of
Exchange servers.
"""
import base64
import collections
import hashlib
import ssl
import struct

from ews import CONTENT_TYPE, operation
from ews_schema import local
from ews_xml import (
    M,
    T,
    EwsError,
    boolean,
    change_key,
    envelope,
    failure,
    folder_id,
    item_id,
    response,
    stream_envelope,
    success,
)
from clock import iso
from httpd import Response

COOKIES = {14: "exchangecookie", 15: "X-BackEndOverrideCookie"}  # by major version
QUEUE_LIMIT = 10000
IDLE_LIMIT_S = 1800  # a streaming subscription nobody listens to


class Subscription:
    def __init__(self, mailbox, number, kind, events, folders, cookie, timeout_s):
        self.mailbox, self.kind, self.events, self.folders, self.cookie = mailbox, kind, events, folders, cookie
        self.id = base64.b64encode(b"\x0b\x00standin.01" + mailbox.guid.bytes + struct.pack(">I", number)).decode()
        self.queue = collections.deque(maxlen=QUEUE_LIMIT)
        self.start = mailbox.seq
        self.last_seen = mailbox.seq
        self.timeout_s = timeout_s
        self.touched = mailbox.clock.mono()
        self.connection = 0  # number of the GetStreamingEvents that holds it
        mailbox.listeners.append(self.hear)

    def hear(self, event):
        """Called under the mailbox lock for every event."""
        if event.kind not in self.events:
            return
        if self.folders is None or event.folder in self.folders or event.old_folder in self.folders:
            self.queue.append(event)

    def expired(self):
        return not self.connection and self.mailbox.clock.mono() - self.touched > self.timeout_s

    def end(self):
        if self.hear in self.mailbox.listeners:
            self.mailbox.listeners.remove(self.hear)

    def watermark(self, seq):
        return base64.b64encode(b"\x01" + self.mailbox.guid.bytes + struct.pack(">Q", seq)).decode()


def subscriptions(mailbox):
    if not hasattr(mailbox, "ews_subscriptions"):
        mailbox.ews_subscriptions = {}
        mailbox.ews_streams = 0
        mailbox.ews_next = 1
    for sub in [s for s in mailbox.ews_subscriptions.values() if s.expired()]:
        sub.end()
        del mailbox.ews_subscriptions[sub.id]
    return mailbox.ews_subscriptions


def lookup(call, ident):
    found = subscriptions(call.mailbox).get(ident)
    if found is None:
        raise EwsError("ErrorSubscriptionNotFound")
    if call.options.affinity and (
        found.cookie is None or call.request.cookies.get(COOKIES[call.server[0]]) != found.cookie
    ):
        call.detail["no_affinity"] = True
        raise EwsError("ErrorSubscriptionNotFound")
    return found


@operation("Subscribe")
def subscribe(call):
    wish = call.element[0]
    kind = local(wish)
    mailbox = call.mailbox
    known = subscriptions(mailbox)
    if kind == "PushSubscriptionRequest":
        raise EwsError("ErrorInvalidSubscriptionRequest", "The stand-in pushes nothing.")
    if kind == "StreamingSubscriptionRequest" and call.version < 3:
        raise EwsError("ErrorInvalidServerVersion", "Streaming subscriptions need Exchange2010_SP1.", fault=True)
    parts = {local(c): c for c in wish}
    everything = wish.get("SubscribeToAllFolders") in ("true", "1")
    if everything == ("FolderIds" in parts):
        raise EwsError("ErrorInvalidSubscriptionRequest", "Either FolderIds or SubscribeToAllFolders.")
    limit = 20 if call.options.version == "online" else 5000
    if len(known) >= limit:
        raise EwsError("ErrorExceededSubscriptionCount", "You have exceeded the available subscriptions.")

    def one(_):
        folders = None if everything else {call.folder(ref).num for ref in parts["FolderIds"]}
        events = {c.text.strip().removesuffix("Event") for c in parts["EventTypes"]}
        cookie = None
        if call.request.headers.get("X-PreferServerAffinity", "").lower() == "true" and call.request.headers.get(
            "X-AnchorMailbox"
        ):
            cookie = (
                call.request.cookies.get(COOKIES[call.server[0]])
                or "standin~" + hashlib.sha256(f"{mailbox.email}/{mailbox.ews_next}".encode()).hexdigest()[:24]
            )
        timeout = float(parts["Timeout"].text) * call.options.minute_s if "Timeout" in parts else IDLE_LIMIT_S
        sub = Subscription(mailbox, mailbox.ews_next, kind, events, folders, cookie, timeout)
        mailbox.ews_next += 1
        known[sub.id] = sub
        call.detail["subscription"] = sub.id
        call.cookie = cookie
        mark = f"<m:Watermark>{sub.watermark(sub.start)}</m:Watermark>" if "Timeout" in parts else ""
        return success("Subscribe", f"<m:SubscriptionId>{sub.id}</m:SubscriptionId>{mark}")

    call.cookie = None
    body = call.each("Subscribe", [None], one)
    made = Response(200, envelope(call.server, body), content_type=CONTENT_TYPE)
    if call.cookie:
        secure = " secure;" if isinstance(call.request.connection, ssl.SSLSocket) else ""
        made.headers["Set-Cookie"] = f"{COOKIES[call.server[0]]}={call.cookie}; path=/;{secure} HttpOnly"
    call.half.check_answer(call.request, made.body)
    return call.half.tagged(call.request, made)


@operation("Unsubscribe")
def unsubscribe(call):
    def one(_):
        sub = lookup(call, call.text("SubscriptionId"))
        sub.end()
        del call.mailbox.ews_subscriptions[sub.id]
        call.mailbox.cond.notify_all()
        return success("Unsubscribe")

    return call.each("Unsubscribe", [None], one)


def event_xml(sub, event, marks):
    mailbox = sub.mailbox

    def item(name, num):
        return f'<t:{name} Id="{item_id(mailbox, num)}" ChangeKey="{change_key(mailbox, event.seq)}"/>'

    def folder(name, num):
        return f'<t:{name} Id="{folder_id(mailbox, num)}" ChangeKey="{change_key(mailbox, event.seq)}"/>'

    mark = f"<t:Watermark>{sub.watermark(event.seq)}</t:Watermark>" if marks else ""
    out = f"{mark}<t:TimeStamp>{iso(event.time)}</t:TimeStamp>"
    if event.item is not None:
        out += item("ItemId", event.item) + folder("ParentFolderId", event.folder)
        if event.kind in ("Moved", "Copied"):
            out += item("OldItemId", event.old_item) + folder("OldParentFolderId", event.old_folder)
    else:
        found = mailbox.folders.get(event.folder)
        parent = found.parent if found else event.old_folder
        out += folder("FolderId", event.folder) + folder("ParentFolderId", parent or mailbox.kinds["root"].num)
        if event.kind in ("Moved", "Copied"):
            out += folder("OldFolderId", event.folder) + folder("OldParentFolderId", event.old_folder)
        elif event.kind == "Modified" and found:
            out += f"<t:UnreadCount>{found.unread}</t:UnreadCount>"
    return f"<t:{event.kind}Event>{out}</t:{event.kind}Event>"


@operation("GetEvents")
def get_events(call):
    def one(_):
        sub = lookup(call, call.text("SubscriptionId"))
        if sub.kind != "PullSubscriptionRequest":
            raise EwsError("ErrorInvalidPullSubscriptionId", "The subscription is no pull subscription.")
        try:
            raw = base64.b64decode(call.text("Watermark"), validate=True)
            seq = struct.unpack(">Q", raw[17:25])[0]
        except (ValueError, struct.error):
            raise EwsError("ErrorInvalidWatermark", "The watermark is invalid.") from None
        while sub.queue and sub.queue[0].seq <= seq:
            sub.queue.popleft()
        sub.touched = call.mailbox.clock.mono()
        events = list(sub.queue)[:50]
        more = len(sub.queue) > len(events)
        inner = "".join(event_xml(sub, e, True) for e in events) or (
            f"<t:StatusEvent><t:Watermark>{sub.watermark(seq)}</t:Watermark></t:StatusEvent>"
        )
        return success(
            "GetEvents",
            f"<m:Notification><t:SubscriptionId>{sub.id}</t:SubscriptionId><t:PreviousWatermark>"
            f"{sub.watermark(seq)}</t:PreviousWatermark><t:MoreEvents>{boolean(more)}</t:MoreEvents>{inner}"
            f"</m:Notification>",
        )

    return call.each("GetEvents", [None], one)


@operation("GetStreamingEvents")
def unlocked_get_streaming_events(call):
    mailbox = call.mailbox
    wanted = [c.text.strip() for c in call.child("SubscriptionIds")]
    call.detail["subscriptions"] = len(wanted)
    with mailbox.lock:
        bad, found = [], []
        for ident in wanted:
            try:
                found.append(lookup(call, ident))
            except EwsError:
                bad.append(ident)
        if bad:  # one bad id spoils the whole request
            ids = "".join(f"<m:SubscriptionId>{i}</m:SubscriptionId>" for i in bad)
            return response(
                "GetStreamingEvents",
                [
                    failure(
                        "GetStreamingEvents",
                        EwsError("ErrorInvalidSubscription", "One or more subscriptions are invalid."),
                        f"<m:ErrorSubscriptionIds>{ids}</m:ErrorSubscriptionIds>"
                        "<m:ConnectionStatus>Closed</m:ConnectionStatus>",
                    )
                ],
            )
        if len(wanted) > 200 or mailbox.ews_streams >= call.options.max_streaming_connections:
            raise EwsError(
                "ErrorExceededConnectionCount", "You have exceeded the available concurrent connections.", fault=True
            )
        mailbox.ews_streams += 1
        for sub in found:
            sub.connection = call.request.entry["n"]
    seconds = int(call.text("ConnectionTimeout")) * call.options.minute_s
    return call.half.tagged(call.request, Response(200, chunks=stream(call, found, seconds), content_type=CONTENT_TYPE))


def stream(call, subs, seconds):
    """Envelope after envelope: one at once, one per batch of events, heartbeats, and the closing one."""
    mailbox = call.mailbox
    number = call.request.entry["n"]
    deadline = mailbox.clock.mono() + seconds
    heartbeat = call.options.heartbeat_s
    try:
        yield message(call, "<m:ConnectionStatus>OK</m:ConnectionStatus>")
        while True:
            left = deadline - mailbox.clock.mono()
            if left <= 0:
                break
            state = mailbox.wait(lambda: wake_reason(call, subs, number), min(left, heartbeat or left))
            if state == "gone":
                return
            if state == "over":
                break
            with mailbox.lock:
                made = [notification(sub) for sub in subs if sub.queue]
            if made:
                yield message(call, f"<m:Notifications>{''.join(made)}</m:Notifications>")
            elif heartbeat and deadline - mailbox.clock.mono() > 0:
                yield message(
                    call,
                    "<m:Notifications>"
                    + "".join(
                        f"<m:Notification><t:SubscriptionId>{s.id}</t:SubscriptionId><t:StatusEvent/></m:Notification>"
                        for s in subs
                    )
                    + "</m:Notifications>",
                )
        yield message(call, "<m:ConnectionStatus>Closed</m:ConnectionStatus>")
    finally:
        with mailbox.lock:
            mailbox.ews_streams -= 1
            for sub in subs:
                if sub.connection == number:
                    sub.connection = 0
                    sub.touched = mailbox.clock.mono()


def wake_reason(call, subs, number):
    known = call.mailbox.ews_subscriptions
    if any(s.id not in known or s.connection != number for s in subs):
        return "over"  # unsubscribed, or taken over by a newer connection, which gets the events
    if call.request.client_gone():
        return "gone"
    if any(sub.queue for sub in subs):
        return "events"
    return None


def notification(sub):
    events = []
    while sub.queue and len(events) < 50:
        events.append(sub.queue.popleft())
    return (
        f"<m:Notification><t:SubscriptionId>{sub.id}</t:SubscriptionId><t:MoreEvents>{boolean(bool(sub.queue))}"
        f"</t:MoreEvents>{''.join(event_xml(sub, e, False) for e in events)}</m:Notification>"
    )


def message(call, inner):
    body = (
        f'<m:GetStreamingEventsResponse xmlns:m="{M}" xmlns:t="{T}"><m:ResponseMessages>'
        f'{success("GetStreamingEvents", inner)}</m:ResponseMessages></m:GetStreamingEventsResponse>'
    )
    data = stream_envelope(call.server, body).encode()
    call.half.check_answer(call.request, data)
    return data
