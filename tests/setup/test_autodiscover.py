# SPDX-License-Identifier: Apache-2.0
"""Autodiscover against the stand-in's hosts, in every variant; who got credentials, and who did not."""
import json
import os
import ssl
import subprocess

import pytest
import rig
from rig import EMAIL, PASSWORD, USER, credentials

DRIVER = os.path.join(rig.BUILD, "tests", "autodiscover_driver")
POX, PLAIN, JSON, EWS, EAS, SRV, MX = range(7)
(PENDING, ASKS, ANSWERS, LEADS, BAD_LEAD, OTHER_ADDRESS, NOTHING, FORBIDDEN, NOT_EXCHANGE, BUSY, NO_NAME, NO_CONNECTION, TIMEOUT,
 NO_TLS, BAD_CERTIFICATE, LEFT) = range(16)
NEVER, ASK_FIRST, MICROSOFT, OWN, CONFIRMED = range(5)
XML = "/autodiscover/autodiscover.xml"
SRV_NAME = "_autodiscover._tcp.corp.test"


def drive(world, *args):
    done = subprocess.run([DRIVER, *args, "--ca-file", world.authority.ca], env=world.environment(), capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return json.loads(done.stdout)


def look(world, *args, email=EMAIL):
    found = drive(world, "look", email, *args)
    found["by_name"] = {c["name"]: c for c in found["candidates"]}
    found["best_name"] = found["candidates"][found["best"]]["name"] if found["best"] >= 0 else None
    return found


def ask(world, url, *args, email=EMAIL, user=USER, password=PASSWORD):
    return drive(world, "ask", email, url, user, world.secret(password), *args)


# ---- looking ----


def test_own_autodiscover_host(world):
    corp = world.exchange(hosts=["autodiscover.corp.test", "mail.corp.test"])
    world.dns()
    found = look(world, "--everything")
    assert found["best_name"] == f"https://autodiscover.corp.test{XML}"
    best = found["by_name"][found["best_name"]]
    assert best["verdict"] == ASKS and best["trust"] == OWN and best["status"] == 401 and best["schemes"] == 7 and best["frontend"]
    assert found["by_name"][f"https://corp.test{XML}"]["verdict"] == NO_NAME
    assert found["by_name"][f"http://autodiscover.corp.test{XML}"]["verdict"] == NO_CONNECTION
    assert found["by_name"][SRV_NAME]["verdict"] == NOTHING
    assert found["cloud"] is None
    assert credentials(corp) == []


def test_the_domain_itself_comes_first(world):
    world.exchange(hosts=["corp.test", "autodiscover.corp.test"])
    world.dns()
    assert look(world)["best_name"] == f"https://corp.test{XML}"


def test_no_label_is_ever_taken_off(world):
    above = world.exchange(hosts=["corp.test", "autodiscover.corp.test", "test", "autodiscover.test"])
    dns = world.dns()
    found = look(world, "--everything", email="alice@sales.corp.test")
    assert found["best"] == -1
    assert above.log() == []
    assert {name for name, _ in dns.asked} <= {"_autodiscover._tcp.sales.corp.test", "sales.corp.test"}


def test_redirect_over_http_is_a_hint_to_be_confirmed(world):
    hoster = world.exchange(hosts=["mail.hoster.test"])
    plain = world.plain("autodiscover.corp.test", {"do": "location", "to": f"https://mail.hoster.test{XML}"})
    world.dns()
    found = look(world)
    assert found["best_name"] == f"https://mail.hoster.test{XML}"
    assert found["by_name"][found["best_name"]]["trust"] == ASK_FIRST
    assert credentials(plain) == [] and credentials(hoster) == []
    assert [e["op"] for e in plain.log()] == ["GET"]
    found = look(world, "--confirmed", "mail.hoster.test")
    assert found["by_name"][found["best_name"]]["trust"] == CONFIRMED


@pytest.mark.parametrize("to", ["http://mail.corp.test/", "ftp://mail.corp.test/", "https://corp.test@evil.test/", "//evil.test/", ""])
def test_redirects_nobody_follows(world, to):
    evil = world.exchange(hosts=["evil.test", "mail.corp.test"])
    world.plain("autodiscover.corp.test", {"do": "location", "to": to})
    world.dns()
    found = look(world, "--everything")
    assert found["by_name"][f"http://autodiscover.corp.test{XML}"]["verdict"] == BAD_LEAD
    assert [e for e in evil.log() if "autodiscover" in e["path"]] == []


def test_redirects_in_a_circle_end(world):
    hosts = {f"a{i}.corp.test": {"do": "location", "to": f"https://a{(i + 1) % 3}.corp.test{XML}"} for i in range(3)}
    hosts["autodiscover.corp.test"] = {"do": "location", "to": f"https://a0.corp.test{XML}"}
    corp = world.exchange(hosts=list(hosts), autodiscover_hosts=hosts)
    world.dns()
    found = look(world, "--everything")
    assert found["best"] == -1
    assert len([e for e in corp.log() if "autodiscover" in e["path"]]) == 4  # each once


def test_an_endless_chain_of_redirects_ends(world):
    hosts = {f"a{i}.corp.test": {"do": "location", "to": f"https://a{i + 1}.corp.test{XML}"} for i in range(30)}
    hosts["autodiscover.corp.test"] = {"do": "location", "to": f"https://a0.corp.test{XML}"}
    corp = world.exchange(hosts=list(hosts), autodiscover_hosts=hosts)
    world.dns()
    found = look(world, "--everything")
    assert found["best"] == -1
    assert len([e for e in corp.log() if "autodiscover" in e["path"]]) == 11


def test_srv(world):
    corp = world.exchange(hosts=["mail.corp.test"])
    world.dns({(SRV_NAME, "SRV"): [(10, 0, 443, "backup.corp.test"), (0, 0, 443, "mail.corp.test")]})
    found = look(world)
    assert found["best_name"] == f"https://mail.corp.test{XML}"
    assert found["by_name"][SRV_NAME]["lead"] == f"https://mail.corp.test{XML}"
    assert found["by_name"][found["best_name"]]["trust"] == OWN
    assert credentials(corp) == []


@pytest.mark.parametrize("record, verdict", [((0, 0, 80, "mail.corp.test"), BAD_LEAD), ((0, 0, 0, ""), BAD_LEAD),
                                             ((0, 0, 443, "evil.test"), LEADS)])
def test_srv_that_is_no_good(world, record, verdict):
    world.exchange(hosts=["mail.corp.test", "evil.test"], autodiscover_hosts={"mail.corp.test": {"do": "status", "status": 404}})
    world.dns({(SRV_NAME, "SRV"): [record]})
    found = look(world, "--everything")
    assert found["by_name"][SRV_NAME]["verdict"] == verdict
    if verdict == LEADS:  # a foreign host: to be confirmed
        assert found["by_name"][f"https://evil.test{XML}"]["trust"] == ASK_FIRST


@pytest.mark.parametrize("mode, verdict", [("silent", TIMEOUT), ("servfail", TIMEOUT), ("garbage", TIMEOUT), ("loop", TIMEOUT),
                                           ("cut", TIMEOUT), ("truncated", TIMEOUT), ("stray", LEADS)])
def test_name_servers_that_lie(world, mode, verdict):
    world.exchange(hosts=["mail.corp.test", "evil.test"])
    dns = world.dns({(SRV_NAME, "SRV"): [(0, 0, 443, "mail.corp.test")]}, mode)
    found = look(world, "--everything")
    assert found["by_name"][SRV_NAME]["verdict"] == verdict
    assert f"https://evil.test{XML}" not in found["by_name"]
    assert len(dns.asked) <= 2 * 2 * 3  # two questions, twice, of at most three servers


def test_certificates(world):
    other = rig.Authority(os.path.join(world.directory, "other-ca"), "Somebody")
    world.exchange(hosts=["corp.test"], certificate=world.authority.certificate(["www.corp.test"]))
    world.exchange(hosts=["autodiscover.corp.test"], certificate=other.certificate(["autodiscover.corp.test"]))
    world.exchange(hosts=["mail.corp.test"], certificate=world.authority.certificate(["mail.corp.test"], expired=True))
    world.dns({(SRV_NAME, "SRV"): [(0, 0, 443, "mail.corp.test")]})
    found = look(world)
    for host in ("corp.test", "autodiscover.corp.test", "mail.corp.test"):
        assert found["by_name"][f"https://{host}{XML}"]["verdict"] == BAD_CERTIFICATE, host
        assert found["by_name"][f"https://{host}{XML}"]["text"]
    assert found["best"] == -1


def test_what_is_no_exchange(world):
    world.exchange(hosts=["corp.test", "autodiscover.corp.test"],
                   autodiscover_hosts={"corp.test": {"do": "html"}, "autodiscover.corp.test": {"do": "imap"}})
    world.dns()
    found = look(world)
    assert [found["by_name"][f"https://{h}corp.test{XML}"]["verdict"] for h in ("", "autodiscover.")] == [NOT_EXCHANGE, NOT_EXCHANGE]
    assert found["best"] == -1
    # ... but its endpoints were found directly, as for servers without autodiscover
    assert found["candidates"][found["best_ews"]]["name"] == "https://corp.test/EWS/Exchange.asmx"
    assert found["candidates"][found["best_eas"]]["name"] == "https://corp.test/Microsoft-Server-ActiveSync"


def test_not_even_tls(world):
    world.old_tls("corp.test", ssl.TLSVersion.TLSv1)
    world.port("autodiscover.corp.test", lambda s: s.sendall(b"220 mail.corp.test ESMTP\r\n"))
    world.dns()
    found = look(world)
    assert found["by_name"][f"https://corp.test{XML}"]["verdict"] == NO_TLS
    assert found["by_name"][f"https://autodiscover.corp.test{XML}"]["verdict"] == NO_TLS


def test_a_host_named_by_the_user(world):
    corp = world.exchange(hosts=["autodiscover.corp.test"])
    gate = world.exchange(hosts=["gate.elsewhere.test"])
    dns = world.dns()
    found = look(world, "--host", "gate.elsewhere.test", "--confirmed", "gate.elsewhere.test")
    assert found["best_name"] == f"https://gate.elsewhere.test{XML}"
    assert found["best_ews"] >= 0 and found["best_eas"] >= 0
    assert corp.log() == [] and dns.asked == [] and credentials(gate) == []


def test_exchange_online_by_redirect(world):
    cloud = world.exchange(hosts=["outlook.office365.com", "autodiscover-s.outlook.com"], autodiscover_mail="outlook.office365.com")
    world.plain("autodiscover.corp.test", {"do": "location", "to": f"https://autodiscover-s.outlook.com{XML}"})
    world.dns()
    found = look(world)
    assert found["cloud"] == "Exchange Online" and found["best"] == -1
    assert found["cloud_eas"] == "https://outlook.office365.com/Microsoft-Server-ActiveSync"
    assert found["cloud_ews"] == "https://outlook.office365.com/EWS/Exchange.asmx"
    assert [e["op"] for e in cloud.log()] == ["Json", "Json"]


def test_exchange_online_by_mx(world):
    world.exchange(hosts=["outlook.office365.com"])
    world.dns({("corp.test", "MX"): [(0, "corp-test.mail.protection.outlook.com")]})
    found = look(world)
    assert found["cloud"] == "Exchange Online" and found["cloud_eas"]


def test_mail_filtered_by_microsoft_and_kept_at_home(world):
    cloud = world.exchange(hosts=["outlook.office365.com"])
    world.exchange(hosts=["autodiscover.corp.test"])
    world.dns({("corp.test", "MX"): [(0, "corp-test.mail.protection.outlook.com")]})
    found = look(world, "--everything")
    assert found["cloud"] is None and found["best_name"] == f"https://autodiscover.corp.test{XML}"
    assert cloud.log() == []  # nobody told Microsoft who asks


def test_nobody_there(world):
    world.dns()
    found = look(world)
    assert found["best"] == found["best_ews"] == found["best_eas"] == -1 and found["cloud"] is None


@pytest.mark.parametrize("email", ["alice", "alice@", "alice@com", "@corp.test"])
def test_no_address(world, email):
    world.dns()
    assert look(world, email=email)["candidates"] == []


# ---- asking ----


def test_both_schemas(world):
    corp = world.exchange(hosts=["autodiscover.corp.test"], autodiscover_mail="mail.corp.test",
                          autodiscover_internal="inside.corp.test", autodiscover_mailboxes=[["Delegate", "team@corp.test"]])
    found = ask(world, f"https://autodiscover.corp.test{XML}")
    assert found["outcome"] == "found" and found["accepted"]
    assert found["ews"] == "https://mail.corp.test/EWS/Exchange.asmx"
    assert found["eas"] == "https://mail.corp.test/Microsoft-Server-ActiveSync"
    assert found["address"] == EMAIL and found["mailboxes"] == ["team@corp.test"]
    assert [e["detail"]["schema"] for e in corp.log()] == ["outlook", "mobile"]


def test_one_schema_is_enough(world):
    world.exchange(hosts=["corp.test"], autodiscover_eas=False)
    found = ask(world, f"https://corp.test{XML}")
    assert found["outcome"] == "found" and found["ews"] and found["eas"] is None and found["err"] == "none"


def test_soap_where_pox_is_not(world):
    """Exchange 2010 and later have the same answer in SOAP, beside the one that somebody has closed."""
    corp = world.exchange(hosts=["corp.test"], autodiscover_mail="mail.corp.test", autodiscover_pox=False)
    found = ask(world, f"https://corp.test{XML}")
    assert found["outcome"] == "found" and found["ews"] == "https://mail.corp.test/EWS/Exchange.asmx" and found["eas"] is None
    assert found["address"] == EMAIL and found["err"] == "none"
    assert [e["detail"]["schema"] for e in corp.log()] == ["outlook", "mobile", "soap"]
    found = ask(world, f"https://corp.test{XML}", email="bob@corp.test")
    assert found["outcome"] == "failed" and "404" in found["text"]  # what POX said
    corp.options(autodiscover_soap=False)
    assert ask(world, f"https://corp.test{XML}")["outcome"] == "failed"


def test_soap_gives_what_pox_left_out(world):
    """A server that tells phones where to go, and Outlook nothing: the internal address is better than none."""
    corp = world.exchange(hosts=["corp.test"], autodiscover_internal="inside.corp.test", autodiscover_sections=["EXCH"])
    corp.fault(protocol="autodiscover", where={"schema": "outlook"}, do="status", status=500, times=0)
    found = ask(world, f"https://corp.test{XML}")
    assert found["ews"] == "https://inside.corp.test/EWS/Exchange.asmx" and found["eas"]
    corp.options(autodiscover_sections=[])
    found = ask(world, f"https://corp.test{XML}")
    assert found["outcome"] == "found" and found["ews"] is None and found["eas"]


@pytest.mark.parametrize("do, to, outcome, next", [
    ("redirect_url", f"https://evil.test{XML}", "confirm", "https://evil.test/autodiscover/autodiscover.svc"),
    ("redirect_url", "https://evil.test/login", "failed", None),
    ("redirect_addr", "alice@new.test", "address", "alice@new.test")])
def test_redirects_of_soap(world, do, to, outcome, next):
    evil = world.exchange(hosts=["evil.test"])
    corp = world.exchange(hosts=["corp.test"], autodiscover_pox=False, autodiscover_hosts={"corp.test": {"do": do, "to": to}})
    found = ask(world, f"https://corp.test{XML}")
    assert (found["outcome"], found["next"]) == (outcome, next)
    assert evil.log() == [] and len(credentials(corp)) == 3


def test_a_refused_password_is_sent_once(world):
    corp = world.exchange(hosts=["corp.test"])
    found = ask(world, f"https://corp.test{XML}", password="canary-wrong")
    assert found["outcome"] == "failed" and found["err"] == "auth" and "Basic" in found["text"]
    assert len(credentials(corp)) == 1


def test_no_such_mailbox(world):
    world.exchange(hosts=["corp.test"])
    found = ask(world, f"https://corp.test{XML}", email="bob@corp.test")
    assert found["outcome"] == "failed" and found["err"] == "not-found" and "500" in found["text"]


@pytest.mark.parametrize("do", ["redirect_url", "location", "signed_location"])
def test_an_attackers_redirect_gets_nothing(world, do):
    corp = world.exchange(hosts=["corp.test"], autodiscover_hosts={"corp.test": {"do": do, "to": f"https://evil.test{XML}"}})
    evil = world.exchange(hosts=["evil.test"])
    found = ask(world, f"https://corp.test{XML}")
    assert found["outcome"] == "confirm" and found["next"] == f"https://evil.test{XML}"
    assert evil.log() == []
    assert len(credentials(corp)) == 1
    # the user has said yes: it was his company's after all
    found = ask(world, f"https://corp.test{XML}", "--confirmed", "evil.test")
    assert found["outcome"] == "found" and len(credentials(evil)) >= 1


@pytest.mark.parametrize("do", ["redirect_url", "location", "signed_location"])
def test_a_redirect_within_the_domain_is_followed(world, do):
    world.exchange(hosts=["corp.test", "x.corp.test"], autodiscover_hosts={"corp.test": {"do": do, "to": f"https://x.corp.test{XML}"}})
    found = ask(world, f"https://corp.test{XML}")
    assert found["outcome"] == "found" and found["ews"] == "https://x.corp.test/EWS/Exchange.asmx"


@pytest.mark.parametrize("do", ["redirect_url", "location"])
@pytest.mark.parametrize("to", ["http://x.corp.test/", "https://corp.test@evil.test/"])
def test_redirects_that_end_it(world, do, to):
    other = world.exchange(hosts=["x.corp.test", "evil.test"])
    world.exchange(hosts=["corp.test"], autodiscover_hosts={"corp.test": {"do": do, "to": to}})
    found = ask(world, f"https://corp.test{XML}")
    assert found["outcome"] == "failed" and "not https" in found["text"]
    assert other.log() == []


def test_circles_end_here_too(world):
    hosts = {f"a{i}.corp.test": {"do": "redirect_url", "to": f"https://a{1 - i}.corp.test{XML}"} for i in range(2)}
    corp = world.exchange(hosts=list(hosts), autodiscover_hosts=hosts)
    found = ask(world, f"https://a0.corp.test{XML}")
    assert found["outcome"] == "failed" and "circles" in found["text"]
    assert len(corp.log()) <= 12


def test_another_address(world):
    world.exchange(hosts=["corp.test"], autodiscover_hosts={"corp.test": {"do": "redirect_addr", "to": "alice@new.test"}})
    found = ask(world, f"https://corp.test{XML}")
    assert found["outcome"] == "address" and found["next"] == "alice@new.test"


@pytest.mark.parametrize("url", ["http://corp.test/x", "https://evil.test/x", "https://corp.test:8443/x",
                                 "https://outlook.office365.com/autodiscover/autodiscover.xml"])
def test_the_first_url_must_be_trusted_too(world, url):
    evil = world.exchange(hosts=["evil.test", "outlook.office365.com"])
    found = ask(world, url)
    assert found["outcome"] == "failed" and found["err"] == "invalid"
    assert evil.log() == []


def test_a_certificate_that_is_not_trusted_gets_no_password(world):
    other = rig.Authority(os.path.join(world.directory, "other-ca"))
    corp = world.exchange(hosts=["corp.test"], certificate=other.certificate(["corp.test"]))
    found = ask(world, f"https://corp.test{XML}")
    assert found["outcome"] == "failed" and "certificate" in found["text"]
    assert corp.log() == []
