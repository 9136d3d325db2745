# SPDX-License-Identifier: Apache-2.0
"""The HTTP server under both halves: one thread per connection, keep-alive, TLS, authentication, faults, the log.

A half registers with App.route(prefix, half). A half is an object with
  protocol                    "ews", "eas", ...: the name in the log and in fault rules
  operation(request)          -> (name, detail dict); looks at the request without doing anything
  handle(request)             -> Response; request.user is set (after Basic authentication) unless `anonymous` is true
  fault(request, rule)        -> Response for the OPERATION faults of faults.py, or None when it does not know the fault
  anonymous(request)          -> true for requests that need no credentials (optional)

A Response has a body, or `chunks`: an iterator of bytes, sent with chunked encoding as they come; it is closed when
the client goes away. An iterator that waits calls request.client_gone() now and then.
"""
import base64
import collections
import gzip
import http.server
import select
import socket
import socketserver
import struct
import threading
import time
import urllib.parse

import faults as fault_rules

MAX_HEADER_COUNT = 200


class Response:
    def __init__(self, status=200, body=b"", headers=None, chunks=None, content_type=None):
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = dict(headers or {})
        if content_type:
            self.headers["Content-Type"] = content_type
        self.chunks = chunks


class Request:
    def __init__(self, app, method, target, headers, body, connection):
        self.app = app
        self.method = method
        parts = urllib.parse.urlsplit(target)
        self.target = target
        self.path = urllib.parse.unquote(parts.path)
        self.query_string = parts.query
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.headers = headers
        self.body = body
        self.connection = connection
        self.user = None  # model.User after authentication
        self.entry = None  # this request's entry in the log
        self.rule = None  # the fault rule that fired, if any
        self.locked = False  # too many bad passwords for this name
        self.refusal = {}  # headers that say why a bearer token was refused
        self.counted = None  # the name under which it counts as under way
        self.cookies = _cookies(headers.get_all("Cookie", []))

    @property
    def detail(self):
        return self.entry["detail"]

    def client_gone(self):
        """True when the peer has closed the connection (or pipelined something, which no Exchange client does)."""
        try:
            ready, _, _ = select.select([self.connection], [], [], 0)
            return bool(ready) and not self.connection.recv(1, socket.MSG_PEEK)
        except ValueError:  # TLS sockets take no flags
            return bool(ready)
        except OSError:
            return True


def _cookies(values):
    found = {}
    for value in values:
        for pair in value.split(";"):
            name, _, text = pair.strip().partition("=")
            if name:
                found[name] = text
    return found


class Dropped(Exception):
    """Ends the connection without another byte; `reset` sends RST."""

    def __init__(self, reset=False):
        super().__init__()
        self.reset = reset


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-IIS/10.0"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 900
    rbufsize = 65536

    def log_message(self, format, *args):
        pass

    def setup(self):
        super().setup()
        self.server.app.connections.add(self.connection)

    def finish(self):
        self.server.app.connections.discard(self.connection)
        try:
            super().finish()
        except OSError:
            pass

    def handle(self):
        try:
            super().handle()
        except (OSError, EOFError):
            pass
        except Dropped as drop:
            self._drop(drop.reset)

    def _drop(self, reset):
        try:
            if reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()
        except OSError:
            pass

    def do_POST(self):
        self.serve()

    do_GET = do_OPTIONS = do_HEAD = do_PUT = do_DELETE = do_POST

    def serve(self):
        app = self.server.app
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self.close_connection = True
            app.log.violation("chunked request body")
            return self.send(Response(411, b"Length Required", content_type="text/html"), None)
        length = int(self.headers.get("Content-Length") or 0)
        if length > app.options.max_request_bytes:
            self.close_connection = True
            return self.send(Response(413, b"", content_type="text/html"), None)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return None
        request = Request(app, self.command, self.path, self.headers, body, self.connection)
        started = time.monotonic()
        try:
            response = app.answer(request)
            request.entry["status"] = response.status
            if response.chunks is not None:
                app.leave(request)
            sent = self.send(response, request)
        finally:
            app.leave(request)
        request.entry.update(done=True, bytes_out=sent, ms=round((time.monotonic() - started) * 1000, 1))
        return None

    # ---- sending ----

    def send(self, response, request):
        rule = request.rule if request else None
        after = rule.do if rule and rule.do in fault_rules.AFTER else None
        if after in ("lose", "reset_after"):
            if response.chunks is not None:
                response.chunks.close()
            raise Dropped(after == "reset_after")
        if after == "hold":  # done, and nobody hears of it for a while
            deadline = time.monotonic() + rule.get("seconds", 600)
            while time.monotonic() < deadline and not request.client_gone():
                time.sleep(0.05)
        if response.chunks is not None:
            return self.send_chunks(response, request, rule if after else None)
        headers, body = dict(response.headers), response.body
        if after == "close":
            self.close_connection = True
        elif after:
            headers, body = fault_rules.after(rule, headers, body)
        if (
            request
            and self.server.app.options.gzip
            and len(body) > 512
            and "Content-Encoding" not in headers
            and "gzip" in self.headers.get("Accept-Encoding", "")
        ):
            headers, body = {**headers, "Content-Encoding": "gzip"}, gzip.compress(body, 1, mtime=0)
        length = len(body) + (rule.get("delta", 100) if after == "bad_length" else 0)
        status = rule.get("status", 503) if after == "gateway" else response.status
        head = self.head(status, {**headers, "Content-Length": str(length)})
        if self.command == "HEAD":
            body = b""
        if after == "cut":
            self.wfile.write(head + body[: rule.get("bytes", len(body) // 2)])
            self.wfile.flush()
            raise Dropped(False)
        if after == "drip":
            self.drip(head + body, rule.get("rate", 1000))
        elif len(body) < 65536:
            self.wfile.write(head + body)
        else:
            self.wfile.write(head)
            self.wfile.write(body)
        if after == "bad_length" and length != len(body):
            time.sleep(rule.get("seconds", 0))
            raise Dropped(False)
        return len(body)

    def drip(self, data, rate):
        step = max(1, rate // 20)
        for start in range(0, len(data), step):
            self.wfile.write(data[start : start + step])
            time.sleep(step / rate)

    def send_chunks(self, response, request, rule):
        self.wfile.write(self.head(response.status, {**response.headers, "Transfer-Encoding": "chunked"}))
        sent = 0
        limit = rule.get("bytes", 0) if rule and rule.do in ("cut", "truncate") else None
        try:
            for chunk in response.chunks:
                if not chunk:
                    continue
                if rule and limit is None and not sent:  # the other faults spoil the first piece
                    chunk = fault_rules.after(rule, {}, chunk)[1]
                if limit is not None and sent + len(chunk) > limit:
                    part = chunk[: limit - sent]
                    if rule.do == "cut":
                        self.wfile.write(b"%x\r\n%s" % (len(chunk), part))
                        raise Dropped(False)
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if part else b"")
                    break
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                sent += len(chunk)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
        finally:
            response.chunks.close()
            request.entry.update(done=True, bytes_out=sent)
        return sent

    def head(self, status, headers):
        reason = http.server.BaseHTTPRequestHandler.responses.get(status, ("",))[0]
        lines = [f"HTTP/1.1 {status} {reason}", f"Server: {self.server_version}", f"Date: {self.date_time_string()}"]
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                lines.append(f"{name}: {one}")
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address, handler, app, tls=None):
        self.app = app
        self.tls = tls
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def finish_request(self, request, client_address):
        if self.tls:
            request.settimeout(30)
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except OSError:
                return
        self.RequestHandlerClass(request, client_address, self)

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except (OSError, ValueError):
            pass

    def handle_error(self, request, client_address):
        import traceback

        self.app.log.violation("exception in the stand-in: " + traceback.format_exc())
        traceback.print_exc()


class App:
    """What both halves and the control server share: store, clock, options, faults, log."""

    def __init__(self, store, options):
        import reqlog

        self.store = store
        self.clock = store.clock
        self.options = options
        self.faults = fault_rules.FaultTable()
        self.log = reqlog.RequestLog()
        self.routes = []
        self.connections = set()
        self.dropping = threading.Lock()
        self.active = collections.Counter()  # requests under way, by user; parked ones do not count
        self.bad_logins = collections.Counter()
        self.lock = threading.Lock()
        self.oauth = None  # oauth.Half

    def route(self, prefix, half):
        self.routes.append((prefix.lower(), half))
        self.routes.sort(key=lambda entry: -len(entry[0]))

    def half_for(self, path):
        path = path.lower()
        found = next((half for prefix, half in self.routes if path.startswith(prefix)), None)
        return None if found and found.protocol in self.options.absent else found

    def drop_connections(self):
        """All at one moment: a client that hears of the first one's end finds no other whose request still counts."""
        with self.dropping:
            for connection in list(self.connections):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                self.connections.discard(connection)

    def answer(self, request):
        with self.dropping:
            if request.connection not in self.connections:
                raise Dropped(False)
        half = self.half_for(request.path)
        protocol = half.protocol if half else "http"
        request.user = self.authenticate(request)
        op, detail = half.operation(request) if half else (request.method, {})
        welcome = half is not None and hasattr(half, "anonymous") and half.anonymous(request)
        if request.user or welcome or half is None:  # a mere challenge uses up no fault
            request.rule = self.faults.pick(protocol, op, request.user.name if request.user else None, detail)
        rule = request.rule
        # Its fault is chosen by now: a test that has seen the request in the log may clear the rule, or make another one.
        request.entry = self.log.add(
            protocol=protocol,
            op=op,
            path=request.target,
            host=request.headers.get("Host"),
            bytes_in=len(request.body),
            user=request.user.name if request.user else None,
            detail=detail,
            at_once=self.enter(request),
            agent=request.headers.get("User-Agent"),
            authorization=request.headers.get("Authorization", "").partition(" ")[0] or None,
            fault=(rule.do or "delay") if rule else None,
        )
        if self.options.delay_s:
            time.sleep(self.options.delay_s)
        if rule:
            spoilt = self.before(request, half, rule)
            if spoilt:
                return spoilt
        if half is None:
            return Response(404, b"<html><body>Not Found</body></html>", content_type="text/html")
        if request.user is None and not welcome:
            return self.unauthorized(request)
        return half.handle(request)

    def enter(self, request):
        """Counts a request as under way; returns how many of this user are, with it."""
        with self.lock:
            request.counted = request.user.name if request.user else ""
            self.active[request.counted] += 1
            return self.active[request.counted]

    def leave(self, request):
        """The answer is on its way, or parked."""
        with self.lock:
            if request.counted is not None:
                self.active[request.counted] -= 1
                request.counted = None

    def before(self, request, half, rule):
        if rule.get("delay_s"):
            time.sleep(rule.get("delay_s"))
        if rule.do == "hang":
            deadline = time.monotonic() + rule.get("seconds", 600)
            while time.monotonic() < deadline and not request.client_gone():
                time.sleep(0.1)
            raise Dropped(False)
        if rule.do in ("pause", "queue"):
            deadline = time.monotonic() + rule.get("seconds", 60)
            while self.faults.holds(rule):
                if time.monotonic() >= deadline or (rule.do == "pause" and request.client_gone()):
                    raise Dropped(False)
                time.sleep(0.005)
        if rule.do in ("reset_before", "close_before"):
            raise Dropped(rule.do == "reset_before")
        if rule.do in fault_rules.OPERATION and half:
            return half.fault(request, rule)
        made = fault_rules.before(rule)
        if made is None:
            return None
        status, headers, body = made
        headers.setdefault("Content-Type", "text/html; charset=utf-8")
        return Response(status, body, headers)

    def authenticate(self, request):
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        if not any(offered.split(" ")[0].lower() == scheme.lower() for offered in self.options.auth_schemes):
            return None
        if scheme.lower() == "bearer":
            half = self.half_for(request.path)
            return self.oauth.check(request, rest.strip(), half.protocol if half else "")
        if scheme.lower() != "basic":
            return None
        try:
            name, colon, password = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")
        except ValueError:
            return None
        if not colon:
            return None
        user, key, limit = self.store.login(name, password), name.casefold(), self.options.lockout_after
        locked = limit and self.bad_logins[key] >= limit
        if user is None or locked:
            self.bad_logins[key] += user is None
            request.locked = locked
            return None
        self.bad_logins[key] = 0
        return user

    def unauthorized(self, request):
        request.entry["detail"]["unauthorized"] = True
        schemes = [s.format(realm=self.options.realm) for s in self.options.auth_schemes]
        locked = (
            b"The referenced account is currently locked out and may not be logged on to." if request.locked else b""
        )
        return Response(
            401,
            locked,
            {"WWW-Authenticate": schemes, "X-FEServer": "STANDIN", "Content-Type": "text/html", **request.refusal},
        )
