# SPDX-License-Identifier: Apache-2.0
"""The corpus is believable, and the same on every run; the model serves it without generating it at start."""
import email

import corpus
import mimeinfo
from model import Store


def test_deterministic():
    one, two = corpus.Corpus(3), corpus.Corpus(3)
    assert all(one.mime(i, 1_767_000_000) == two.mime(i, 1_767_000_000) for i in range(0, 400, 7))
    assert one.mime(5, 1_767_000_000) != corpus.Corpus(4).mime(5, 1_767_000_000)


def test_mix():
    source = corpus.Corpus(1)
    kinds, charsets, types = set(), set(), set()
    replies = missing = eight_bit = 0
    for i in range(1500):
        raw = source.mime(i, 1_767_000_000)
        kinds.add(source.kind(i))
        message = email.message_from_bytes(raw)
        types.add(message.get_content_type())
        charsets |= {c.split("?")[1].lower() for c in str(message["Subject"]).split() if c.startswith("=?")}
        replies += "In-Reply-To" in message
        missing += message["Message-ID"] is None
        eight_bit += any(b > 127 for b in mimeinfo.split_header(raw)[0])
        assert mimeinfo.message_id(raw) == source.message_id(i)
        assert b"\n" not in raw.replace(b"\r\n", b"")
    assert kinds == set(corpus.MIXES["mixed"])
    assert {"text/plain", "multipart/alternative", "multipart/mixed", "multipart/related"} <= types
    assert {"utf-8", "iso-8859-1", "koi8-r", "iso-2022-jp"} <= charsets
    assert replies > 500 and missing > 0 and eight_bit > 0


def test_mean_size():
    source = corpus.Corpus(1, mean=27000)
    sizes = [len(source.mime(i, 1_767_000_000)) for i in range(500)]
    assert 20000 < sum(sizes) / len(sizes) < 36000
    assert max(len(corpus.Corpus(1, mean=0, kinds="small").mime(i, 0)) for i in range(100)) < 70000


def test_fill_generates_nothing_but_what_is_asked_for():
    mailbox = Store().add_user("alice@example.com", "x").mailbox
    corpus.fill(mailbox, mailbox.kinds["inbox"], 300, big=30_000_000)
    items = mailbox.kinds["inbox"].newest_first()
    assert len(items) == 301 and all(callable(i.source) for i in items)
    big = next(i for i in items if i.message_id == "<big@example.com>")
    assert 29_000_000 < len(big.mime()) < 33_000_000
    assert mailbox.store.infos.found == {}


def test_demo_folders():
    mailbox = Store().add_user("alice@example.com", "x").mailbox
    corpus.fill_demo(mailbox, 400)
    paths = {mailbox.folder_path(f) for f in mailbox.folders.values()}
    assert {"Inbox/Größe & Änderung", "会議メモ", "Clients/Suppliers/Contoso", "Отчёты"} <= paths
    assert 380 <= len(mailbox.items) <= 400


def test_regenerate_is_the_same_message_in_other_bytes():
    source = corpus.Corpus(1)
    for i in range(300):
        raw = source.mime(i, 1_767_000_000)
        made = mimeinfo.regenerate(raw, str(i))
        assert made != raw and made == mimeinfo.regenerate(raw, str(i)) != mimeinfo.regenerate(raw, str(i), 1)
        assert mimeinfo.message_id(made) == mimeinfo.message_id(raw)
        if source.kind(i) in ("alternative", "attachments", "inline", "forwarded", "text"):
            before, after = email.message_from_bytes(raw), email.message_from_bytes(made)
            assert [p.get_payload() for p in before.walk() if not p.is_multipart()] == [
                p.get_payload() for p in after.walk() if not p.is_multipart()
            ]
