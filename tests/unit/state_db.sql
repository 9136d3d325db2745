-- SPDX-License-Identifier: Apache-2.0
-- state.db as each version of the program has made it, with something in every table: what test_store_upgrade.c upgrades.
-- Frozen: what stands here lies on people's disks. A new version goes to the end.

-- version 1
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE persist (
    key   BLOB PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE mailbox (
    pk      INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    kind    INTEGER NOT NULL
);
INSERT INTO mailbox (pk, address, kind) VALUES (1, '', 0);
CREATE TABLE folder (
    pk          INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox     INTEGER NOT NULL REFERENCES mailbox(pk),
    server_id   BLOB NOT NULL,
    parent_id   BLOB NOT NULL,
    name        TEXT NOT NULL,
    label       TEXT NOT NULL,
    kind        INTEGER NOT NULL,
    use         INTEGER NOT NULL,
    hidden      INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uidnext     INTEGER NOT NULL DEFAULT 1,
    modseq      INTEGER NOT NULL DEFAULT 1,
    log_from    INTEGER NOT NULL DEFAULT 1,
    recent_from INTEGER NOT NULL DEFAULT 1,
    generation  INTEGER NOT NULL DEFAULT 1,
    synced      INTEGER NOT NULL DEFAULT 0,
    shown       INTEGER NOT NULL DEFAULT 0,
    resync      INTEGER NOT NULL DEFAULT 0,
    cursor      BLOB NOT NULL DEFAULT x''
);
CREATE UNIQUE INDEX folder_by_id ON folder(mailbox, server_id);
CREATE TABLE item (
    pk         INTEGER PRIMARY KEY AUTOINCREMENT,
    folder     INTEGER NOT NULL REFERENCES folder(pk),
    generation INTEGER NOT NULL,
    server_id  BLOB NOT NULL,
    change     BLOB NOT NULL,
    uid        INTEGER,
    modseq     INTEGER NOT NULL,
    flags      INTEGER NOT NULL,
    known      INTEGER NOT NULL,
    categories TEXT NOT NULL,
    received   INTEGER NOT NULL,
    saved      INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    size_state INTEGER NOT NULL,
    estimate   INTEGER NOT NULL,
    identity   BLOB NOT NULL
);
CREATE UNIQUE INDEX item_by_id ON item(folder, generation, server_id);
CREATE UNIQUE INDEX item_by_uid ON item(folder, uid) WHERE uid IS NOT NULL;
CREATE INDEX item_by_modseq ON item(folder, modseq);
CREATE INDEX item_without_uid ON item(folder, generation, received) WHERE uid IS NULL;
CREATE TABLE expunged (
    folder INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    uid    INTEGER NOT NULL,
    PRIMARY KEY (folder, modseq, uid)
) WITHOUT ROWID;
CREATE TABLE dropped (pk INTEGER PRIMARY KEY);
CREATE TRIGGER item_dropped AFTER DELETE ON item BEGIN
    INSERT OR IGNORE INTO dropped (pk) VALUES (old.pk);
END;
CREATE TABLE subscription (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE unsubscription (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE journal (
    pk         INTEGER PRIMARY KEY AUTOINCREMENT,
    content    BLOB NOT NULL,
    identity   BLOB NOT NULL,
    message_id BLOB NOT NULL,
    evidence   TEXT NOT NULL,
    state      INTEGER NOT NULL,
    created    INTEGER NOT NULL
);
CREATE INDEX journal_by_content ON journal(content);
CREATE INDEX journal_by_identity ON journal(identity);
CREATE INDEX journal_by_message_id ON journal(message_id);
INSERT INTO meta (key, value) VALUES ('epoch', 'cafe0123'), ('hierarchy', 'h7');
INSERT INTO persist (key, value) VALUES (x'6465766963652d6964', x'41424344');
INSERT INTO folder (pk, mailbox, server_id, parent_id, name, label, kind, use, hidden, uidvalidity, uidnext, modseq, recent_from,
    synced, shown, cursor)
    VALUES (1, 1, x'6631', x'', 'Posteingang', 'INBOX', 0, 1, 0, 4000000001, 10, 20, 8, 1, 1, x'6b39'),
           (2, 1, x'6632', x'', 'Kalender', 'Kalender', 1, 0, 0, 4000000002, 2, 3, 1, 1, 1, x'6b35');
INSERT INTO item (pk, folder, generation, server_id, change, uid, modseq, flags, known, categories, received, saved, size,
    size_state, estimate, identity)
    VALUES (11, 1, 1, x'6131', x'6331', 7, 12, 1, 3, 'Rot' || char(10), 100000, 100, 5000, 2, 4000, x'00112233445566778899aabbccddeeff'),
           (12, 1, 1, x'6132', x'6332', 9, 20, 2, 3, '', 200000, 200, 6000, 1, 4500, x''),
           (13, 2, 1, x'6531', x'6333', 1, 3, 0, 0, '', 300000, 300, 700, 0, 700, x'');
INSERT INTO expunged (folder, modseq, uid) VALUES (1, 15, 8);
INSERT INTO dropped (pk) VALUES (10);
INSERT INTO subscription (name) VALUES ('Projekt');
INSERT INTO unsubscription (name) VALUES ('Alt');
INSERT INTO journal (content, identity, message_id, evidence, state, created)
    VALUES (x'aa01', x'aa02', x'aa03', 'mail-1', 1, CAST(strftime('%s', 'now') AS INTEGER));

-- version 2
CREATE TABLE resource (
    pk       INTEGER PRIMARY KEY REFERENCES item(pk),
    folder   INTEGER NOT NULL,
    name     TEXT NOT NULL,
    ical_uid TEXT NOT NULL,
    digest   BLOB NOT NULL,
    served   BLOB NOT NULL,
    kind     INTEGER NOT NULL,
    from_s   INTEGER NOT NULL,
    to_s     INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    extra    BLOB NOT NULL
);
CREATE UNIQUE INDEX resource_by_name ON resource(folder, name);
CREATE INDEX resource_by_uid ON resource(folder, ical_uid);
CREATE TABLE resource_gone (
    folder INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    name   TEXT NOT NULL,
    PRIMARY KEY (folder, modseq, name)
) WITHOUT ROWID;
CREATE TRIGGER resource_dropped AFTER DELETE ON item BEGIN
    INSERT OR IGNORE INTO resource_gone (folder, modseq, name)
        SELECT r.folder, f.modseq + 1, r.name FROM resource AS r JOIN folder AS f ON f.pk = r.folder
        WHERE r.pk = old.pk AND old.uid IS NOT NULL;
    DELETE FROM resource WHERE pk = old.pk;
END;
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
CREATE TABLE owed (
    pk       INTEGER PRIMARY KEY AUTOINCREMENT,
    evidence TEXT NOT NULL,
    message  BLOB NOT NULL,
    created  INTEGER NOT NULL
);
INSERT INTO resource (pk, folder, name, ical_uid, digest, served, kind, from_s, to_s, size, extra)
    VALUES (13, 2, 'besuch.ics', 'besuch@example', x'd1', x'd2', 0, 1000, 2000, 700, x'e1');
INSERT INTO resource_gone (folder, modseq, name) VALUES (2, 2, 'weg.ics');
INSERT INTO collection (folder, segment) VALUES (2, 'kalender');
INSERT INTO property (folder, name, value) VALUES (2, 'color', '#ff0000');
INSERT INTO owed (evidence, message, created) VALUES ('owed-1', x'6d31', CAST(strftime('%s', 'now') AS INTEGER));

-- version 3
CREATE TABLE append (
    pk        INTEGER PRIMARY KEY AUTOINCREMENT,
    batch     INTEGER NOT NULL,
    folder    INTEGER NOT NULL,
    content   BLOB NOT NULL,
    identity  BLOB NOT NULL,
    evidence  TEXT NOT NULL,
    state     INTEGER NOT NULL,
    server_id BLOB NOT NULL,
    item      INTEGER NOT NULL,
    replaces  INTEGER NOT NULL,
    created   INTEGER NOT NULL
);
CREATE INDEX append_by_batch ON append(batch);
CREATE INDEX append_by_content ON append(folder, content);
CREATE INDEX append_by_identity ON append(folder, identity);
ALTER TABLE item ADD COLUMN message_id BLOB NOT NULL DEFAULT x'';
CREATE INDEX item_by_message_id ON item(folder, message_id) WHERE message_id <> x'';
CREATE TABLE sent_copy (
    item       INTEGER PRIMARY KEY,
    folder     INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    created    INTEGER NOT NULL
);
UPDATE item SET message_id = x'bb01' WHERE pk = 11;
INSERT INTO append (batch, folder, content, identity, evidence, state, server_id, item, replaces, created)
    VALUES (1, 1, x'cc01', x'cc02', 'append-1', 3, x'6139', 0, 0, CAST(strftime('%s', 'now') AS INTEGER));
INSERT INTO sent_copy (item, folder, message_id, created) VALUES (11, 1, x'bb01', CAST(strftime('%s', 'now') AS INTEGER));

-- version 4
CREATE TABLE made (
    pk     INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL,
    asked  INTEGER NOT NULL
);
CREATE INDEX made_in ON made(folder);
CREATE TRIGGER made_dropped AFTER DELETE ON item BEGIN
    DELETE FROM made WHERE pk = old.pk;
END;
INSERT INTO made (pk, folder, asked) VALUES (12, 1, 1);

-- version 5
ALTER TABLE append ADD COLUMN message_id BLOB NOT NULL DEFAULT x'';
ALTER TABLE append ADD COLUMN after INTEGER NOT NULL DEFAULT 0;
UPDATE append SET message_id = x'cc03', after = 12;

-- version 6
ALTER TABLE owed ADD COLUMN promise BLOB NOT NULL DEFAULT x'';
INSERT INTO owed (evidence, message, promise, created) VALUES ('held put 1', x'6d32', x'7031', CAST(strftime('%s', 'now') AS INTEGER));

-- version 7
CREATE TABLE moving (
    pk         INTEGER PRIMARY KEY AUTOINCREMENT,
    folder     INTEGER NOT NULL,
    name       TEXT NOT NULL,
    to_folder  INTEGER NOT NULL,
    to_name    TEXT NOT NULL,
    state      INTEGER NOT NULL,
    item       INTEGER NOT NULL,
    place      TEXT NOT NULL,
    replaces   INTEGER NOT NULL,
    digest     BLOB NOT NULL,
    after      INTEGER NOT NULL,
    ical_uid   TEXT NOT NULL,
    server_uid TEXT NOT NULL,
    extra      BLOB NOT NULL,
    created    INTEGER NOT NULL
);
INSERT INTO moving (folder, name, to_folder, to_name, state, item, place, replaces, digest, after, ical_uid, server_uid, extra, created)
    VALUES (2, 'a.ics', 2, 'b.ics', 0, 13, '', 0, x'', 13, 'besuch@example', '', x'', CAST(strftime('%s', 'now') AS INTEGER));

-- version 8
CREATE TABLE unread (
    folder    INTEGER NOT NULL,
    server_id BLOB NOT NULL,
    created   INTEGER NOT NULL,
    PRIMARY KEY (folder, server_id)
) WITHOUT ROWID;
INSERT INTO unread (folder, server_id, created) VALUES (2, x'6539', CAST(strftime('%s', 'now') AS INTEGER));

-- version 9
ALTER TABLE journal ADD COLUMN asked BLOB NOT NULL DEFAULT x'';
UPDATE journal SET asked = x'a5';

-- version 10
ALTER TABLE resource ADD COLUMN schedule BLOB NOT NULL DEFAULT x'';
UPDATE resource SET schedule = x'd3';

-- version 11
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
INSERT INTO item_gone (identity, received, flags) VALUES (x'b526ee5d69e1db7375cb2c64773f1ee4', 50, 64);
