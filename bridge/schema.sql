-- state.db of one account. No message content in here: ids, UIDs, flags, dates, sizes, folder names.
-- Opened with journal_mode = WAL, synchronous = FULL.
--
-- Append only. What a later version of the program needs stands at the end under a line of its own, `-- version N`; a
-- state.db of user_version N - 1 is brought up to date by running what follows that line, a new one by running it all.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,  -- 'epoch' (random, names the life of this file), 'hierarchy' (cursor of the folder list),
                             -- 'uidvalidity' (the highest ever given, mirrored in the file of that name),
                             -- 'own' (addresses by which the server names the user; one a line)
    value BLOB NOT NULL
) WITHOUT ROWID;

-- Small state of the backend: opaque to us.
CREATE TABLE persist (
    key   BLOB PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- Whose folders: the account's own mailbox, shared ones, the archive.
CREATE TABLE mailbox (
    pk      INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE, -- '' = the account's own
    kind    INTEGER NOT NULL      -- 0 own, 1 shared, 2 archive
);
INSERT INTO mailbox (pk, address, kind) VALUES (1, '', 0);

CREATE TABLE folder (
    pk          INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox     INTEGER NOT NULL REFERENCES mailbox(pk),
    server_id   BLOB NOT NULL,
    parent_id   BLOB NOT NULL,     -- server id; empty = top level
    name        TEXT NOT NULL,     -- display name as the server has it
    label       TEXT NOT NULL,     -- one component of the IMAP name: escaped, with a suffix where siblings are equal
    kind        INTEGER NOT NULL,  -- enum folder_kind
    use         INTEGER NOT NULL,  -- enum folder_use
    hidden      INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uidnext     INTEGER NOT NULL DEFAULT 1,
    modseq      INTEGER NOT NULL DEFAULT 1,  -- HIGHESTMODSEQ
    log_from    INTEGER NOT NULL DEFAULT 1,  -- the expunged log is complete for changes after this modseq
    recent_from INTEGER NOT NULL DEFAULT 1,  -- UIDs from here on were never announced to a session
    generation  INTEGER NOT NULL DEFAULT 1,  -- of the items that count; a resync collects generation + 1 and then takes over
    synced      INTEGER NOT NULL DEFAULT 0,  -- 0 first sync not complete, 1 complete once
    shown       INTEGER NOT NULL DEFAULT 0,  -- UIDs have been given: a client may have seen the folder
    resync      INTEGER NOT NULL DEFAULT 0,  -- 1: pages go to generation + 1
    cursor      BLOB NOT NULL DEFAULT x''    -- sync state, committed together with what it brought
);
CREATE UNIQUE INDEX folder_by_id ON folder(mailbox, server_id);

CREATE TABLE item (
    pk         INTEGER PRIMARY KEY AUTOINCREMENT, -- also names the item in the cache; never reused
    folder     INTEGER NOT NULL REFERENCES folder(pk),
    generation INTEGER NOT NULL,
    server_id  BLOB NOT NULL,
    change     BLOB NOT NULL,
    uid        INTEGER,            -- NULL: not announced yet
    modseq     INTEGER NOT NULL,
    flags      INTEGER NOT NULL,   -- enum item_flag
    known      INTEGER NOT NULL,   -- the bits of it that the server tells; the others are ours alone
    categories TEXT NOT NULL,      -- as the server has them, each followed by a line feed
    received   INTEGER NOT NULL,   -- ms since 1970
    saved      INTEGER NOT NULL,   -- s since 1970: when we first saw it here
    size       INTEGER NOT NULL,   -- RFC822.SIZE
    size_state INTEGER NOT NULL,   -- 0 padded estimate, 1 told to a client and therefore final, 2 exact
    estimate   INTEGER NOT NULL,   -- the server's own figure: for matching
    identity   BLOB NOT NULL       -- hash of Message-ID and subject, for matching; empty = unknown
);
CREATE UNIQUE INDEX item_by_id ON item(folder, generation, server_id);
CREATE UNIQUE INDEX item_by_uid ON item(folder, uid) WHERE uid IS NOT NULL;
CREATE INDEX item_by_modseq ON item(folder, modseq);
CREATE INDEX item_without_uid ON item(folder, generation, received) WHERE uid IS NULL;

-- What has vanished (RFC 7162): trimmed to the newest 20,000 a folder.
CREATE TABLE expunged (
    folder INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    uid    INTEGER NOT NULL,
    PRIMARY KEY (folder, modseq, uid)
) WITHOUT ROWID;

-- Items whose cached content is to be thrown away.
CREATE TABLE dropped (pk INTEGER PRIMARY KEY);
CREATE TRIGGER item_dropped AFTER DELETE ON item BEGIN
    INSERT OR IGNORE INTO dropped (pk) VALUES (old.pk);
END;

CREATE TABLE subscription (name TEXT PRIMARY KEY) WITHOUT ROWID;
-- Folders a client unsubscribed from: the rest is subscribed.
CREATE TABLE unsubscription (name TEXT PRIMARY KEY) WITHOUT ROWID;

-- Messages on their way out, and those that went: what makes a client's retry harmless. Rows older than a week are deleted.
CREATE TABLE journal (
    pk         INTEGER PRIMARY KEY AUTOINCREMENT,
    content    BLOB NOT NULL,  -- hash of sender, recipients and message
    identity   BLOB NOT NULL,  -- hash of Message-ID and recipients; empty without a Message-ID
    message_id BLOB NOT NULL,  -- hash of the Message-ID: an APPEND to Sent is recognised by it
    evidence   TEXT NOT NULL,  -- ClientId, journal property
    state      INTEGER NOT NULL, -- 0 not on the wire yet, 1 on the wire or outcome unknown, 2 sent, 3 refused for good
    created    INTEGER NOT NULL  -- s since 1970
);
CREATE INDEX journal_by_content ON journal(content);
CREATE INDEX journal_by_identity ON journal(identity);
CREATE INDEX journal_by_message_id ON journal(message_id);

-- version 2

-- A calendar item or task as CalDAV has it: beside its row in `item`, of which uid says "announced", modseq is the ETag, and
-- identity is made of the iCalendar UID.
CREATE TABLE resource (
    pk       INTEGER PRIMARY KEY REFERENCES item(pk),
    folder   INTEGER NOT NULL,
    name     TEXT NOT NULL,    -- last segment of its URL
    ical_uid TEXT NOT NULL,    -- as clients see it
    digest   BLOB NOT NULL,    -- of the server's item written as iCalendar
    served   BLOB NOT NULL,    -- digest of what clients are served
    kind     INTEGER NOT NULL, -- enum event_kind
    from_s   INTEGER NOT NULL, -- it happens nowhere outside of these (event_span)
    to_s     INTEGER NOT NULL,
    size     INTEGER NOT NULL, -- of what clients are served, in bytes
    extra    BLOB NOT NULL     -- what a client stored and Exchange has no place for; sealed where the account is
);
CREATE UNIQUE INDEX resource_by_name ON resource(folder, name);
CREATE INDEX resource_by_uid ON resource(folder, ical_uid);

-- Names that have vanished, for sync-collection (RFC 6578): trimmed together with `expunged`.
CREATE TABLE resource_gone (
    folder INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    name   TEXT NOT NULL,
    PRIMARY KEY (folder, modseq, name)
) WITHOUT ROWID;
-- Every change of a folder raises its modseq by one, written at the end of the transaction.
CREATE TRIGGER resource_dropped AFTER DELETE ON item BEGIN
    INSERT OR IGNORE INTO resource_gone (folder, modseq, name)
        SELECT r.folder, f.modseq + 1, r.name FROM resource AS r JOIN folder AS f ON f.pk = r.folder
        WHERE r.pk = old.pk AND old.uid IS NOT NULL;
    DELETE FROM resource WHERE pk = old.pk;
END;

-- What clients call a collection, and properties of theirs. folder 0: the account's home.
CREATE TABLE collection (
    folder  INTEGER PRIMARY KEY,
    segment TEXT NOT NULL UNIQUE
);
CREATE TABLE property (
    folder INTEGER NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID;

-- Invitations, cancellations and answers that we have to send ourselves, because the server does not (EAS up to 14.1):
-- written down before the server is asked for what they speak of, due when that is known to have happened, deleted when it
-- has not, or when they have gone out.
CREATE TABLE owed (
    pk       INTEGER PRIMARY KEY AUTOINCREMENT,
    evidence TEXT NOT NULL, -- not due yet: STORE_HELD and words (store_calendar.h); due: for the server, as in `journal`
    message  BLOB NOT NULL, -- the whole mail; sealed where the account is
    created  INTEGER NOT NULL
);

-- version 3

-- Messages that clients append (APPEND, MULTIAPPEND, REPLACE), until the client is known to have heard of it: what makes its
-- retry harmless, and half a MULTIAPPEND go away. Rows older than a week are deleted.
CREATE TABLE append (
    pk        INTEGER PRIMARY KEY AUTOINCREMENT,
    batch     INTEGER NOT NULL, -- pk of the first message of the command
    folder    INTEGER NOT NULL,
    content   BLOB NOT NULL,    -- hash of the message
    identity  BLOB NOT NULL,    -- hash of Message-ID, recipients and body; empty without a Message-ID
    evidence  TEXT NOT NULL,    -- put on the item
    state     INTEGER NOT NULL, -- 0 perhaps on the wire, 1 on the server, 2 in `item`, 3 to be taken back
    server_id BLOB NOT NULL,    -- empty: not known (yet)
    item      INTEGER NOT NULL, -- item.pk, from state 2 on
    replaces  INTEGER NOT NULL, -- item.pk of what REPLACE still has to remove
    created   INTEGER NOT NULL  -- s since 1970
);
CREATE INDEX append_by_batch ON append(batch);
CREATE INDEX append_by_content ON append(folder, content);
CREATE INDEX append_by_identity ON append(folder, identity);

-- Hash of the Message-ID alone: what was sent is recognised by it, whatever became of its subject.
ALTER TABLE item ADD COLUMN message_id BLOB NOT NULL DEFAULT x'';
CREATE INDEX item_by_message_id ON item(folder, message_id) WHERE message_id <> x'';

-- Messages sent of which the client has filed a copy itself: the server's own copy goes when it comes. Kept for a day.
CREATE TABLE sent_copy (
    item       INTEGER PRIMARY KEY, -- item.pk of the client's
    folder     INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    created    INTEGER NOT NULL
);

-- version 4

-- Items that changes of ours made in a folder and that no sync has told of yet (store_made.c).
CREATE TABLE made (
    pk     INTEGER PRIMARY KEY, -- item.pk
    folder INTEGER NOT NULL,
    asked  INTEGER NOT NULL     -- 1: a sync was asked for since
);
CREATE INDEX made_in ON made(folder);
CREATE TRIGGER made_dropped AFTER DELETE ON item BEGIN
    DELETE FROM made WHERE pk = old.pk;
END;

-- version 5

-- What an append whose answer was lost is recognised by where the server keeps no evidence: hash of the Message-ID, and the
-- newest item that was there before.
ALTER TABLE append ADD COLUMN message_id BLOB NOT NULL DEFAULT x'';
ALTER TABLE append ADD COLUMN after INTEGER NOT NULL DEFAULT 0;

-- version 6

-- What has to be true on the server before a mail that waits for it may go out; sealed as the mail is.
ALTER TABLE owed ADD COLUMN promise BLOB NOT NULL DEFAULT x'';

-- version 7

-- Calendar objects that clients move, until the client is known to have heard of it (store_calendar.h). Rows older than a week
-- are deleted.
CREATE TABLE moving (
    pk         INTEGER PRIMARY KEY AUTOINCREMENT,
    folder     INTEGER NOT NULL, -- where the object is, or was
    name       TEXT NOT NULL,
    to_folder  INTEGER NOT NULL,
    to_name    TEXT NOT NULL,
    state      INTEGER NOT NULL, -- enum moving_state
    item       INTEGER NOT NULL, -- item.pk: in `folder`, from state 1 on in `to_folder`
    place      TEXT NOT NULL,    -- the name that it has there until it gets its own
    replaces   INTEGER NOT NULL, -- item.pk of what it overwrites; 0: nothing
    digest     BLOB NOT NULL,    -- resource.digest of that, when it was last looked at
    after      INTEGER NOT NULL, -- the newest item.pk of before: what has arrived is younger
    ical_uid   TEXT NOT NULL,    -- resource.ical_uid and extra of what moves, and the UID that the server has for it
    server_uid TEXT NOT NULL,
    extra      BLOB NOT NULL,
    created    INTEGER NOT NULL  -- s since 1970
);

-- version 8

-- Items of calendars that a sync page has named and that cannot be read: no rows in `item`, or old ones.
CREATE TABLE unread (
    folder    INTEGER NOT NULL,
    server_id BLOB NOT NULL,
    created   INTEGER NOT NULL, -- s since 1970
    PRIMARY KEY (folder, server_id)
) WITHOUT ROWID;

-- version 9

-- What an attempt whose outcome is unknown has asked for (of events), sealed: whether somebody has changed since what it made.
ALTER TABLE journal ADD COLUMN asked BLOB NOT NULL DEFAULT x'';

-- version 10

-- Of meetings: digest of what clients are served, but for what the guests have answered (RFC 6638 3.2.10). Empty: none, or not
-- looked at since this version.
ALTER TABLE resource ADD COLUMN schedule BLOB NOT NULL DEFAULT x'';

-- version 11

-- What was known only here of items that are gone, and that no other item has taken over (store_marks.c). The newest 20,000.
CREATE TABLE item_gone (
    pk       INTEGER PRIMARY KEY AUTOINCREMENT,
    identity BLOB NOT NULL,
    received INTEGER NOT NULL,
    flags    INTEGER NOT NULL
);
CREATE INDEX item_gone_by_identity ON item_gone(identity, received);
CREATE INDEX item_marked ON item(identity, received) WHERE flags & 16332 <> 0 AND identity <> x'';
CREATE TRIGGER item_left AFTER DELETE ON item WHEN old.identity <> x'' AND old.flags & (16320 | (12 & ~old.known)) <> 0
    AND NOT EXISTS (SELECT 1 FROM item AS i WHERE i.identity = old.identity AND i.received = old.received
                    AND i.flags & 16332 <> 0 AND i.identity <> x'') BEGIN
    INSERT INTO item_gone (identity, received, flags)
        VALUES (old.identity, old.received, old.flags & (16320 | (12 & ~old.known)));
    DELETE FROM item_gone WHERE pk <= (SELECT max(pk) FROM item_gone) - 20000;
END;
