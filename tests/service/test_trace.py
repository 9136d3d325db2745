# SPDX-License-Identifier: Apache-2.0
"""exbridge trace: what goes to the server and comes from it, for people, without secrets and without mail."""
import base64
import re
import signal

import bridge as rig
import pytest
from bridge import LOCAL_PASSWORD, PASSWORD, USER, Account, poll
from test_program import call
from test_status import online, status, told
from tracing import Trace

CANARIES = [PASSWORD, LOCAL_PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
            "canary-subject-5a1d", "canary-text-90b3", "canary-sender-11e2", "canary-folder-e7a0", USER, "work@bridge.test"]
MAIL = (b"From: canary-sender-11e2@example.com\r\nTo: work@bridge.test\r\nSubject: canary-subject-5a1d\r\n"
        b"Message-ID: <canary-sender-11e2@example.com>\r\n\r\n" + 2000 * b"canary-text-90b3, more than a page brings\r\n")


@pytest.fixture(scope="module")
def running(module_stage):
    server = module_stage.exchange("--corpus", "3")
    bridge = module_stage.bridge(Account("work", server), Account("phone", server, "eas"))
    for name in ("work", "phone"):
        online(bridge, name)
    return bridge, server


def busy(bridge, server, name):
    """Everything that could leak: a new message is announced, read, searched for, changed; a folder is made."""
    client = bridge.login(name)
    before = client.open()["exists"]
    server.deliver(mime=MAIL)
    poll(60, lambda: client.open()["exists"] > before)
    uid = client.uids()[-1]
    assert b"canary-text-90b3" in client.bodies(uid)[uid]
    client.ok(f"UID STORE {uid} +FLAGS (\\Flagged)")
    client.ok('SEARCH TEXT "canary-text-90b3"')
    client.ok(f'CREATE "canary-folder-e7a0 {name}"')
    client.close()


def check(text, name):
    for canary in CANARIES:
        assert canary not in text, f"{canary} stands in the trace of {name}"
    for line in text.splitlines():
        assert re.match(r"#\d+ [<>=] ", line) or line.startswith("["), line


def test_ews(running):
    bridge, server = running
    trace = Trace(bridge, "work")
    busy(bridge, server, "work")
    trace.wait(r"> +<CreateFolder")
    trace.wait(r"= \d+ ms, \d+ bytes asked, \d+ answered$")
    # The stream of events was open before the trace began, and is seen all the same.
    trace.wait(r"^#\d+ < +<NewMailEvent>$|^#\d+ < +<CreatedEvent>$|^#\d+ < +<ConnectionStatus>OK")
    assert trace.end() == 0
    text = trace.text()
    check(text, "work")
    assert re.search(r"^#\d+ > POST \S+/Exchange.asmx HTTP/1.1$", text, re.M)
    assert re.search(r"^#\d+ > Authorization: Basic \[hidden\]$", text, re.M)
    assert re.search(r"^#\d+ > X-AnchorMailbox: \[\d+ bytes\]$", text, re.M)
    assert re.search(r"^#\d+ < HTTP/1.1 200 OK$", text, re.M)
    assert re.search(r"^#\d+ < +<ResponseCode>NoError</ResponseCode>$", text, re.M)
    assert re.search(r'^#\d+ > +<ItemId Id="\S+\.\.\.\S+"', text, re.M) or re.search(r'^#\d+ > +<ItemId Id="[^"]+"', text, re.M)
    assert re.search(r"^#\d+ < +<MimeContent[^>]*>\[\d+ bytes\]</MimeContent>$", text, re.M)
    assert re.search(r"^#\d+ > +<DisplayName>\[\d+ bytes\]</DisplayName>$", text, re.M)
    assert "[more of an answer that began earlier]" in text


def test_eas(running):
    bridge, server = running
    trace = Trace(bridge, "phone")
    busy(bridge, server, "phone")
    trace.wait(r"> +<FolderHierarchy:FolderCreate>")
    trace.wait(r"^#\d+ > +<Ping:HeartbeatInterval>\d+</Ping:HeartbeatInterval>$")  # the one after the new message
    assert trace.end(signal.SIGTERM) == 0
    text = trace.text()
    check(text, "phone")
    assert re.search(r"^#\d+ > POST \S+\?Cmd=Sync&User=\[\d+ bytes\]&DeviceId=\[\d+ bytes\]&DeviceType=\S+ HTTP/1.1$", text, re.M)
    assert re.search(r"^#\d+ > Authorization: Basic \[hidden\]$", text, re.M)
    assert re.search(r"^#\d+ > +<AirSync:SyncKey>\S+</AirSync:SyncKey>$", text, re.M)
    assert re.search(r"^#\d+ < +<AirSync:Status>1</AirSync:Status>$", text, re.M)
    assert re.search(r"^#\d+ < +<Email:Subject>\[\d+ bytes\]</Email:Subject>$", text, re.M)
    assert re.search(r"^#\d+ > +<FolderHierarchy:DisplayName>\[\d+ bytes\]</FolderHierarchy:DisplayName>$", text, re.M)
    assert re.search(r"^#\d+ < +<ItemOperations:Part>1</ItemOperations:Part>$", text, re.M)
    assert re.search(r"^#\d+ < \[part 1: \d{5} bytes\]$", text, re.M)


def test_one_at_a_time_and_off_afterwards(running):
    bridge, server = running
    trace = Trace(bridge, "work")
    second = call("trace", "work", "-c", bridge.config_path)
    assert second.returncode == 75 and "somebody traces work already" in second.stderr
    assert trace.end() == 0
    quiet = Trace(bridge, "work", "--seconds", "1")
    assert quiet.end(None) == 0  # by itself
    size = len(quiet.text())
    client = bridge.login("work")
    client.open()
    server.deliver(subject="unseen")
    tag = client.idle()
    client.wait_line(rb"EXISTS")
    client.done(tag)
    client.close()
    assert len(quiet.text()) == size
    poll(60, lambda: len(bridge.log_lines("a trace has begun")) == len(bridge.log_lines("the trace has ended")), bridge.tail)


def test_killed_reader(running):
    """kill -9 of the one who looks on: the account does not notice, and may be traced again."""
    bridge, _ = running
    trace = Trace(bridge, "work")
    trace.process.kill()
    trace.process.wait()
    again = poll(60, lambda: (r := call("trace", "work", "--seconds", "1", "-c", bridge.config_path)).returncode == 0 and r)
    assert "^C ends it" in again.stderr
    assert told(bridge)["state"] == "online"


def test_refusals(running, stage):
    bridge, _ = running
    for words, code, text in ((["trace", "nobody"], 66, "nobody"), (["trace", "work", "--seconds", "0"], 64, "--seconds"),
                              (["trace", "work", "--seconds", "x"], 64, "--seconds"), (["trace"], 66, "name")):
        result = call(*words, "-c", bridge.config_path)
        assert result.returncode == code and text in result.stderr, (words, result)
    down = rig.Bridge(stage.directory / "down", [Account("work", url="http://127.0.0.1:9/EWS/Exchange.asmx")], start=False)
    down.write_config()
    result = call("trace", "-c", down.config_path)
    assert result.returncode == 69 and "exbridge is not running" in result.stderr


def test_reload_ends_it(stage):
    """The account that is looked at goes: so does the trace."""
    server = stage.exchange("--corpus", "1")
    bridge = stage.bridge(Account("work", server), Account("other", server))
    online(bridge)
    trace = Trace(bridge, "work")
    bridge.accounts.pop(0)
    bridge.write_config()
    assert call("reload", "-c", bridge.config_path).returncode == 0
    assert trace.end(None) == 75
    assert b"the account's configuration has changed" in trace.complaint()
    trace = Trace(bridge, "other")
    bridge.stop()  # and so does the daemon, without waiting for it
    assert trace.end(None) == 69
    bridge.start()
    online(bridge, "other")
    assert status(bridge).returncode == 0


def test_unreachable(stage):
    """Why there is no answer is a line, too."""
    server = stage.exchange("--corpus", "1")
    bridge = stage.bridge(Account("work", server))
    online(bridge)
    trace = Trace(bridge)
    server.stop()
    trace.wait(r"^#\d+ = \d+ ms, .* answered: 127\.0\.0\.1: ")
    assert trace.end() == 0
    server.start()
