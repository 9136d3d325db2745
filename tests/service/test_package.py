# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` and the Debian package put where, and that the package installs without doing anything else."""
import os
import re
import shutil
import subprocess

import bridge as rig
import pytest

BUILD = os.path.join(rig.ROOT, "out", "gcc")  # as people build it: no sanitizers
BARE = os.path.join(rig.ROOT, "out", "bare-debian")  # kept from run to run
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


def test_install_and_package_agree(deb, tmp_path):
    """`make install` and the package bring the same files, but for the places and forms that Debian wants otherwise."""
    env = dict(os.environ, DESTDIR=str(tmp_path / "made"))
    run("cmake", "--install", BUILD, "--prefix", "/usr", env=env)
    run("dpkg-deb", "-x", str(deb), str(tmp_path / "packed"))
    debian = {"usr/share/zsh/vendor-completions/_exbridge": "usr/share/zsh/site-functions/_exbridge",
              "usr/share/doc/exbridge/changelog.Debian.gz": None, "usr/share/doc/exbridge/copyright": None}
    packed = {debian.get(path, path.removesuffix(".gz")) for path in files_below(tmp_path / "packed")} - {None}
    assert packed == files_below(tmp_path / "made") - {"usr/share/doc/exbridge/README.md"}


def test_lintian(deb):
    result = subprocess.run(["lintian", "--fail-on", "error", "--allow-root", str(deb)], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0 and "E: " not in result.stdout, result.stdout + result.stderr


def test_dependencies_can_be_resolved(deb):
    """On this Debian, without installing anything."""
    out = run("apt-get", "install", "--simulate", "--no-install-recommends", str(deb))
    assert re.search(r"^Inst exbridge ", out, re.M)


# ---- on a Debian that has nothing else ----


def debian_sources():
    """The Debian of this machine, from whatever mirror it is set up with."""
    command = ["apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)", "Identifier: Packages", "Origin: Debian"]
    lines = run(*command).split("\n")
    if lines == [""]:  # the lists were thrown away
        run("apt-get", "-q", "update")
        lines = run(*command).split("\n")
    return "".join(line + "\n" for line in lines if line.split()[2:3] and line.split()[2].startswith("bookworm"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Debian 12 with what is essential and apt; a copy of our own."""
    assert os.geteuid() == 0, "only root can make a Debian and change into it"
    if not os.path.exists(BARE):
        sources = debian_sources()
        assert sources, "apt knows no Debian 12"
        new = BARE + ".new"
        subprocess.run(["rm", "-rf", "--one-file-system", new], check=True)
        run("mmdebstrap", "--variant=minbase", "--mode=root", "--skip=cleanup/apt/lists", "--aptopt=Acquire::Retries 3",
            "--dpkgopt=force-unsafe-io", "bookworm", new, "-", input=sources)
        os.rename(new, BARE)
    root = tmp_path_factory.mktemp("debian") / "root"
    run("cp", "-a", BARE, str(root))
    yield root
    subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)


def things_in(root):
    """All files but the records of what dpkg and apt have done, and what every program's libraries are found by."""
    records = ("var/lib/dpkg", "var/lib/apt", "var/cache", "var/log", "etc/ld.so.cache", "run", "tmp", "proc", "sys", "dev")
    found = {os.path.join(os.path.relpath(folder, root), name) for folder, folders, names in os.walk(root) for name in names + folders}
    return {path[2:] if path.startswith("./") else path for path in found if not path.removeprefix("./").startswith(records)}


def test_deb_on_a_bare_debian(deb, bare):
    def inside(*command):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        return run("chroot", str(bare), *command, env=env)

    assert "exbridge" not in inside("dpkg-query", "-W")
    before = things_in(bare)
    shutil.copy(deb, bare / "tmp" / deb.name)
    inside("apt-get", "-q", "-o", "Acquire::Retries=3", "update")
    inside("apt-get", "-qy", "-o", "Acquire::Retries=3", "install", "--no-install-recommends", f"/tmp/{deb.name}")
    assert inside("dpkg-query", "-W", "-f", "${Status}", "exbridge") == "install ok installed"
    assert inside("exbridge", "--version").startswith("exbridge ")
    inside("cp", "/usr/share/doc/exbridge/examples/exbridge.conf", "/root/exbridge.conf")
    inside("exbridge", "check-config", "-c", "/root/exbridge.conf")
    for page in ("exbridge", "exbridge.conf", "exbridge-clients"):
        assert run("man", "-M", str(bare / "usr/share/man"), "-w", page).strip().startswith(str(bare))
    units = bare / "usr/lib/systemd/user"
    assert {"exbridge.service", "exbridge@.service", "exbridge.socket"} <= set(os.listdir(units))
    assert not [path for path in things_in(bare) if ".wants/" in path and "exbridge" in path]

    inside("apt-get", "-qy", "remove", "exbridge")
    assert not [path for path in things_in(bare) - before if "exbridge" in path and path != "root/exbridge.conf"]
    inside("dpkg", "--purge", "exbridge")
    assert "exbridge" not in inside("dpkg-query", "-W")  # removing it was all: it has no file that a person may have changed
    libraries = {line[1:] for path in (bare / "var/lib/dpkg/info").glob("*.list") for line in path.read_text().split("\n")}
    libraries |= {f"usr/{path}" for path in libraries}  # /lib is /usr/lib
    left = things_in(bare) - before - libraries
    certificates = ("etc/ssl/certs/", "etc/ca-certificates", "usr/local/share/ca-certificates")  # made by that package for itself
    assert [path for path in left if not path.startswith(certificates)] == ["root/exbridge.conf"]


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
