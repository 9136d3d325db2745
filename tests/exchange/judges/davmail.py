# SPDX-License-Identifier: Apache-2.0
"""Runs Debian's DavMail on loopback in front of an EWS endpoint."""
import os
import socket
import subprocess
import time

from loopback_ports import free_ports

JAR = "/usr/share/davmail/davmail.jar"
SETTINGS = """davmail.server=true
davmail.mode=EWS
davmail.url={url}
davmail.imapPort={imap}
davmail.smtpPort={smtp}
davmail.popPort=
davmail.ldapPort=
davmail.caldavPort={caldav}
davmail.allowRemote=false
davmail.bindAddress=127.0.0.1
davmail.disableUpdateCheck=true
davmail.enableKeepAlive=true
davmail.folderSizeLimit=0
davmail.imapIdleDelay=1
davmail.imapAutoExpunge=false
davmail.logFilePath={log}
davmail.logFileSize=0
log4j.rootLogger=WARN
log4j.logger.davmail={level}
log4j.logger.httpclient.wire=WARN
"""


class Davmail:
    def __init__(self, folder, url, level="INFO", heap="256m"):
        if not os.path.exists(JAR):
            raise FileNotFoundError(f"{JAR}: the package davmail-server is missing")
        self.imap_port, self.smtp_port, self.caldav_port = free_ports(3)
        os.makedirs(folder, exist_ok=True)
        settings = os.path.join(folder, "davmail.properties")
        self.log = os.path.join(folder, "davmail.log")
        with open(settings, "w", encoding="utf-8") as file:
            ports = {"imap": self.imap_port, "smtp": self.smtp_port, "caldav": self.caldav_port}
            file.write(SETTINGS.format(url=url, log=self.log, level=level, **ports))
        self.output = open(os.path.join(folder, "output.txt"), "wb")
        self.process = subprocess.Popen(
            ["java", f"-Xmx{heap}", "-jar", JAR, "-server", settings],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        self.wait_open()

    def wait_open(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.imap_port)) == 0:
                    return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError("DavMail did not open its IMAP port")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
