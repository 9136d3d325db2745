# SPDX-License-Identifier: Apache-2.0
"""Evolution's data server, headless: a D-Bus session and a home of its own. With its EWS backend (evolution-ews) it judges
the stand-in, with its CalDAV backend the bridge."""
import json
import os
import subprocess
import urllib.parse

import children

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICES = "/usr/share/dbus-1/services/org.gnome.evolution.dataserver.%s.service"
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><servicedir>{folder}</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"""
BACKEND = "/usr/lib/evolution-data-server/calendar-backends/libecalbackendews.so"
KEYFILE = "[org/gnome/evolution-data-server]\nnetwork-monitor-gio-name='always-online'\n"
SOURCE = """[Data Source]
DisplayName=judge
Enabled=true
Parent=
[Collection]
BackendName=ews
CalendarEnabled=true
ContactsEnabled=false
Identity={user}
MailEnabled=false
[Authentication]
Host={host}
Method=PLAIN
Port={port}
ProxyUid=system-proxy
RememberPassword=false
User={user}
CredentialName=
[Security]
Method=none
[Ews Backend]
Hosturl={url}
Email={user}
FilterInbox=false
Oaburl=
"""
DAV_SOURCE = """[Data Source]
DisplayName=judge {kind}
Enabled=true
Parent=caldav-stub
[{extension}]
BackendName=caldav
Selected=true
[Authentication]
Host={host}
Method=plain/password
Port={port}
ProxyUid=system-proxy
RememberPassword=false
User={user}
CredentialName=
[Security]
Method={security}
[WebDAV Backend]
ResourcePath={path}
[Offline]
StaySynchronized=true
[Refresh]
Enabled=false
"""
EXTENSIONS = {"events": "Calendar", "tasks": "Task List"}


class EdsError(Exception):
    pass


class Eds:
    """url: of the EWS endpoint, or {"events": url, "tasks": url} of CalDAV collections."""

    def __init__(self, folder, url, user, password):
        config, run = os.path.join(folder, "config"), os.path.join(folder, "run")
        if isinstance(url, str):
            self.ews_source(config, url, user)
        else:
            self.dav_sources(config, url, user)
        self.put(config, "glib-2.0/settings/keyfile", KEYFILE)
        os.makedirs(run, mode=0o700)
        # Only these two may be started: with a keyring on the bus, the password would be asked for on a screen.
        services = os.path.join(folder, "services")
        self.put(folder, "bus.conf", BUS.format(folder=services))
        for name in ("Sources5", "Calendar8"):
            with open(SERVICES % name, encoding="utf-8") as file:
                self.put(services, f"{name}.service", file.read())
        self.output = open(os.path.join(folder, "output.txt"), "wb")
        environment = {
            **os.environ,
            "HOME": folder,
            "XDG_CONFIG_HOME": config,
            "XDG_CACHE_HOME": os.path.join(folder, "cache"),
            "XDG_DATA_HOME": os.path.join(folder, "data"),
            "XDG_RUNTIME_DIR": run,
            "GIO_USE_VFS": "local",
            "GSETTINGS_BACKEND": "keyfile",
            "TZ": "Europe/Berlin",
        }
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [
                "dbus-run-session",
                f"--config-file={folder}/bus.conf",
                "--",
                "/usr/bin/python3",
                os.path.join(HERE, "eds_drive.py"),
                user,
                password,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.output,
            env=environment,
            text=True,
        )

    def ews_source(self, config, url, user):
        if not os.path.exists(BACKEND):
            raise FileNotFoundError(f"{BACKEND}: the package evolution-ews is missing")
        where = urllib.parse.urlsplit(url)
        source = SOURCE.format(user=user, host=where.hostname, port=where.port, url=url)
        self.put(config, "evolution/sources/judge.source", source)

    def dav_sources(self, config, urls, user):
        for kind, url in urls.items():
            where = urllib.parse.urlsplit(url)
            source = DAV_SOURCE.format(
                kind=kind,
                extension=EXTENSIONS[kind],
                user=user,
                host=where.hostname,
                port=where.port,
                path=where.path,
                security="tls" if where.scheme == "https" else "none",
            )
            self.put(config, f"evolution/sources/judge-{kind}.source", source)

    @staticmethod
    def put(folder, name, text):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def __call__(self, do, **fields):
        """One command; see eds_drive.py."""
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise EdsError("the session ended")
        answer = json.loads(line)
        if "error" in answer:
            raise EdsError(answer["error"])
        return answer["ok"]

    def stop(self):
        """The end of stdin ends the driver, the session, and everything that D-Bus had started in it."""
        children.end(self.process)
        self.output.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
