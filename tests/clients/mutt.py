# SPDX-License-Identifier: Apache-2.0
"""mutt and neomutt over TLS, in a terminal; what their user would type into an editor is typed by a script."""
import os
import re

from bridge import LOCAL_PASSWORD
from screen import Screen

CONFIG = """
set imap_user = "{user}"
set imap_pass = "{password}"
set folder = "imaps://localhost:{bridge.port}/"
set spoolfile = "imaps://localhost:{bridge.port}/INBOX"
set ssl_force_tls = yes
set ssl_ca_certificates_file = "{bridge.ca_file}"
set certificate_file = "{directory}/accepted"
set header_cache = "{directory}/headers"
set message_cachedir = "{directory}/bodies"
set imap_idle = yes
set imap_check_subscribed = no
set timeout = 2
set mail_check = 2
set sort = reverse-date-received
set index_format = "%4C %Z|%s"
set status_format = "INDEX %f %m messages %r"
set pager_format = "PAGER %s"
set compose_format = "COMPOSE"
set arrow_cursor = yes
set help = no
set quit = yes
set delete = yes
set mark_old = no
set wait_key = no
set beep = no
set confirmappend = no
set smtp_url = "smtps://{user}@localhost:{bridge.smtp_port}/"
set smtp_pass = "{password}"
set from = "alice@example.com"
set use_envelope_from = yes
set hostname = "mutt.test"
set record = "={sent}"
set postponed = "=Drafts"
set copy = yes
set edit_headers = yes
set autoedit = yes
set fast_reply = yes
set include = yes
set mime_forward = no
set editor = "{directory}/editor"
"""
EDITOR = """#!/bin/sh -e
sed -i -e 's/^To: *$/To: bob@example.com/' -e 's/^Subject: *$/Subject: {subject}/' "$1"
echo "Typed by hand, {subject}." >>"$1"
"""


class Mutt(Screen):
    def __init__(self, program, directory, bridge, account, sent="Sent Items"):
        self.editor = os.path.join(str(directory), "editor")
        self.types("nothing yet", directory)
        path = os.path.join(str(directory), "muttrc")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(CONFIG.format(user=account, password=LOCAL_PASSWORD, bridge=bridge, directory=directory,
                                     sent=sent))
        super().__init__(directory, [program, "-n", "-F", path])

    def types(self, subject, directory=None):
        """What the editor does from now on: a recipient and a subject where there are none, and a line of text."""
        with open(os.open(self.editor, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700), "w") as file:
            file.write(EDITOR.format(subject=subject))

    def index(self, count, folder="INBOX"):
        """The subjects, as far as they are shown, when there are this many messages."""
        shown = self.wait(rf"^INDEX \S*{re.escape(folder)} {count} messages")
        return re.findall(r"^(?:->|  ) *\d+ [^|]*\|(.*)$", shown, re.M)

    def go_to(self, subject):
        self.keys("/")
        self.wait("^Search for:")
        self.type(subject)
        self.keys("Enter")
        self.wait(rf"^-> *\d+ .*\|{re.escape(subject)}")

    def prompted(self, key, prompt, text):
        """A key, and what to answer to the prompt; there may stand something else in it."""
        self.keys(key)
        self.wait(prompt)
        self.keys("C-u")
        self.type(text)
        self.keys("Enter")
