/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_CLIENT_TEXTS_H
#define BRIDGE_CLI_CLIENT_TEXTS_H
/*
 * What `exbridge client-settings` prints for each client, as templates. In a template
 *   $(name)   is replaced: imap smtp dav (ports), user, email, name (section), word (section, letters and digits only),
 *             user-url (percent-encoded), config (" -c FILE" when it was given), ca (file), leaf-fingerprint, client,
 *             passcommand, passfile, ca-sh and passfile-sh (as words of a shell), drafts, trash, dav-scheme, security,
 * security-tb, security-evo (what the clients call it) {word}    at the beginning of a line (several may follow each
 * other): the line is there only when it is true: imap smtp dav (served), tls, plain (no TLS), own (our own certificate
 * authority), ews, eas, made (the local password is one that `exbridge password` makes), given (the configuration names
 * a command or file), passthrough
 */
struct client_text {
    const char *name;      /* as the command line has it */
    const char *title;     /* as people call it */
    const char *needs;     /* a truth without which there is nothing to set up; NULL: nothing */
    const char *forbidden; /* characters that commands and paths must not have in its file; NULL: it is no file */
    const char *escaped;   /* ... and those that need a backslash in names, which it has in quotes; NULL: none do */
    const char *text;
};
extern const struct client_text client_texts[]; /* ends with a NULL name */

#endif
