# SPDX-License-Identifier: Apache-2.0
"""exbridge doctor: a healthy setup, and every trouble that it knows, each seen once."""
import json
import os
import shutil
import socket
import ssl
import subprocess

import pytest
import rig
from rig import EMAIL, PASSWORD, USER, credentials
from test_setup import BASIC, corp

VERDICTS = {0: "ok", 1: "warn", 2: "FAIL"}


def examine(home, *args, code=None, **more):
    """The lines of --json, which must be what it promises."""
    done = home.run("doctor", "--json", *args, **more)
    found = json.loads(done.stdout)
    assert set(found) == {"verdict", "ok", "warn", "fail", "lines"} and done.stderr == ""
    for line in found["lines"]:
        assert set(line) == {"verdict", "account", "what", "evidence", "fix"}
        assert line["verdict"] in ("ok", "warn", "FAIL") and line["what"] and line["evidence"]
        assert (line["fix"] is None) == (line["verdict"] == "ok"), line
    counts = [sum(line["verdict"] == v for line in found["lines"]) for v in ("ok", "warn", "FAIL")]
    assert counts == [found["ok"], found["warn"], found["fail"]]
    assert done.returncode == (2 if counts[2] else 1 if counts[1] else 0) and found["verdict"] == VERDICTS[done.returncode]
    assert code is None or done.returncode == code, [line for line in found["lines"] if line["verdict"] != "ok"]
    return found["lines"]


def line(lines, what, verdict="FAIL"):
    found = [x for x in lines if x["what"] == what and x["verdict"] == verdict]
    assert found, [x for x in lines if x["what"] == what] or lines
    return found[0]


def write(home, url="https://mail.corp.test/EWS/Exchange.asmx", backend="ews", **keys):
    """A configuration by hand: what is wrong may be wrong from the beginning."""
    ports = [rig.free_port() for _ in range(2)]
    keys = {"email": EMAIL, "backend": backend, "url": url, "auth": "basic", "user": USER, "password-file": home.world.secret(),
            "local-password-file": home.world.secret("canary-local", "local"), "ca-file": home.world.authority.ca, **keys}
    text = f"[server]\nimap = {ports[0]}\nsmtp = {ports[1]}\ndav = 0\n\n[account \"corp\"]\n"
    text += "".join(f"{k} = {v}\n" for k, v in keys.items() if v)
    os.makedirs(os.path.dirname(home.config), exist_ok=True)
    with open(os.open(home.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


@pytest.fixture
def server(world):
    return corp(world)


# ---- health ----


def test_a_healthy_setup(home, server):
    assert home.setup(EMAIL, answers=["yes", USER, PASSWORD]).returncode == 0
    home.start()
    mark = server.mark()
    lines = examine(home, code=0)
    for what in ("configuration", "exbridge itself", "state directory", "certificate for mail programs", "local certification authority",
                 "IMAP port", "SMTP port", "state", "password for mail programs", "stored secret", "name", "connection", "TLS",
                 "server certificate", "EWS", "sign-in scheme", "clock", "ActiveSync (not used)", "autodiscover", "redirect over http",
                 "SRV record", "mail exchanger", "running account", "sign-in", "folders", "calendar", "size limit"):
        line(lines, what, "ok")
    assert "TLSv1.3" in line(lines, "TLS", "ok")["evidence"]
    asked = [e for e in server.log(mark) if e["authorization"]]
    assert asked and all(e["user"] == USER for e in asked)
    done = home.run("doctor", "corp")
    assert done.returncode == 0 and "ok    corp: sign-in (alice@corp.test, Exchange" in done.stdout
    assert "0 warn, 0 FAIL" in done.stdout
    assert home.run("doctor", "other").returncode == 66


def daemon(home):
    return json.loads(home.run("status", "--json").stdout)["accounts"][0]


def test_push_calendar_and_sizes_over_ews(home, server):
    """Without the program a stream of doctor's own is opened; with it, its evidence is told."""
    write(home)
    lines = examine(home, code=1)  # it is not running
    assert "a stream of events: accepted after" in line(lines, "push", "ok")["evidence"]
    assert "for up to 1740 s" in line(lines, "push", "ok")["evidence"]
    assert "not served: dav = 0" in line(lines, "calendar", "ok")["evidence"]
    assert "no limit" in line(lines, "mailbox size", "ok")["evidence"]
    assert [x for x in lines if x["what"] == "policy"] == []
    assert "up to 48.0 MB can be sent, which fits into one request" in line(lines, "size limit", "ok")["evidence"]
    server.options(max_send_kb=10240)
    assert "up to 10.0 MB can be sent, says the server" in line(examine(home), "size limit", "ok")["evidence"]
    server.options(send_quota_kb=1)
    assert " MB of 0 MB" in line(examine(home), "mailbox size", "warn")["evidence"]
    server.options(send_quota_kb=4 << 20)
    assert "of 4096 MB" in line(examine(home), "mailbox size", "ok")["evidence"]
    home.start()
    rig.poll(60, lambda: daemon(home).get("facts", {}).get("open"), lambda: daemon(home))
    mark = server.mark()
    found = line(examine(home, code=0), "push", "ok")["evidence"]
    assert "a stream of events: open for" in found and "seen by the running exbridge" in found
    assert not [e for e in server.log(mark) if e["op"] == "Subscribe"]


def test_push_that_does_not_work(home, server):
    server.fault(protocol="ews", op="Subscribe", do="soap_fault", code="ErrorInvalidSubscriptionRequest", times=0)
    write(home)
    found = line(examine(home, code=1), "push", "warn")
    assert "ErrorInvalidSubscriptionRequest" in found["evidence"] and "proxies and firewalls" in found["fix"]
    server.clear_faults()
    server.fault(protocol="ews", op="GetStreamingEvents", do="close_before", times=0)
    found = line(examine(home, code=1), "push", "warn")
    assert "tried now" in found["evidence"]


def test_over_activesync(home, server):
    server.options(eas_policy={"MaxEmailAgeFilter": "3", "MaxCalendarAgeFilter": "6"})
    assert home.setup(EMAIL, "--backend", "eas", answers=["yes", USER, PASSWORD]).returncode == 0
    home.other_ports()
    rules = "the server's rules are acknowledged: mail of the last week only, events of the last 3 months and later only"
    assert line(examine(home, code=1), "policy", "ok")["evidence"] == rules  # it does not run; setup was told
    home.start()
    rig.poll(60, lambda: daemon(home).get("facts", {}).get("policy") == rules, lambda: daemon(home))
    lines = examine(home, code=0)
    assert "ActiveSync 16.1" in line(lines, "sign-in", "ok")["evidence"]
    assert len(server.devices()) == 1
    assert line(lines, "policy", "ok")["evidence"] == rules + " (seen by the running exbridge)"
    assert "served by CalDAV" in line(lines, "calendar", "ok")["evidence"]
    rig.poll(60, lambda: daemon(home).get("facts", {}).get("open"), lambda: daemon(home))
    found = line(examine(home, code=0), "push", "ok")["evidence"]
    assert "Ping: open for" in found and "of 480 s" in found
    home.stop()
    server.options(eas_policy={})
    assert "not tried" in line(examine(home), "push", "ok")["evidence"]
    os.unlink(os.path.join(home.state, "accounts", "corp", "state.db"))
    assert "not known yet" in line(examine(home), "policy", "ok")["evidence"]  # signing in tells nothing of rules
    assert len(server.devices()) == 1


# ---- this machine ----


def test_configuration(home, world):
    lines = examine(home, code=2)
    assert "exbridge.conf" in line(lines, "configuration")["evidence"]
    write(home, backend="pop")
    assert ":" in line(examine(home, code=2), "configuration")["evidence"]


def test_files_and_ports(home, server):
    write(home, **{"local-password-file": "/nonexistent/local", "password-file": "/nonexistent/password"})
    os.makedirs(home.state, mode=0o755)
    os.chmod(home.state, 0o755)
    taken = socket.create_server(("127.0.0.1", home.port("imap")))
    lines = examine(home, code=2)
    taken.close()
    assert "chmod 700" in line(lines, "state directory")["fix"]
    assert "taken by another program" in line(lines, "IMAP port")["evidence"]
    line(lines, "password for mail programs")
    line(lines, "Exchange password")
    line(lines, "exbridge itself", "warn")
    line(lines, "sign-in")


def test_state_and_certificates(home, server):
    assert home.setup(EMAIL, answers=["yes", USER, PASSWORD]).returncode == 0
    home.start()
    home.stop()
    account = os.path.join(home.state, "accounts", "corp")
    for name in os.listdir(account):
        if name.startswith("state.db-"):
            os.unlink(os.path.join(account, name))
    with open(os.path.join(account, "state.db"), "r+b") as file:
        file.seek(1000)
        file.write(b"\xff" * 20000)
    for name in ("localhost", "ca"):
        pem = home.world.authority.make([name], 0, True)[0]
        shutil.copyfile(pem, os.path.join(home.state, "certs", f"{name}.pem"))
    shutil.rmtree(os.path.join(home.state, "secrets"))
    os.unlink(os.path.join(account, "passwords"))
    lines = examine(home, code=2)
    assert "damaged" in line(lines, "state")["evidence"]
    assert "ended" in line(lines, "certificate for mail programs")["evidence"]
    assert "ended" in line(lines, "local certification authority")["evidence"]
    assert "exbridge login corp" in line(lines, "stored secret")["fix"]
    assert "exbridge password corp --new" in line(lines, "password for mail programs")["fix"]


def test_a_port_of_a_running_program_that_somebody_else_has(home, server):
    assert home.setup(EMAIL, answers=["yes", USER, PASSWORD]).returncode == 0
    home.start()
    with open(home.config) as file:
        text = file.read()
    other = socket.create_server(("127.0.0.1", 0))
    changed = text.replace(f"imap    = {home.port('imap')}", f"imap    = {other.getsockname()[1]}")
    with open(home.config, "w") as file:  # as if the port had been changed without a reload
        file.write(changed)
    evidence = line(examine(home, code=2), "IMAP port")["evidence"]
    assert "no TLS" in evidence
    other.close()
    with open(home.config, "w") as file:
        file.write(text)


# ---- the way ----


def test_no_such_name(home, server):
    write(home, "https://nowhere.test/EWS/Exchange.asmx")
    lines = examine(home, code=2)
    assert "nowhere.test has no address" in line(lines, "name")["evidence"]
    assert not [x for x in lines if x["what"] == "sign-in"] and credentials(server) == []


def test_no_connection(home, world, server):
    world.refused("closed.corp.test")
    write(home, "https://closed.corp.test/EWS/Exchange.asmx")
    assert "port 443" in line(examine(home, code=2), "connection")["evidence"]


def test_old_tls_is_named(home, world, server):
    world.old_tls("old.corp.test", ssl.TLSVersion.TLSv1_1)
    write(home, "https://old.corp.test/EWS/Exchange.asmx")
    found = line(examine(home, code=2), "TLS")
    assert "nothing newer than TLSv1.1" in found["evidence"] and "tls-min" in found["fix"]


def test_no_tls(home, world, server):
    world.port("smtp.corp.test", lambda s: s.sendall(b"220 hello\r\n"))
    write(home, "https://smtp.corp.test/EWS/Exchange.asmx")
    assert "no TLS" in line(examine(home, code=2), "TLS")["evidence"]


@pytest.mark.parametrize("how, words", [("expired", "expired"), ("name", "another name"), ("authority", "issued by")])
def test_certificates_of_the_server(home, world, server, how, words):
    authority = rig.Authority(os.path.join(world.directory, "other"), "Somebody") if how == "authority" else world.authority
    pair = authority.certificate(["wrong.test" if how == "name" else "bad.corp.test"], expired=how == "expired")
    bad = world.exchange(hosts=["bad.corp.test"], certificate=pair, auth_schemes=BASIC)
    write(home, "https://bad.corp.test/EWS/Exchange.asmx")
    lines = examine(home, code=2)
    found = line(lines, "server certificate")
    assert words in found["evidence"] and ("clock" in found["fix"]) == (how == "expired")
    assert bad.log() == []


def test_a_certificate_that_ends_soon(home, world, server):
    world.exchange(hosts=["soon.corp.test"], certificate=world.authority.certificate(["soon.corp.test"], days=5), auth_schemes=BASIC)
    write(home, "https://soon.corp.test/EWS/Exchange.asmx")
    line(examine(home, code=1), "server certificate", "warn")


def test_endpoint_and_schemes(home, server):
    write(home, "https://mail.corp.test/EWS/nothing")
    assert "404" in line(examine(home, code=2), "EWS")["evidence"]
    write(home, auth="ntlm")
    found = line(examine(home, code=2), "sign-in scheme")
    assert "the server offers Basic" in found["evidence"]


def test_autodiscover_candidates(home, world):
    world.exchange(hosts=["mail.corp.test"], auth_schemes=BASIC)
    world.exchange(hosts=["autodiscover.corp.test"], certificate=world.authority.certificate(["wrong.test"]), auth_schemes=BASIC)
    world.plain("autodiscover.corp.test", {"do": "location", "to": "http://evil.test/"})
    world.dns({("_autodiscover._tcp.corp.test", "SRV"): [(0, 0, 8443, "mail.corp.test")]})
    write(home)
    lines = examine(home, code=1)
    assert "alternative" in line(lines, "autodiscover", "warn")["evidence"] or "subject" in line(lines, "autodiscover", "warn")["evidence"]
    assert "http://evil.test/" in line(lines, "redirect over http", "warn")["evidence"]
    assert "port 8443" in line(lines, "SRV record", "warn")["evidence"]


def test_exchange_online_over_ews(home, world):
    world.exchange(hosts=["outlook.office365.com"], auth_schemes=BASIC)
    world.dns({("corp.test", "MX"): [(0, "corp-test.mail.protection.outlook.com")]})
    write(home, "https://outlook.office365.com/EWS/Exchange.asmx")
    assert "2027-04-01" in line(examine(home), "Exchange Online", "warn")["evidence"]


# ---- the sign-in ----


def test_a_refused_password_is_tried_once(home, world, server):
    write(home, **{"password-file": world.secret("canary-wrong", "wrong")})
    found = line(examine(home, code=2), "sign-in")
    assert "exbridge login corp" in found["fix"]
    assert len(credentials(server)) == 1


def test_what_the_running_program_was_refused_with_is_not_sent_again(home, world, server):
    write(home, **{"password-file": world.secret("canary-wrong", "wrong")})
    home.start()
    rig.poll(60, lambda: json.loads(home.run("status", "--json").stdout)["accounts"][0]["state"] == "needs-login")
    mark = server.mark()
    lines = examine(home, code=2)
    assert "needs-login" in line(lines, "running account")["evidence"]
    line(lines, "sign-in", "warn")
    assert credentials(server, mark) == []


def test_ews_closed_for_the_user(home, server):
    server.fault(protocol="ews", op="GetFolder", do="status", status=403, times=0)
    write(home)
    found = line(examine(home, code=2), "sign-in")
    assert "HTTP 403: EWS is closed to this mailbox or program (EwsEnabled, EwsApplicationAccessPolicy)" in found["evidence"]
    assert f"Set-CASMailbox {EMAIL} -EwsEnabled $true" in found["fix"] and f"exbridge setup --backend eas {EMAIL}" in found["fix"]


@pytest.mark.parametrize("fault, evidence, fix", [
    ({"do": "status", "status": 403, "headers": {"X-MS-ASThrottle": "DeviceRule"}}, "(X-MS-ASThrottle: DeviceRule)", "-ActiveSyncEnabled $true"),
    ({"do": "status", "status": 403}, "ActiveSync is closed to this user or device", "-ActiveSyncAllowedDeviceIDs @{add='"),
])
def test_activesync_closed(home, server, fault, evidence, fix):
    """Which device the administrator has to let in is told: the one that the running program is."""
    assert home.setup(EMAIL, "--backend", "eas", answers=["yes", USER, PASSWORD]).returncode == 0
    home.start()
    rig.poll(60, lambda: daemon(home)["state"] == "online", lambda: daemon(home))
    home.stop()
    server.fault(protocol="eas", op="OPTIONS", times=0, **fault)
    found = line(examine(home, code=2), "sign-in")
    (device,) = server.devices()
    assert evidence in found["evidence"] and f"(DeviceId: {device['id']})" in found["evidence"]
    assert fix in found["fix"] and f"@{{add='{device['id']}'}}" in found["fix"] and EMAIL in found["fix"]


def test_passthrough_has_nothing_to_try(home, server):
    write(home, **{"local-auth": "passthrough", "password-file": None, "local-password-file": None})
    assert "mail program" in line(examine(home), "sign-in", "ok")["evidence"]
    assert credentials(server) == []


def test_a_proxy_of_the_environment(home, server):
    """What goes through it is not looked at step by step; what it does not stand for is."""
    write(home)
    proxy = "http://name:of-the-proxy@127.0.0.1:9"
    found = line(examine(home, https_proxy=proxy, no_proxy="other.test, notcorp.test"), "way", "ok")["evidence"]
    assert "https_proxy" in found and "of-the-proxy" not in found
    for names in ("corp.test", "x.test, .corp.test", "mail.corp.test", "*"):
        lines = examine(home, https_proxy=proxy, no_proxy=names)
        assert not [x for x in lines if x["what"] == "way"] and line(lines, "connection", "ok") and line(lines, "sign-in", "ok"), names


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a read-only disk")
def test_a_disk_that_cannot_be_written_to(world, home, server):
    """With the directories on it, and without: exbridge could not make them."""
    write(home)
    for made in (False, True):
        for path in (home.state, home.cache):
            os.makedirs(path if made else os.path.dirname(path), mode=0o700, exist_ok=True)
        script = f"mount --bind {home.directory} {home.directory} && mount -o remount,bind,ro {home.directory} && exec {rig.program()} doctor --json"
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, env=home.environment(), timeout=120)
        lines = json.loads(done.stdout)["lines"]
        for what in ("state directory", "cache directory"):
            found = line(lines, what)
            assert "Read-only file system" in found["evidence"] and ("cannot be made" in found["evidence"]) != made, found


@pytest.mark.parametrize("key", ["ca-file", "client-cert"])
def test_a_file_that_is_not_there(home, server, key):
    write(home, **{key: "/nonexistent/x.pem"})
    found = line(examine(home, code=2), key)
    assert found["evidence"] == "/nonexistent/x.pem: No such file or directory" and f"correct {key}" in found["fix"]


def test_a_password_command_that_fails(home, server):
    write(home, **{"password-file": None, "password-command": "exit 3"})
    found = line(examine(home, code=2), "sign-in")
    assert "exit status 3" in found["evidence"] and found["fix"] == "try the command by hand: exit 3"
