# SPDX-License-Identifier: Apache-2.0
"""Man pages and completion: nothing is forgotten, nothing is there that does not exist, and the tools are content."""
import os
import re
import subprocess

import bridge as rig
import pytest
from test_program import call

PAGES = ("exbridge.1", "exbridge.conf.5", "exbridge-clients.7")
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "s": 1, "m": 60, "h": 3600, "d": 86400}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    script = os.path.join(rig.ROOT, "scripts", "install", "make-pages")
    env = dict(os.environ, SOURCE_DATE_EPOCH="1795000000")
    subprocess.run([script, rig.program(), str(folder)], check=True, env=env)
    return folder


def read(pages, name):
    """The page's source, without what roff adds to dashes."""
    return (pages / "man" / name).read_text().replace("\\-", "-")


def keys():
    """{section: {key: (kind, default)}} of the table in config_keys.c."""
    with open(os.path.join(rig.ROOT, "bridge", "config_keys.c")) as file:
        text = file.read()
    found = {}
    for name, section, rest in re.findall(r'^    \{"([a-z.-]+)",\s+(SERVER|LIMITS|LOGIN|ACCOUNT)\(\w+\),(.*)\},', text, re.M):
        found.setdefault(section.lower(), {})[name] = rest
    return found


def heads(text, section):
    """The words that stand in the heads of a section's list."""
    part = re.search(rf"^\.SH \[{section}[ \]].*?$(.*?)(?=^\.SH )", text, re.M | re.S).group(1)
    lines = re.findall(r"^\.TP\n\.BR? (.*)$", part, re.M)
    return [word.strip('",') for line in lines for word in re.split(r'[ ,"]+', line) if re.match(r"^[a-z.-]+$", word.strip('",'))]


@pytest.mark.parametrize("section", ["server", "login", "account", "limits"])
def test_every_key_is_there(pages, section):
    assert sorted(heads(read(pages, "exbridge.conf.5"), section)) == sorted(keys()[section])


def test_limits_tell_the_defaults(pages):
    text = read(pages, "exbridge.conf.5")
    told = dict(re.findall(r'([a-z-]+) " \((\d+[KMGsmhd]?)\)', text.replace('" ,', '",')))
    for name, rest in keys()["limits"].items():
        start = re.search(r"RANGE\([^,]+, ([^,]+),", rest).group(1)
        default = eval(start.replace("KIB", "1024").replace("MIB", str(1 << 20)))
        value = told[name]
        assert int(value.rstrip("KMGsmhd")) * UNITS.get(value[-1], 1) == default, name


def test_values_are_there(pages):
    """Every word that a key can have stands in the page."""
    with open(os.path.join(rig.ROOT, "bridge", "config_keys.c")) as file:
        text = file.read()
    page = read(pages, "exbridge.conf.5")
    for table in re.findall(r"_names\[\] = \{(.*?)\};", text, re.S):
        for word in re.findall(r'= "([^"]+)"', table):
            assert re.search(rf"\b{re.escape(word)}\b", page), word


def test_every_command_and_flag_is_there(pages):
    page = read(pages, "exbridge.1")
    names = re.findall(r"^  ([a-z][a-z-]*)(?: .*)?  ", call("--help").stdout, re.M)
    assert len(names) > 8
    for name in names:
        part = re.search(rf'^\.SS "exbridge {name}[ "].*?(?=^\.SS|^\.SH)', page, re.M | re.S).group(0)
        for flag in re.findall(r"^  (--[a-z-]+)", call("help", name).stdout, re.M):
            assert re.search(rf"^\.B {flag}\b", part, re.M), (name, flag)


@pytest.mark.parametrize("page", PAGES)
def test_tools_are_content(pages, page):
    path = str(pages / "man" / page)
    env = dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="80")
    result = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path], capture_output=True, text=True, env=env)
    assert (result.returncode, result.stderr) == (0, "")
    result = subprocess.run(["mandoc", "-Tlint", "-W", "warning", path], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")
    assert "@" not in re.sub(r"\S+@\S+|[._] - @ \+|\.[ _-]+ @ \+", "", (pages / "man" / page).read_text().replace("\\", ""))


def test_pages_are_reproducible(pages, tmp_path):
    script = os.path.join(rig.ROOT, "scripts", "install", "make-pages")
    subprocess.run([script, rig.program(), str(tmp_path)], check=True, env=dict(os.environ, SOURCE_DATE_EPOCH="1795000000"))
    for name in PAGES:
        assert (tmp_path / "man" / name).read_text() == (pages / "man" / name).read_text()


# ---- completion ----

CONFIG = ('[account "{}"]\nemail = {}@example.com\nbackend = ews\nurl = https://mail.example.com/EWS/Exchange.asmx\n'
          "auth = basic\npassword-file = /x\n")


@pytest.fixture
def shell(pages, tmp_path):
    """An environment in which exbridge is found, with a configuration of two accounts."""
    config = tmp_path / "exbridge" / "exbridge.conf"
    config.parent.mkdir()
    config.write_text(CONFIG.format("work", "a") + CONFIG.format("home", "b"))
    config.chmod(0o600)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "exbridge").symlink_to(rig.program())
    return dict(os.environ, XDG_CONFIG_HOME=str(tmp_path), HOME=str(tmp_path), PATH=f"{tmp_path}/bin:{os.environ['PATH']}",
                LC_ALL="C.UTF-8", TERM="xterm")


CASES = [
    (["exbridge", "sta"], {"status"}),
    (["exbridge", ""], {"run", "status", "resync", "reload", "password", "completion", "help"}),
    (["exbridge", "status", "--"], {"--json"}),
    (["exbridge", "status", ""], {"work", "home"}),
    (["exbridge", "status", "--json", "w"], {"work"}),
    (["exbridge", "password", "work", "--re"], {"--revoke"}),
    (["exbridge", "completion", "f"], {"fish"}),
    (["exbridge", "help", "resy"], {"resync"}),
]


def exact(words):
    return words[-1] not in ("", "--")


@pytest.mark.parametrize("words, expected", CASES)
def test_bash(pages, shell, words, expected):
    quoted = " ".join(f"'{w}'" for w in words)
    script = (f"set -u; source {pages}/completion/exbridge; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _exbridge;"
              ' printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=shell, timeout=60)
    found = set(result.stdout.split())
    assert not result.stderr
    assert found == expected if exact(words) else found >= expected


def test_bash_knows_the_other_configuration(pages, shell, tmp_path):
    other = tmp_path / "other.conf"
    other.write_text(CONFIG.format("third", "c"))
    other.chmod(0o600)
    script = (f"source {pages}/completion/exbridge; COMP_WORDS=(exbridge status -c {other} ''); COMP_CWORD=4; _exbridge;"
              ' echo "${COMPREPLY[@]}"')
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=shell).stdout == "third\n"


@pytest.mark.parametrize("words, expected", CASES)
def test_fish(pages, shell, words, expected):
    script = f"source {pages}/completion/exbridge.fish; complete -C '{' '.join(words)}'"
    result = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, env=shell, timeout=60)
    found = {line.split("\t")[0] for line in result.stdout.splitlines()}
    assert not result.stderr
    assert found == expected if exact(words) else found >= expected, result.stdout




@pytest.mark.parametrize("words, expected", CASES[:5])
def test_zsh(pages, shell, tmp_path, words, expected):
    socket = str(tmp_path / "tmux")
    tmux = ["tmux", "-S", socket]
    subprocess.run([*tmux, "-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "50", "zsh -f -i"], check=True, env=shell)
    try:
        def screen():
            return subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout

        def send(text, enter=True):
            subprocess.run([*tmux, "send-keys", "-l", text], check=True)
            if enter:
                subprocess.run([*tmux, "send-keys", "Enter"], check=True)

        send(f"fpath=({pages}/completion $fpath); autoload -U compinit; compinit -u -D; LISTMAX=0; clear; echo GO-'ON'")
        rig.poll(60, lambda: "GO-ON" in screen(), screen)
        send(" ".join(words), enter=False)
        subprocess.run([*tmux, "send-keys", "Tab"], check=True)
        rig.poll(60, lambda: all(re.search(rf"(^|\s){re.escape(word)}(\s|$)", screen()) for word in expected), screen)
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True)


def test_accounts_of_a_bad_file(shell, tmp_path):
    (tmp_path / "exbridge" / "exbridge.conf").write_text("nonsense\n")
    result = call("completion", "accounts", env=shell)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert "bash, zsh and fish" in call("completion", "tcsh").stderr
