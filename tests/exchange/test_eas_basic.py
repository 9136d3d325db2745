# SPDX-License-Identifier: Apache-2.0
"""The EAS half of the stand-in, read by the independent client in every protocol version."""
import os
import subprocess
import sys

from lxml import etree
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "servers")]

from eas_client import EasClient, EasError, options_mime
from standin import PASSWORD, USER, Standin
from test_eas_wbxml import assert_same_as_xml, needs_oracle

VERSIONS = ("12.1", "14.0", "14.1", "16.0", "16.1")


@pytest.fixture(scope="module")
def exchange():
    with Standin("--corpus", "60", "--kinds", "odd") as exchange:
        yield exchange


@pytest.fixture(params=VERSIONS)
def client(request, exchange):
    exchange.reset()
    client = EasClient(exchange.eas_url, USER, PASSWORD, version=request.param)
    client.connect()
    yield client
    client.close()
    assert exchange.violations() == []


def test_the_whole_inbox_is_read_byte_for_byte(exchange, client):
    inbox = client.folder(type="inbox").id
    items = client.sync_all(inbox, window=7)
    expected = {f"{inbox}:{i['num']}": exchange.mime(i["num"]) for i in exchange.items()}
    assert len(expected) == 60 and set(items) == set(expected)
    multipart = client.fetch(inbox, list(items))
    assert multipart == expected
    inline = client.fetch(inbox, list(items), multipart=False)
    assert inline == {number: mime.replace(b"\0", b"") for number, mime in expected.items()}
    assert client.estimate(inbox) == 0


def test_header_fetch(exchange, client):
    inbox = client.folder(type="inbox").id
    items = client.sync_all(inbox, options_mime(truncation=1000))
    for number, item in items.items():
        mime = exchange.mime(int(number.split(":")[1])).replace(b"\0", b"")
        body = item.get("AirSyncBase:Body")
        data = body.get("Data").bytes
        assert data == mime[: len(data)] and len(data) <= 1000
        assert body.value("Truncated", "0") == ("1" if len(mime) > 1000 else "0")
        assert int(body.value("EstimatedDataSize")) >= len(mime)


def test_wrong_password(exchange):
    with pytest.raises(EasError) as e:
        EasClient(exchange.eas_url, USER, "wrong").options()
    assert e.value.http == 401


@needs_oracle
@pytest.mark.parametrize("version", ["12.1", "14.1", "16.0"])
def test_libwbxml2_reads_the_answers_in_the_same_way(exchange, version):
    """An independent decoder over real answers; 16.1 has tags that it does not know."""
    exchange.reset()
    exchange.call("POST", "deliver", {"subject": "Grüße", "text": "Hallo", "folder": "sentitems"})
    client = EasClient(exchange.eas_url, USER, PASSWORD, version=version)
    seen = []
    request = client.request

    def listen(*arguments, **more):
        reply = request(*arguments, **more)
        if reply.tree is not None and not reply.parts:
            seen.append(reply)
        return reply

    client.request = listen
    client.connect()
    items = client.sync_all(client.folder(type="sent").id)
    client.fetch(client.folder(type="sent").id, list(items), multipart=False)
    client.estimate(client.folder(type="sent").id)
    assert len(seen) >= 6
    for reply in seen:
        done = subprocess.run(
            ["wbxml2xml", "-m", "2", "-k", "-l", "ACTIVESYNC", "-o", "-", "-"],
            input=reply.body,
            capture_output=True,
            check=True,
        )
        xml = etree.fromstring(done.stdout, etree.XMLParser(recover=True, load_dtd=False))
        assert_same_as_xml(reply.tree, xml)
