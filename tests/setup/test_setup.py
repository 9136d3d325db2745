# SPDX-License-Identifier: Apache-2.0
"""exbridge setup, answered from a pipe: every way from an address to an account, and every way in which it ends early."""
import os
import re
import stat
import subprocess

import pytest
import rig
from rig import EMAIL, PASSWORD, USER, credentials
from screen import Screen

XML = "/autodiscover/autodiscover.xml"
BASIC = ['Basic realm="x"']
WRONG = "canary-wrong-1"


def corp(world, *args, hosts=("autodiscover.corp.test", "mail.corp.test"), **options):
    options = {"auth_schemes": BASIC, "autodiscover_mail": "mail.corp.test", **options}
    server = world.exchange("--corpus", "5", *args, hosts=list(hosts), **options)
    world.dns()
    return server


def sane(home):
    """What setup wrote is private, complete and right, and no secret lies about."""
    assert stat.S_IMODE(os.stat(home.config).st_mode) == 0o600
    assert [n for n in os.listdir(os.path.dirname(home.config)) if ".new-" in n] == []
    done = home.run("check-config")
    assert done.returncode == 0, done.stderr
    for top, _, names in os.walk(home.directory):
        for name in names:
            path = os.path.join(top, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:
                    assert PASSWORD.encode() not in file.read(), path


def nothing_written(home):
    assert not os.path.exists(home.config)
    assert not os.path.exists(os.path.join(home.state, "accounts"))
    assert not os.path.exists(os.path.join(home.state, "secrets"))


def questions(done):
    """How many different questions were asked."""
    kinds = ("E-mail address", "May .* get|Name of the server", "leads to .*too", "User name|client. id", "Password of", "under these rules")
    return sum(bool(re.search(kind, done.stderr)) for kind in kinds)


# ---- the straight way ----


def test_from_address_to_mail(world, home):
    server = corp(world)
    done = home.setup(answers=[EMAIL, "yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "autodiscover.corp.test" in done.stderr and "asks who we are (Basic)" in done.stderr
    assert "May autodiscover.corp.test get your password?" in done.stderr
    assert "EWS at mail.corp.test: EWS tells more" in done.stderr
    assert "Signed in as alice@corp.test: Exchange 15.1" in done.stderr
    assert questions(done) <= 6
    sane(home)
    text = home.text()
    assert '[account "corp"]' in text and "backend = ews" in text and "url     = https://mail.corp.test/EWS/Exchange.asmx" in text
    home.start()
    assert home.imap(EMAIL, rig.password_of(done.stdout)) == 5
    assert home.imap("corp", rig.password_of(done.stdout)) == 5
    assert {e["user"] for e in credentials(server)} == {USER}


def test_without_questions(world, home):
    corp(world)
    done = home.setup(EMAIL, "--yes", "--user", USER, "--password-file", world.secret())
    assert done.returncode == 0, done.stderr
    assert questions(done) == 0
    assert "password-file" in home.text() and "secret-store" not in home.text()
    home.start()
    assert home.imap(EMAIL, rig.password_of(done.stdout)) == 5


def test_a_password_command(world, home):
    corp(world)
    done = home.setup(EMAIL, "--yes", "--user", USER, "--password-command", f"cat {world.secret()}")
    assert done.returncode == 0, done.stderr
    assert f"password-command = cat {world.secret()}" in home.text()


def test_passthrough(world, home):
    corp(world)
    done = home.setup(EMAIL, "--passthrough", answers=["yes", EMAIL, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "local-auth = passthrough" in home.text() and "the one for Exchange" in done.stdout
    sane(home)
    home.start()
    assert home.imap(EMAIL, PASSWORD) == 5


def profile(home):
    """A profile of Thunderbird's, and what certutil says it trusts."""
    path = os.path.join(home.directory, ".thunderbird", "x.default")
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "prefs.js"), "w") as file:
        file.write("")
    return lambda: subprocess.run(["certutil", "-L", "-d", "sql:" + path], capture_output=True, text=True).stdout


@pytest.mark.parametrize("answer, flags, trusted", [
    ("", [], True), ("yes", [], True), ("no", [], False), (None, [], False),
    (None, ["--yes"], False), (None, ["--yes", "--trust"], True)])
def test_trust_is_offered(world, home, answer, flags, trusted):
    corp(world)
    trusts = profile(home)
    secret = ["--user", USER, "--password-file", world.secret()]
    answers = [] if "--yes" in flags else ["yes"] + ([answer] if answer is not None else [])
    done = home.setup(EMAIL, *flags, *secret, answers=answers)
    assert done.returncode == 0, done.stderr
    assert ("Have Thunderbird and Firefox trust" in done.stderr) == ("--yes" not in flags)
    assert ("trusts it now" in done.stdout) == trusted and ("exbridge" in trusts()) == trusted
    assert "exbridge trust" in done.stderr or trusted or answer is None
    assert "client-settings PROGRAM corp; PROGRAM is one of thunderbird, mutt" in done.stdout
    sane(home)


def test_trust_and_a_primary_password(world, home):
    """Nobody enters it: the authority is in the profile then, and not trusted; that is no success, now and later."""
    corp(world)
    assert home.setup(EMAIL, "--yes", "--user", USER, "--password-file", world.secret()).returncode == 0
    path = os.path.join(home.directory, "profile")
    os.makedirs(path)
    with open(os.path.join(home.directory, "primary"), "w") as file:
        file.write("primary password\n")
    subprocess.run(["certutil", "-N", "-d", "sql:" + path, "-f", file.name], check=True)
    command = [rig.program(), "trust", "--profile", path]
    for _ in range(2):  # without a terminal to ask on
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=home.environment(),
                              start_new_session=True, timeout=60)
        assert done.returncode == 74 and "has a primary password" in done.stderr and done.stdout == "", done
    shell = f"{' '.join(command)}; echo status $?; read end"
    env = {k: v for k, v in home.environment().items() if os.environ.get(k) != v and k not in ("LC_ALL", "HOME", "SHELL")}
    with Screen(home.directory, ["/bin/sh", "-c", shell], env) as screen:
        screen.wait("Enter Password or Pin")
        screen.type("primary password")
        screen.keys("Enter")
        assert re.search("^status 0$", screen.wait(r"^status \d+$"), re.M)
    assert "trusts it already" in home.run("trust", "--profile", path).stdout


def test_trust_without_a_program(world, home):
    corp(world)
    done = home.setup(EMAIL, "--yes", "--trust", "--user", USER, "--password-file", world.secret())
    assert done.returncode == 0 and "after its first start: exbridge trust" in done.stderr


# ---- what can be entered wrongly ----


def test_wrong_answers_are_explained(world, home):
    server = corp(world)
    answers = ["", "alice", EMAIL, "yes", USER, "", WRONG, USER, WRONG, PASSWORD]
    done = home.setup(answers=answers)
    assert done.returncode == 0, done.stderr
    for text in ['"" has no \'@\'', '"alice" has no \'@\'', "Nothing was entered",
                 "the server refused the name and password (it offers Basic)", "It is not sent again"]:
        assert text in done.stderr, text
    refused = [e for e in credentials(server) if not e["user"]]
    assert len(refused) == 1  # the wrong one went out once, although it was entered twice
    assert questions(done) <= 6


def test_a_domain_with_other_letters(world, home):
    """The address as people write it; name server, certificates, Exchange and the file get what the DNS has."""
    domain = "xn--bcher-kva.test"
    world.exchange("--corpus", "5", hosts=[f"autodiscover.{domain}", f"mail.{domain}"], email=f"alice@{domain}",
                   auth_schemes=BASIC, autodiscover_mail=f"mail.{domain}")
    world.dns()
    done = home.setup(answers=["alice@B\u00fccher.test", "yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert f"in the DNS that is alice@{domain}" in done.stderr
    assert f"email   = alice@{domain}" in home.text() and f"https://mail.{domain}/EWS" in home.text()
    done = home.run("setup", f"bob@{domain}", "--host", "mail.b\u00fccher.test", "--ca-file", world.authority.ca, answers=["bob", "x"])
    assert f"in the DNS that is mail.{domain}" in done.stderr


def test_a_host_that_cannot_be_reached(world, home):
    """Named by the user, and down: that is said, and another one can be named."""
    corp(world, hosts=("mail.corp.test",))
    world.refused("down.corp.test")
    done = home.setup(EMAIL, "--host", "down.corp.test", answers=["mail.corp.test", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "down.corp.test does not answer as an Exchange server" in done.stderr
    done = home.setup("bob@corp.test", "--yes", "--host", "down.corp.test", "--password-file", world.secret())
    assert done.returncode != 0 and "no server was found for bob@corp.test; name it with --host" in done.stderr


def test_where_pox_is_closed(world, home):
    """SOAP tells the same, to whoever asks it."""
    server = corp(world, autodiscover_pox=False)
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "https://mail.corp.test/EWS/Exchange.asmx" in home.text()
    assert "soap" in [e["detail"].get("schema") for e in server.log()]


def test_three_wrong_passwords_end_it(world, home):
    server = corp(world)
    done = home.setup(EMAIL, answers=["yes", USER, WRONG + "a", USER, WRONG + "b", USER, WRONG + "c", USER, PASSWORD])
    assert done.returncode == 77 and "refused the name and password" in done.stderr
    assert len(credentials(server)) == 3
    nothing_written(home)


@pytest.mark.parametrize("answers, text", [
    (["", "a", "alice@corp"], "is no domain like example.com"), ([EMAIL, "not a host!"], "is no answer to the question"),
    ([EMAIL, "yes", USER, "", "", ""], "no password was entered")])
def test_nothing_but_useless_answers(world, home, answers, text):
    """Each question comes three times at most; the last answer is explained, too."""
    server = corp(world)
    done = home.setup(answers=[*answers, *["more"] * 5])
    assert done.returncode in (77, 78) and text in done.stderr.splitlines()[-1] and credentials(server) == []
    nothing_written(home)


@pytest.mark.parametrize("flag, content, text", [
    ("--ca-file", None, "No such file"), ("--ca-file", "no certificate", "cannot be read as a list of authorities"),
    ("--client-key", None, "No such file"), ("--password-file", None, "No such file")])
def test_files_are_looked_at_first(world, home, flag, content, text):
    """One that cannot be read looked like a network without any server."""
    server = corp(world)
    path = os.path.join(world.directory, "file")
    if content:
        with open(path, "w") as file:
            file.write(content)
    done = home.run("setup", EMAIL, flag, path)
    assert done.returncode in (66, 78) and f"exbridge: {flag}" in done.stderr and text in done.stderr and len(done.stderr.splitlines()) == 1
    assert server.log() == []


def test_another_character_set(world, home):
    """An address or a name that is not UTF-8 could not stand in the file: it is asked for again at once."""
    corp(world)
    done = subprocess.run([rig.program(), "setup", "--ca-file", world.authority.ca], capture_output=True, env=home.environment(), timeout=120,
                          input=b"j\xf6rg@corp.test\n" + EMAIL.encode() + b"\nyes\n\xff\n" + USER.encode() + b"\n" + PASSWORD.encode() + b"\n")
    assert done.returncode == 0 and done.stderr.count(b"is the terminal set to another character set?") == 2, done.stderr


def test_with_sudo(world, home):
    """The account would be root's; who is not root cannot be in that trap."""
    world.dns()
    warned = ["You are root here" in home.run("setup", EMAIL, SUDO_USER=name).stderr for name in ("alice", "root", "")]
    assert warned == [os.geteuid() == 0, False, False]


def test_an_empty_name_is_the_address(world, home):
    corp(world)
    done = home.setup(EMAIL, answers=["yes", " ", PASSWORD])
    assert done.returncode == 0 and f"Signed in as {EMAIL}" in done.stderr, done.stderr


@pytest.mark.parametrize("answers", [["yes", USER, PASSWORD], ["yes", USER, PASSWORD, "perhaps"]])
def test_the_end_of_input_at_the_policy(world, home, answers):
    corp(world, eas_policy={"DevicePasswordEnabled": "1"}, eas_allow_nonprovisionable=True)
    done = home.setup(EMAIL, "--backend", "eas", answers=answers)
    assert done.returncode == 78 and "stdin has ended" in done.stderr
    nothing_written(home)


@pytest.mark.parametrize("answers", [[], [EMAIL], [EMAIL, "yes"], [EMAIL, "yes", USER]])
def test_the_end_of_input_ends_it(world, home, answers):
    server = corp(world)
    done = home.setup(answers=answers)
    assert done.returncode == 78 and "stdin has ended" in done.stderr
    assert credentials(server) == []
    nothing_written(home)


@pytest.mark.parametrize("address, text", [("alice", "has no '@'"), ("alice@-b\u00fccher.test", "cannot be the name of a host"), ("a b@corp.test", "is not an e-mail")])
def test_an_address_that_is_none(world, home, address, text):
    world.dns()
    done = home.setup(address)
    assert done.returncode == 78 and text in done.stderr


@pytest.mark.parametrize("flags", [["--backend", "imap"], ["--auth", "plain"], ["--host", "a", "--url", "https://b/EWS/"],
                                   ["--password-file", "/a", "--password-command", "b"], ["--client-cert", "/a"],
                                   ["--access", "delegation"], ["--service-account", "a", "--mailbox", "b@c.d"],
                                   ["--login", "a", "--user", "b"], ["--backend", "eas", "--mailbox", "b@c.d"], ["--provision", "ask"],
                                   ["--secret-store", "keyring"], ["--proxy", "squid"]])
def test_flags_that_contradict_each_other(world, home, flags):
    done = home.run("setup", EMAIL, *flags)
    assert done.returncode == 64 and "exbridge help setup" in done.stderr


# ---- hosts ----


def test_no_password_before_the_answer(world, home):
    server = corp(world)
    done = home.setup(EMAIL, answers=["no"])
    assert done.returncode == 77 and "nothing was sent" in done.stderr
    assert credentials(server) == []
    nothing_written(home)


def test_a_foreign_host_is_shown_with_who_named_it(world, home):
    hoster = world.exchange("--corpus", "5", hosts=["mail.hoster.test"], auth_schemes=BASIC)
    world.plain("autodiscover.corp.test", {"do": "location", "to": f"https://mail.hoster.test{XML}"})
    world.dns()
    done = home.setup(EMAIL, answers=[""])  # what nobody says yes to is a no
    assert done.returncode == 77 and credentials(hoster) == []
    assert "mail.hoster.test does not belong to corp.test; it was named by autodiscover.corp.test over http" in done.stderr
    nothing_written(home)
    done = home.setup(EMAIL, "--yes", "--password-file", world.secret())
    assert done.returncode == 77 and credentials(hoster) == [] and "--host" in done.stderr
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "https://mail.hoster.test/EWS/Exchange.asmx" in home.text()


def test_a_host_given_by_flag(world, home):
    world.exchange("--corpus", "5", hosts=["mail.hoster.test"], auth_schemes=BASIC)
    dns = world.dns()
    done = home.setup(EMAIL, "--host", "mail.hoster.test", "--yes", "--user", USER, "--password-file", world.secret())
    assert done.returncode == 0, done.stderr
    assert dns.asked == []


def test_another_host_in_place_of_yes(world, home):
    wrong = corp(world, hosts=("corp.test",))
    world.exchange("--corpus", "5", hosts=["right.corp.test"], auth_schemes=BASIC)
    done = home.setup(EMAIL, answers=["https://right.corp.test/owa/", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "https://right.corp.test/EWS/Exchange.asmx" in home.text()
    assert credentials(wrong) == []


def test_nothing_found_asks_for_a_name(world, home):
    world.exchange("--corpus", "5", hosts=["owa.elsewhere.test"], auth_schemes=BASIC, autodiscover_hosts={"*": {"do": "status", "status": 404}})
    world.dns()
    done = home.setup(EMAIL, answers=["nowhere.test", "owa.elsewhere.test", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "nowhere.test does not answer as an Exchange server" in done.stderr and questions(done) <= 6
    assert "https://owa.elsewhere.test/EWS/Exchange.asmx" in home.text()
    done = home.setup("bob@nobody.test", "--yes")
    assert done.returncode == 66 and "--host" in done.stderr and "--url" in done.stderr


@pytest.mark.parametrize("first", ["yes", "", USER, PASSWORD, f"{PASSWORD}.x!", EMAIL])
def test_answers_out_of_step(world, home, first):
    """No server is found, so that one question more is asked than whoever wrote the answers has thought: none of the others is
    looked up as the name of a host, and none is shown."""
    dns = world.dns()
    done = home.setup(EMAIL, answers=[first, USER, PASSWORD])
    assert done.returncode == 78 and 'no answer to the question "Name of the server' in done.stderr.splitlines()[-1], done.stderr
    assert done.stderr.count("Looking for the server") == 1
    asked = [name for name, _ in dns.asked]
    assert asked and not [name for name in asked if not name.endswith("corp.test")]
    nothing_written(home)


@pytest.mark.parametrize("do", ["redirect_url", "location", "signed_location"])
@pytest.mark.parametrize("answer, sent", [("no", False), ("yes", True)])
def test_a_redirect_elsewhere_is_asked_about(world, home, do, answer, sent):
    rules = {"autodiscover.corp.test": {"do": do, "to": f"https://evil.test{XML}"}}
    corp(world, autodiscover_hosts=rules)
    evil = world.exchange("--corpus", "5", hosts=["evil.test"], auth_schemes=BASIC)
    answers = [answer, USER, PASSWORD] if do == "location" else ["yes", USER, PASSWORD, answer]
    done = home.setup(EMAIL, answers=answers)
    assert "evil.test" in done.stderr and "does not belong to corp.test" in done.stderr
    assert bool(credentials(evil)) == sent
    assert (done.returncode == 0) == sent and questions(done) <= 6
    if not sent:
        nothing_written(home)


def test_endpoints_elsewhere_are_asked_about(world, home):
    corp(world, autodiscover_mail="evil.test")
    evil = world.exchange(hosts=["evil.test"], auth_schemes=BASIC)
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD, "no"])
    assert done.returncode == 77 and "evil.test" in done.stderr
    assert credentials(evil) == []
    nothing_written(home)


def test_one_foreign_host_after_the_other(world, home):
    corp(world, autodiscover_hosts={"*": {"do": "redirect_url", "to": f"https://one.test{XML}"}})
    world.exchange(hosts=["one.test"], auth_schemes=BASIC, autodiscover_hosts={"*": {"do": "redirect_url", "to": f"https://two.test{XML}"}})
    two = world.exchange(hosts=["two.test"], auth_schemes=BASIC)
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD, "yes", "yes", "yes"])
    assert done.returncode == 77 and "one redirect too many" in done.stderr
    assert credentials(two) == [] and questions(done) <= 6


def test_another_address(world, home):
    corp(world, autodiscover_hosts={"autodiscover.corp.test": {"do": "redirect_addr", "to": "alice@new.test"}})
    world.exchange("--corpus", "5", hosts=["autodiscover.new.test"], email="alice@new.test", auth_schemes=BASIC)
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD, "yes"])
    assert done.returncode == 0, done.stderr
    assert "knows this mailbox as alice@new.test" in done.stderr
    assert "email   = alice@new.test" in home.text()


@pytest.mark.parametrize("wrong", ["authority", "name", "date"])
def test_a_certificate_that_is_not_trusted(world, home, wrong):
    """What is wrong with it is shown, nothing is sent, and what can be done is said."""
    authority = rig.Authority(os.path.join(world.directory, "other")) if wrong == "authority" else world.authority
    name = "other.corp.test" if wrong == "name" else "mail.corp.test"
    certificate = authority.certificate([name], expired=wrong == "date")
    server = world.exchange("--corpus", "5", hosts=["mail.corp.test"], certificate=certificate, auth_schemes=BASIC)
    world.dns()
    done = home.setup(EMAIL, "--host", "mail.corp.test", answers=[])
    reason = {"authority": "unable to get local issuer certificate", "name": "no alternative certificate subject name matches",
              "date": "certificate has expired"}[wrong]  # fmt: skip
    assert done.returncode == 78 and f"the certificate is not to be trusted ({reason}" in done.stderr
    advice = "The clock of this machine says 20" if wrong == "date" else "name its certificate with --ca-file"
    assert advice in done.stderr and server.log() == []
    nothing_written(home)
    if wrong == "authority":  # and so it is
        done = home.run("setup", EMAIL, "--host", "mail.corp.test", "--ca-file", authority.ca, answers=[USER, PASSWORD])
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name_server", [None, "answer"])
def test_no_network(world, home, name_server):
    if name_server:
        world.dns(mode=name_server)
    done = home.setup(EMAIL, answers=[])
    assert done.returncode == 78 and "is this machine connected to the network?" in done.stderr, done.stderr
    nothing_written(home)
    done = home.setup(EMAIL, "--yes")
    assert done.returncode == 66 and "is this machine connected to the network?" in done.stderr and "--host" in done.stderr


def test_certificates_are_never_waved_through(world, home):
    other = rig.Authority(os.path.join(world.directory, "other"))
    server = world.exchange(hosts=["mail.corp.test"], certificate=other.certificate(["mail.corp.test"]), auth_schemes=BASIC)
    world.dns()
    done = home.setup(EMAIL, "--host", "mail.corp.test", "--yes", "--user", USER, "--password-file", world.secret())
    assert done.returncode != 0 and "certificate is not to be trusted" in done.stderr
    assert server.log() == []


# ---- an address that the user gives ----


@pytest.mark.parametrize("path, backend", [("EWS/Exchange.asmx", "ews"), ("Microsoft-Server-ActiveSync", "eas")])
def test_url(world, home, path, backend):
    server = corp(world)
    done = home.setup(EMAIL, "--url", f"https://mail.corp.test/{path}", answers=[USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert f"backend = {backend}" in home.text()
    assert [e for e in server.log() if "utodiscover" in e["path"]] == []


@pytest.mark.parametrize("url, code, text", [("http://mail.corp.test/EWS/Exchange.asmx", 77, "not https"),
                                             ("mail.corp.test", 78, "not a URL"), ("https://mail.corp.test/", 78, "--backend"),
                                             ("https://nowhere.test/EWS/Exchange.asmx", 69, "nowhere.test"),
                                             ("https://mail.corp.test/EWS/nothing", 66, "404")])
def test_a_url_that_is_no_good(world, home, url, code, text):
    server = corp(world)
    done = home.setup(EMAIL, "--url", url, answers=[USER, PASSWORD])
    assert done.returncode == code and text in done.stderr, done.stderr
    assert credentials(server) == []
    nothing_written(home)


# ---- backends ----


def test_activesync_alone(world, home):
    corp(world, autodiscover_sections=[], absent=["ews"])
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "the server offers ActiveSync and no EWS" in done.stderr and "backend = eas" in home.text()
    devices = world.servers[0].devices()
    home.start()
    assert home.imap(EMAIL, rig.password_of(done.stdout)) == 5
    assert len(world.servers[0].devices()) == len(devices) == 1  # the daemon is the device that setup was


def test_ews_alone(world, home):
    corp(world, absent=["eas"], autodiscover_eas=False)
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "the server offers EWS and no ActiveSync" in done.stderr


def test_no_autodiscover_at_all(world, home):
    corp(world, hosts=("mail.corp.test",), absent=["autodiscover", "ews"])  # SOGo, Z-Push
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "backend = eas" in home.text() and "https://mail.corp.test/Microsoft-Server-ActiveSync" in home.text()


def test_the_other_backend_by_flag(world, home):
    corp(world)
    done = home.setup(EMAIL, "--backend", "eas", answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "backend = eas" in home.text()


def test_ews_closed_activesync_open(world, home):
    server = corp(world)
    server.fault(protocol="ews", op="GetFolder", do="status", status=403, times=0)
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "EWS is closed to us" in done.stderr and "backend = eas" in home.text()


@pytest.mark.parametrize("answer, flags, code", [("yes", [], 0), ("no", [], 77), (None, ["--provision", "accept"], 0),
                                                 (None, ["--yes"], 77)])
def test_a_device_policy(world, home, answer, flags, code):
    corp(world, eas_policy={"DevicePasswordEnabled": "1", "MinDevicePasswordLength": "6"}, eas_allow_nonprovisionable=True)
    answers = [USER, PASSWORD] if "--yes" in flags else ["yes", USER, PASSWORD]
    if "--yes" in flags:
        flags += ["--user", USER, "--password-file", world.secret()]
    done = home.setup(EMAIL, "--backend", "eas", *flags, answers=answers + ([answer] if answer else []))
    assert done.returncode == code, done.stderr
    assert questions(done) <= 6
    if code:
        nothing_written(home)
    else:
        assert "provision = accept" in home.text()
