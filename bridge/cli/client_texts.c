/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/client_texts.h"

#include <stddef.h>

/* Where a program can run a command for its password, the file names one. */
#define PASSWORD(comment)                                                                                              \
    "{made}" comment " Its password first, once:\n"                                                                    \
    "{made}" comment "     (umask 077; exbridge password $(name)$(config) --new --label $(client) > $(passfile-sh))\n" \
    "{passthrough}" comment " Your Exchange password is read from $(passfile); name a command of yours instead.\n"

static const char plain[] =
    "Account $(name) ($(email)). The server is localhost; no client may use STARTTLS.\n"
    "{imap}  IMAP (reading)      localhost, port $(imap), $(security)\n"
    "{smtp}  SMTP (sending)      localhost, port $(smtp), $(security)\n"
    "{dav}  CalDAV (calendars)  $(dav-scheme)://localhost:$(dav)/\n"
    "  user name           $(user)\n"
    "{made}  password            what this prints: exbridge password $(name)$(config) --new --label CLIENT\n"
    "{given}  password            what this prints: $(passcommand)\n"
    "{passthrough}  password            the Exchange password\n"
    "{own}  certificate         signed by $(ca), which can sign for localhost only\n"
    "  sent messages       Exchange keeps the copy; a second one from the client is not stored twice\n";

static const char thunderbird[] =
    "// Thunderbird. Make it trust the certificate first, while it is closed: exbridge trust\n"
    "//\n"
    "// By hand (New Account > Email, \"Configure manually\"):\n"
    "//   Incoming: IMAP, localhost, port $(imap), $(security-tb), Normal password, user name $(user)\n"
    "{smtp}//   Outgoing: SMTP, localhost, port $(smtp), $(security-tb), Normal password, user name $(user)\n"
    "{dav}//   Calendar: New Calendar > On the Network, user name $(user), location $(dav-scheme)://localhost:$(dav)/\n"
    "{made}//   Password: what this prints: exbridge password $(name)$(config) --new --label thunderbird\n"
    "{given}//   Password: what this prints: $(passcommand)\n"
    "{passthrough}//   Password: your Exchange password\n"
    "//   Account Settings > Copies & Folders > \"Place a copy in\": off. Exchange keeps the copy.\n"
    "// An \"Exchange\" account that Thunderbird proposes by itself goes past exbridge.\n"
    "//\n"
    "// Or, for a new and empty profile only, as its user.js:\n"
    "user_pref(\"mail.accountmanager.accounts\", \"$(word),local\");\n"
    "user_pref(\"mail.accountmanager.defaultaccount\", \"$(word)\");\n"
    "user_pref(\"mail.accountmanager.localfoldersserver\", \"local\");\n"
    "user_pref(\"mail.account.local.server\", \"local\");\n"
    "user_pref(\"mail.server.local.type\", \"none\");\n"
    "user_pref(\"mail.server.local.name\", \"Local Folders\");\n"
    "user_pref(\"mail.server.local.hostname\", \"Local Folders\");\n"
    "user_pref(\"mail.server.local.userName\", \"nobody\");\n"
    "user_pref(\"mail.server.local.directory-rel\", \"[ProfD]Mail/Local Folders\");\n"
    "user_pref(\"mail.account.$(word).server\", \"$(word)\");\n"
    "user_pref(\"mail.account.$(word).identities\", \"$(word)\");\n"
    "user_pref(\"mail.server.$(word).type\", \"imap\");\n"
    "user_pref(\"mail.server.$(word).name\", \"$(email)\");\n"
    "user_pref(\"mail.server.$(word).hostname\", \"localhost\");\n"
    "user_pref(\"mail.server.$(word).port\", $(imap));\n"
    "user_pref(\"mail.server.$(word).userName\", \"$(user)\");\n"
    "user_pref(\"mail.server.$(word).authMethod\", 3);\n"
    "{tls}user_pref(\"mail.server.$(word).socketType\", 3);\n"
    "{plain}user_pref(\"mail.server.$(word).socketType\", 0);\n"
    "user_pref(\"mail.server.$(word).check_new_mail\", true);\n"
    "user_pref(\"mail.server.$(word).use_condstore\", true);\n"
    "user_pref(\"mail.identity.$(word).valid\", true);\n"
    "user_pref(\"mail.identity.$(word).useremail\", \"$(email)\");\n"
    "user_pref(\"mail.identity.$(word).fcc\", false);\n"
    "{smtp}user_pref(\"mail.identity.$(word).smtpServer\", \"$(word)\");\n"
    "{smtp}user_pref(\"mail.smtpservers\", \"$(word)\");\n"
    "{smtp}user_pref(\"mail.smtp.defaultserver\", \"$(word)\");\n"
    "{smtp}user_pref(\"mail.smtpserver.$(word).type\", \"smtp\");\n"
    "{smtp}user_pref(\"mail.smtpserver.$(word).hostname\", \"localhost\");\n"
    "{smtp}user_pref(\"mail.smtpserver.$(word).port\", $(smtp));\n"
    "{smtp}user_pref(\"mail.smtpserver.$(word).username\", \"$(user)\");\n"
    "{smtp}user_pref(\"mail.smtpserver.$(word).authMethod\", 3);\n"
    "{smtp}{tls}user_pref(\"mail.smtpserver.$(word).try_ssl\", 3);\n"
    "{smtp}{plain}user_pref(\"mail.smtpserver.$(word).try_ssl\", 0);\n";

#define MUTT(file)                                                                                                     \
    "# A part of " file                                                                                                \
    ".\n" PASSWORD("#") "set from = \"$(email)\"\n"                                                                    \
                        "set use_from = yes\n"                                                                         \
                        "set imap_user = \"$(user)\"\n"                                                                \
                        "set imap_pass = \"`$(passcommand)`\"\n"                                                       \
                        "set imap_authenticators = \"plain:login\"\n"                                                  \
                        "{tls}set folder = \"imaps://localhost:$(imap)/\"\n"                                           \
                        "{plain}set folder = \"imap://localhost:$(imap)/\"\n"                                          \
                        "{plain}set ssl_starttls = no\n"                                                               \
                        "{plain}set ssl_force_tls = no\n"                                                              \
                        "set spoolfile = \"+INBOX\"\n"                                                                 \
                        "set postponed = \"+$(drafts)\"\n"                                                             \
                        "set trash = \"+$(trash)\"\n"                                                                  \
                        "# Exchange keeps the copy of what is sent.\n"                                                 \
                        "set record = \"\"\n"                                                                          \
                        "set imap_idle = yes\n"                                                                        \
                        "set mail_check = 60\n"                                                                        \
                        "{own}# Not ssl_usesystemcerts: builds with GnuTLS, as Debian's, stop there.\n"                \
                        "{own}set ssl_ca_certificates_file = \"$(ca)\"\n"                                              \
                        "{smtp}{tls}set smtp_url = \"smtps://$(user-url)@localhost:$(smtp)/\"\n"                       \
                        "{smtp}{plain}set smtp_url = \"smtp://$(user-url)@localhost:$(smtp)/\"\n"                      \
                        "{smtp}set smtp_pass = \"`$(passcommand)`\"\n"                                                 \
                        "{smtp}set smtp_authenticators = \"plain\"\n"

static const char mutt[] = MUTT("~/.muttrc");
static const char neomutt[] = MUTT("~/.config/neomutt/neomuttrc");

static const char mbsync[] = "# A part of ~/.mbsyncrc; then: mbsync $(name)\n" PASSWORD(
    "#") "IMAPAccount $(name)\n"
         "Host localhost\n"
         "Port $(imap)\n"
         "User \"$(user)\"\n"
         "PassCmd \"$(passcommand)\"\n"
         "{tls}SSLType IMAPS\n"
         "{plain}SSLType None\n"
         "{plain}AuthMechs PLAIN LOGIN\n"
         "{own}CertificateFile \"$(ca)\"\n"
         "Timeout 120\n"
         "\n"
         "IMAPStore $(name)-exchange\n"
         "Account $(name)\n"
         "\n"
         "MaildirStore $(name)-here\n"
         "Path ~/Mail/$(name)/\n"
         "Inbox ~/Mail/$(name)/INBOX\n"
         "SubFolders Verbatim\n"
         "\n"
         "Channel $(name)\n"
         "Far :$(name)-exchange:\n"
         "Near :$(name)-here:\n"
         "Patterns *\n"
         "{ews}Create Both\n"
         "{ews}Sync All\n"
         "{eas}Create Near\n"
         "{eas}# ActiveSync cannot store messages: what is new here does not go there.\n"
         "{eas}Sync Pull PushFlags PushDelete\n"
         "Expunge Both\n"
         "SyncState *\n";

static const char msmtp[] = "# A part of ~/.msmtprc (chmod 600).\n" PASSWORD("#") "account $(name)\n"
                                                                                  "host localhost\n"
                                                                                  "port $(smtp)\n"
                                                                                  "from $(email)\n"
                                                                                  "auth on\n"
                                                                                  "user $(user)\n"
                                                                                  "passwordeval $(passcommand)\n"
                                                                                  "{tls}tls on\n"
                                                                                  "{tls}tls_starttls off\n"
                                                                                  "{own}tls_trust_file $(ca)\n"
                                                                                  "{plain}tls off\n"
                                                                                  "account default : $(name)\n";

static const char vdirsyncer[] =
    "# ~/.config/vdirsyncer/config; then: vdirsyncer discover && vdirsyncer metasync && vdirsyncer sync\n" PASSWORD(
        "#") "[general]\n"
             "status_path = \"~/.local/share/vdirsyncer/status/\"\n"
             "\n"
             "[pair $(word)]\n"
             "a = \"$(word)_here\"\n"
             "b = \"$(word)_exchange\"\n"
             "collections = [\"from b\"]\n"
             "metadata = [\"displayname\"]\n"
             "\n"
             "[storage $(word)_here]\n"
             "type = \"filesystem\"\n"
             "path = \"~/.local/share/vdirsyncer/$(word)/\"\n"
             "fileext = \".ics\"\n"
             "\n"
             "[storage $(word)_exchange]\n"
             "type = \"caldav\"\n"
             "url = \"$(dav-scheme)://localhost:$(dav)/\"\n"
             "username = \"$(user)\"\n"
             "password.fetch = [\"shell\", \"$(passcommand)\"]\n"
             "{own}verify = \"$(ca)\"\n";

static const char davx5[] =
    "DAVx5 runs on a phone, and exbridge answers on this machine only. To let the phone in, exbridge needs, in "
    "[server]:\n"
    "  listen       = localhost, ADDRESS      an address of this machine that the phone can reach\n"
    "  allow-remote = yes\n"
    "  cert, key    = FILE                    a certificate for the name or address that the phone uses; the one made\n"
    "                                         here is good for localhost only\n"
    "Think twice: everybody in that network can then try passwords. On the phone:\n"
    "  Add account > Login with URL and user name\n"
    "  Base URL   https://ADDRESS:$(dav)/\n"
    "  User name  $(user)\n"
    "{made}  Password   what this prints: exbridge password $(name)$(config) --new --label davx5\n"
    "{given}  Password   what this prints: $(passcommand)\n"
    "{passthrough}  Password   your Exchange password\n";

static const char evolution[] =
    "Evolution (New > Mail Account; leave \"Look up mail server details\" off):\n"
    "  Receiving: IMAP, server localhost, port $(imap), user name $(user), $(security-evo), Password\n"
    "{smtp}  Sending: SMTP, server localhost, port $(smtp), $(security-evo), server requires authentication (PLAIN),\n"
    "{smtp}           user name $(user)\n"
    "{dav}  Calendar: New > Calendar > CalDAV, URL $(dav-scheme)://localhost:$(dav)/, user name $(user)\n"
    "{made}  Password: what this prints: exbridge password $(name)$(config) --new --label evolution\n"
    "{given}  Password: what this prints: $(passcommand)\n"
    "{passthrough}  Password: your Exchange password\n"
    "  Defaults > Sent Messages Folder: off. Exchange keeps the copy.\n"
    "{own}It asks whether to trust the certificate, once and when that was renewed (every nine months). SHA-256:\n"
    "{own}  $(leaf-fingerprint)\n"
    "{own}To have the whole machine trust it instead:\n"
    "{own}  sudo cp $(ca-sh) /usr/local/share/ca-certificates/exbridge.crt && sudo update-ca-certificates\n";

const struct client_text client_texts[] = {
    {"thunderbird", "Thunderbird", "imap", NULL, "\"\\", thunderbird},
    {"mutt", "mutt", "imap", "\"\\`$", "\"\\`$", mutt},
    {"neomutt", "neomutt", "imap", "\"\\`$", "\"\\`$", neomutt},
    {"mbsync", "mbsync (isync)", "imap", "\"\\", "\"\\", mbsync},
    {"msmtp", "msmtp", "smtp", "\"\\", NULL, msmtp},
    {"vdirsyncer", "vdirsyncer", "dav", "\"\\", "\"\\", vdirsyncer},
    {"davx5", "DAVx5", "dav", NULL, NULL, davx5},
    {"evolution", "Evolution", "imap", NULL, NULL, evolution},
    {"plain", "any other client", NULL, NULL, NULL, plain},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
