# SPDX-License-Identifier: Apache-2.0
"""The EWS half: SOAP in, version rules, validation of every request, dispatch, SOAP out.

Operations register with @operation("GetItem") in ews_*.py; each gets a Call and returns the XML of its response
element (or an httpd.Response). What the request asked for goes into call.detail, and so into the log.
"""
import traceback

from lxml import etree

import ews_schema
import rights
from ews_schema import local
from ews_xml import (
    FOLDER,
    M,
    OCCURRENCE,
    SOAP,
    T,
    EwsError,
    check_change_key,
    envelope,
    failure,
    fault,
    read_id,
    read_occurrence,
    response,
)
from httpd import Response
from model import ModelError

REQUEST_VERSIONS = (
    "Exchange2007",
    "Exchange2007_SP1",
    "Exchange2010",
    "Exchange2010_SP1",
    "Exchange2010_SP2",
    "Exchange2013",
    "Exchange2013_SP1",
    "Exchange2015",
    "Exchange2016",
)
# option -> (major, minor, build, revision, what ServerVersionInfo says), newest RequestServerVersion it takes
SERVERS = {
    "2010_SP2": ((14, 3, 513, 0, "Exchange2010_SP2"), 4),
    "2013": ((15, 0, 775, 38, "Exchange2013"), 5),
    "2013_SP1": ((15, 0, 1497, 48, "V2_23"), 6),
    "2016": ((15, 1, 2507, 61, "V2017_07_11"), 8),
    "2019": ((15, 2, 1544, 36, "V2017_07_11"), 8),
    "online": ((15, 20, 9320, 20, "V2018_01_08"), 8),
}
CONTENT_TYPE = "text/xml; charset=utf-8"
OPERATIONS = {}


def operation(name):
    def register(function):
        OPERATIONS[name] = function
        return function

    return register


class Call:
    """One request under way."""

    def __init__(self, half, request, element, version, headers):
        self.half, self.request, self.app = half, request, request.app
        self.element, self.version, self.headers = element, version, headers
        self.options = self.app.options
        self.detail = request.detail
        self.mailbox, self.level = self.app.rights.choose(self)
        self.server = half.server()

    @property
    def name(self):
        return local(self.element)

    def child(self, name):
        """A direct child by local name, or None."""
        return next((c for c in self.element if isinstance(c.tag, str) and local(c) == name), None)

    def text(self, name, default=None):
        found = self.child(name)
        return default if found is None else (found.text or "").strip()

    def folder(self, ref):
        """The Folder of a FolderId or DistinguishedFolderId element."""
        if local(ref) == "DistinguishedFolderId":
            address = ref.findtext(f"{{{T}}}Mailbox/{{{T}}}EmailAddress")
            if address and address.casefold() != self.mailbox.email.casefold():
                known = self.app.store.mailbox_of(address)
                raise EwsError(
                    "ErrorAccessDenied" if known else "ErrorNonExistentMailbox",
                    "The mailbox cannot be opened." if known else "The SMTP address has no mailbox associated.",
                )
            kind = ref.get("Id")
            if self.mailbox.is_archive and kind.startswith("archive"):
                kind = kind.removeprefix("archive")
            elif self.mailbox.is_archive:
                raise EwsError("ErrorFolderNotFound")  # one of the mailbox itself, in a request about its archive
            return self.app.rights.check_folder(self, self.mailbox.by_kind(kind))
        num = read_id(self.mailbox, ref.get("Id"), FOLDER)[1]
        return self.app.rights.check_folder(self, self.mailbox.folder(num))

    def item(self, ref, write=False):
        """The Item of an ItemId element; an occurrence is none of its own. `write`: as for target()."""
        item, day = self.target(ref, write)
        if day is not None:
            raise EwsError("ErrorCalendarCannotMoveOrCopyOccurrence", "The operation is not for single occurrences.")
        return item

    def target(self, ref, write=False):
        """(Item, date of the occurrence or None) of an ItemId, OccurrenceItemId or RecurringMasterItemId element. A
        change key, where given, must be one of ours; `write` wants one."""
        if ref.get("ChangeKey"):
            check_change_key(self.mailbox, ref.get("ChangeKey"))
        elif write:
            raise EwsError("ErrorChangeKeyRequiredForWriteOperations")
        if local(ref) == "OccurrenceItemId":
            item, day = self.by_id(ref.get("RecurringMasterId"))
            if day is not None or getattr(item.cal, "recurrence", None) is None:
                raise EwsError("ErrorCalendarCannotUseIdForOccurrenceId", "The id is not one of a recurring master.")
            return item, item.cal.date_of_index(int(ref.get("InstanceIndex")))
        if local(ref) == "RecurringMasterItemId":
            item, day = self.by_id(ref.get("OccurrenceId"))
            if day is None:
                raise EwsError("ErrorCalendarCannotUseIdForRecurringMasterId", "The id is not one of an occurrence.")
            return item, None
        return self.by_id(ref.get("Id"))

    def by_id(self, text):
        kind, num = read_id(self.mailbox, text)
        if kind == FOLDER:
            raise EwsError("ErrorCannotUseFolderIdForItemId", "A folder id was given where an item id is needed.")
        item = self.mailbox.item(num)
        if kind != OCCURRENCE:
            return item, None
        day, edited = read_occurrence(text)
        series = item.cal
        now_edited = self.options.ews_edited_ids and day in series.exceptions
        if series.recurrence is None or day in series.deleted or edited != now_edited:
            raise EwsError("ErrorItemNotFound")
        return item, day

    def each(self, response_name, refs, act, empty=""):
        """One response message per reference, in order; `act` returns a finished message or raises."""
        messages = []
        for ref in refs:
            try:
                self.check_error_fault(len(messages))
                self.app.rights.check(self)
                messages.append(act(ref))
            except ModelError as error:
                messages.append(failure(response_name, EwsError(error.code, error.text), empty))
            except EwsError as error:
                if error.fault:
                    raise
                messages.append(failure(response_name, error, empty))
        return response(response_name, messages)

    def check_error_fault(self, index):
        """The scripted fault `error`: a response code for all messages, or for the one at `index` (or those of a list)."""
        rule = self.request.rule
        indexes = rule.get("index", index) if rule else None
        if rule and rule.do == "error" and index in (indexes if isinstance(indexes, list) else [indexes]):
            raise EwsError(rule.get("code", "ErrorInternalServerError"), values=back_off(rule))


def back_off(rule):
    """The t:Value elements a rule asks for: backoff_ms, and any other name in `values`."""
    found = {"@" + name: value for name, value in rule.get("values", {}).items()}
    if rule.get("backoff_ms") is not None:
        found["@BackOffMilliseconds"] = rule.get("backoff_ms")
    return found


class Half:
    protocol = "ews"

    def __init__(self, app):
        self.app = app
        self.microsoft = ews_schema.Microsoft()

    def server(self):
        return SERVERS[self.app.options.version][0]

    # ---- understanding ----

    def operation(self, request):
        """Name and a first detail; the parsed tree is kept on the request."""
        request.tree = request.problem = None
        if request.method != "POST":
            return request.method, {}
        try:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
            request.tree = etree.fromstring(request.body, parser)
        except etree.XMLSyntaxError as error:
            request.problem = f"not XML: {error}"
            return "unreadable", {}
        if request.tree.getroottree().docinfo.doctype:
            request.problem = "a document type declaration"
            return "unreadable", {}
        body = request.tree.find(f"{{{SOAP}}}Body")
        children = [c for c in body if isinstance(c.tag, str)] if body is not None else []
        if request.tree.tag != f"{{{SOAP}}}Envelope" or len(children) != 1:
            request.problem = "not a SOAP 1.1 envelope with one element in its Body"
            return "unreadable", {}
        request.operation = children[0]
        lists = [c for c in children[0] if local(c) in ("ItemIds", "ItemChanges")]
        return local(children[0]).removesuffix("Request"), {"ids": len(lists[0])} if lists else {}

    def fault(self, request, rule):
        if rule.do == "throttle":
            error = EwsError("ErrorServerBusy", values={"@BackOffMilliseconds": rule.get("backoff_ms", 1000)})
            return self.soap_fault(error)
        if rule.do == "soap_fault":
            return self.soap_fault(
                EwsError(rule.get("code", "ErrorInternalServerError"), rule.get("text", ""), values=back_off(rule)),
                rule.get("status", 500),
            )
        return None  # error, expired: the operations look at request.rule

    def soap_fault(self, error, status=500):
        return Response(status, fault(error, self.server()), content_type=CONTENT_TYPE)

    # ---- answering ----

    def handle(self, request):
        if request.method != "POST":
            return Response(302 if request.method == "GET" else 405, b"", {"Location": "/owa/"})
        problem = request.problem or self.media_problem(request)
        if problem:
            self.app.log.violation(problem, request.entry)
            return Response(400, b"Bad Request", content_type="text/html")
        try:
            if request.entry["at_once"] > self.app.options.max_concurrent:
                raise EwsError(
                    "ErrorExceededConnectionCount", "You have exceeded the available concurrent connections."
                )
            answer = self.run(request)
        except EwsError as error:
            return self.refuse(request, error)
        except ModelError as error:
            return self.refuse(request, EwsError(error.code, error.text))
        except Exception:
            self.app.log.violation("exception in the stand-in: " + traceback.format_exc(), request.entry)
            traceback.print_exc()
            return self.soap_fault(EwsError("ErrorInternalServerError"))
        if isinstance(answer, Response):
            return answer
        made = Response(200, envelope(self.server(), answer), content_type=CONTENT_TYPE)
        self.check_answer(request, made.body)
        return self.tagged(request, made)

    def check_answer(self, request, data):
        wrong = self.microsoft.response_errors(data)
        if wrong:
            self.app.log.violation("our answer breaks the schema: " + wrong, request.entry)

    def tagged(self, request, made):
        """What every answer carries besides: the ids that clients log."""
        if request.headers.get("return-client-request-id", "").lower() == "true":
            made.headers["client-request-id"] = request.headers.get("client-request-id", "")
        made.headers.setdefault("request-id", f"00000000-0000-0000-0000-{request.entry['n']:012d}")
        made.headers.setdefault("X-FEServer", "STANDIN")
        return made

    def media_problem(self, request):
        kind = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
        return None if kind == "text/xml" else f"Content-Type is {kind or 'missing'}, SOAP 1.1 wants text/xml"

    def refuse(self, request, error):
        """An error outside of any response message: always a SOAP fault."""
        if error.code == "ErrorSchemaValidation":
            self.app.log.violation(f"{error.code}: {error.values.get('Violation', error.text)}", request.entry)
        request.detail["code"] = error.code
        return self.tagged(request, self.soap_fault(error))

    def run(self, request):
        version, headers = self.read_header(request)
        element = request.operation
        if etree.QName(element).namespace != M or local(element) not in ews_schema.CONTENT:
            raise ews_schema.violation(element, f"The element '{local(element)}' is not an operation.")
        ews_schema.check(element)
        wrong = self.microsoft.errors(element)
        if wrong:
            raise ews_schema.violation(element, wrong)
        function = OPERATIONS.get(local(element))
        if function is None:
            raise EwsError("ErrorInvalidRequest", f"The stand-in does not serve {local(element)}.", fault=True)
        call = Call(self, request, element, version, headers)
        if function.__name__.startswith("unlocked_"):
            return function(call)
        with call.mailbox.lock:
            return function(call)

    def read_header(self, request):
        header = request.tree.find(f"{{{SOAP}}}Header")
        found = {local(c): c for c in header if isinstance(c.tag, str)} if header is not None else {}
        asked = found.get("RequestServerVersion")
        word = asked.get("Version") if asked is not None else "Exchange2007"
        request.detail["version"] = word
        limit = SERVERS[self.app.options.version][1]
        if word not in REQUEST_VERSIONS or REQUEST_VERSIONS.index(word) > limit:
            raise EwsError("ErrorInvalidServerVersion", fault=True)
        for name, element in found.items():
            if etree.QName(element).namespace != T:
                raise ews_schema.violation(element, f"The header '{name}' is in the wrong namespace.")
        return REQUEST_VERSIONS.index(word), found


def register(app):
    import ews_attachments, ews_availability, ews_calendar, ews_folders, ews_meeting, ews_misc, ews_notify, ews_read, ews_sync, ews_write  # noqa: E401,F401

    app.options.declare(max_streaming_connections=10, max_batch=1000)
    app.options.declare(ews_complete_date="kept")  # "refused": no date of completion pleases the server
    app.options.declare(ews_full_zones=False)  # StartTimeZone with its periods, not only its id
    # An occurrence has another id from its first edit on, as some servers were seen to do; false: it keeps the one it has.
    app.options.declare(ews_edited_ids=True)
    app.rights = rights.Rights(app.store)
    half = Half(app)
    app.route("/ews/exchange.asmx", half)
    app.route("/ews/services.wsdl", half)
