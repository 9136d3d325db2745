# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` and the Debian package put where, and that the package installs without doing anything else."""
import os
import re
import shutil
import subprocess

import bridge as rig
import pytest

BUILD = os.path.join(rig.ROOT, "out", "gcc")  # as people build it: no sanitizers
FILES = {
    "bin/exbridge", "lib/systemd/user/exbridge.service", "lib/systemd/user/exbridge@.service", "lib/systemd/user/exbridge.socket",
    "share/man/man1/exbridge.1", "share/man/man5/exbridge.conf.5", "share/man/man7/exbridge-clients.7",
    "share/bash-completion/completions/exbridge", "share/fish/vendor_completions.d/exbridge.fish",
    "share/doc/exbridge/examples/exbridge.conf", "share/doc/exbridge/examples/sandbox.conf",
}


def run(*command, **kwargs):
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, **kwargs)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def files_below(top):
    return {os.path.relpath(os.path.join(folder, name), top) for folder, _, names in os.walk(top) for name in names}


@pytest.fixture(scope="module")
def deb(tmp_path_factory):
    assert os.path.exists(os.path.join(BUILD, "exbridge")), "scripts/check gcc comes first"
    folder = tmp_path_factory.mktemp("deb")
    env = dict(os.environ, SOURCE_DATE_EPOCH="1795000000")
    run("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", str(folder), env=env, cwd=folder)
    (path,) = [folder / name for name in os.listdir(folder) if name.endswith(".deb")]
    return path


def test_install_with_destdir(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", "/opt/mail", env=dict(os.environ, DESTDIR=str(tmp_path)))
    assert os.listdir(tmp_path) == ["opt"]
    top = tmp_path / "opt" / "mail"
    assert files_below(top) == FILES | {"share/zsh/site-functions/_exbridge", "share/doc/exbridge/README.md"}
    service = (top / "lib/systemd/user/exbridge.service").read_text()
    assert "ExecStart=/opt/mail/bin/exbridge run\n" in service and "@BINDIR" not in service
    assert run(str(top / "bin/exbridge"), "--version").startswith("exbridge ")


def test_deb_content(deb, tmp_path):
    run("dpkg-deb", "-x", str(deb), str(tmp_path))
    assert os.listdir(tmp_path) == ["usr"]
    packed = {f + ".gz" if "/man/" in f else f for f in FILES}
    assert files_below(tmp_path / "usr") == packed | {
        "share/zsh/vendor-completions/_exbridge", "share/doc/exbridge/changelog.Debian.gz", "share/doc/exbridge/copyright"}
    for name in ("exbridge.service", "exbridge@.service"):
        assert "ExecStart=/usr/bin/exbridge run" in (tmp_path / "usr/lib/systemd/user" / name).read_text()
    control = {name for name in run("dpkg-deb", "--ctrl-tarfile", str(deb), encoding="latin-1").split("\0") if re.match(r"\./\w+$", name)}
    assert control == {"./control", "./md5sums"}  # no script: nothing is enabled, started or changed by it
    depends = run("dpkg-deb", "-f", str(deb), "Depends")
    for library in ("libc6", "libcurl4", "libidn2-0", "libssl3", "libsqlite3-0", "libuv1", "libxml2"):
        assert re.search(rf"\b{library} \(>= ", depends), depends
    assert "asan" not in depends and "dev" not in depends


def test_lintian(deb):
    result = subprocess.run(["lintian", "--fail-on", "error", "--allow-root", str(deb)], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0 and "E: " not in result.stdout, result.stdout + result.stderr


def test_dependencies_can_be_resolved(deb):
    """On this Debian, without installing anything."""
    out = run("apt-get", "install", "--simulate", "--no-install-recommends", str(deb))
    assert re.search(r"^Inst exbridge ", out, re.M)


def test_deb_installs_and_goes(deb, tmp_path):
    root = tmp_path / "root"
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log"):
        (root / folder).mkdir(parents=True)
    for name in ("status", "available"):
        (root / "var/lib/dpkg" / name).touch()
    dpkg = ["dpkg", f"--root={root}", "--force-depends", "--force-not-root", "--force-script-chrootless"]
    run(*dpkg, "-i", str(deb))
    assert "Status: install ok installed" in run(*dpkg, "-s", "exbridge")
    assert run(str(root / "usr/bin/exbridge"), "--version").startswith("exbridge ")
    made = files_below(root / "usr")
    assert not [f for f in files_below(root) if ".wants/" in f]
    run(*dpkg, "-P", "exbridge")
    assert made and not files_below(root / "usr")


def test_deb_is_reproducible(deb, tmp_path):
    env = dict(os.environ, SOURCE_DATE_EPOCH="1795000000")
    run("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", str(tmp_path), env=env, cwd=tmp_path)
    again = tmp_path / deb.name
    names = [(run("dpkg-deb", "--fsys-tarfile", str(path), encoding="latin-1")) for path in (deb, again)]
    assert names[0] == names[1]


def test_units_are_accepted(tmp_path):
    """As far as systemd can tell without running them."""
    run("cmake", "--install", BUILD, "--prefix", str(tmp_path))
    units = [str(tmp_path / "lib/systemd/user" / name) for name in ("exbridge.service", "exbridge.socket")]
    instance = tmp_path / "exbridge@x.service"
    shutil.copy(tmp_path / "lib/systemd/user/exbridge@.service", instance)
    env = dict(os.environ, XDG_RUNTIME_DIR=str(tmp_path), MANPATH=str(tmp_path / "share/man"))
    result = subprocess.run(["systemd-analyze", "--user", "verify", *units, str(instance)], capture_output=True, text=True, env=env)
    assert result.returncode == 0 and "exbridge" not in result.stderr, result.stderr
    out = run("systemd-analyze", "--offline=yes", "--user", "security", units[0], env=env)
    level = float(re.search(r"Overall exposure level for .*: ([\d.]+)", out).group(1))
    assert level < 7  # with sandbox.conf, which not every machine can use, it is below 5
