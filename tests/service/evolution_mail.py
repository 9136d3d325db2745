# SPDX-License-Identifier: Apache-2.0
"""Evolution's mail engine (Camel) with one account as its assistant would make it: reads the inbox, sends a message.

    evolution_mail.py DIRECTORY      settings as JSON on stdin, what was seen as JSON on stdout

What Evolution's window would ask a person is answered here: the password, and whether a certificate is to be trusted (told as `asked`,
the SHA-256 of the certificate and of those above it).
"""
import hashlib
import json
import sys

import gi

gi.require_version("Camel", "1.2")
from gi.repository import Camel  # noqa: E402


class Session(Camel.Session):
    """What Evolution's own session does where a person is asked."""

    def __init__(self, directory, wanted):
        super().__init__(user_data_dir=directory + "/data", user_cache_dir=directory + "/cache", online=True)
        self.wanted, self.asked = wanted, []

    def do_authenticate_sync(self, service, mechanism, cancellable):
        service.set_password(self.wanted["password"])
        return service.authenticate_sync(mechanism, cancellable) == Camel.AuthenticationResult.ACCEPTED

    def do_trust_prompt(self, service, certificate, errors):
        chain = []
        while certificate is not None:
            chain.append(hashlib.sha256(certificate.get_property("certificate")).hexdigest())
            certificate = certificate.get_issuer()
        self.asked.append(chain)
        return Camel.CertTrust.FULLY


def service(session, name, protocol, kind, wanted):
    made = session.add_service(name, protocol, kind)
    settings = made.ref_settings()
    settings.set_host(wanted["host"])
    settings.set_port(wanted["port"])
    settings.set_user(wanted["user"])
    settings.set_security_method(getattr(Camel.NetworkSecurityMethod, wanted["security"]))
    if wanted["mechanism"]:
        settings.set_auth_mechanism(wanted["mechanism"])
    if kind == Camel.ProviderType.STORE:
        made.set_online_sync(True, None)  # else what it decides when it looks for the network counts
    assert made.connect_sync(None)
    return made


def main():
    directory, wanted = sys.argv[1], json.load(sys.stdin)
    Camel.init(directory, False)
    Camel.Provider.init()
    session = Session(directory, wanted)
    session.set_online(True)
    store = service(session, "store", "imapx", Camel.ProviderType.STORE, wanted["imap"])
    inbox = store.get_folder_sync("INBOX", 0, None)
    inbox.refresh_info_sync(None)
    seen = {"messages": {}}
    for uid in inbox.get_uids():
        message = inbox.get_message_sync(uid, None)
        seen["messages"][uid] = [message.get_subject(), message.get_message_id()]
        inbox.get_message_info(uid).set_flags(Camel.MessageFlags.SEEN, Camel.MessageFlags.SEEN)
    inbox.synchronize_sync(False, None)
    if "smtp" in wanted:
        transport = service(session, "transport", "smtp", Camel.ProviderType.TRANSPORT, wanted["smtp"])
        message = Camel.MimeMessage.new()
        sender, to = Camel.InternetAddress.new(), Camel.InternetAddress.new()
        sender.add("Alice", wanted["from"])
        to.add("Bob", wanted["to"])
        message.set_from(sender)
        message.set_recipients("To", to)
        message.set_subject(wanted["subject"])
        message.set_content(b"Hello from Evolution.\r\n", "text/plain")
        assert transport.send_to_sync(message, sender, to, None)[0]
        transport.disconnect_sync(True, None)
    store.disconnect_sync(True, None)
    seen["asked"] = session.asked
    json.dump(seen, sys.stdout)


main()
