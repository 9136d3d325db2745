# SPDX-License-Identifier: Apache-2.0
"""The HTTP side of the EAS half (MS-ASHTTP): what a request must look like, what the server may say instead of 200."""
import http.client

import pytest

from eas_kit import *

FOLDER_SYNC = E("FolderHierarchy:FolderSync", E("SyncKey", "0"))


def raw(client, query, headers=None, body=encode(FOLDER_SYNC)):
    """A request line that the client would not make."""
    client.close()
    connection = http.client.HTTPConnection(client.url.hostname, client.url.port, timeout=60)
    send = {**client.headers(body, "application/vnd.ms-sync.wbxml", False), **(headers or {})}
    connection.request("POST", client.url.path + query, body, send)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    "query,status",
    [
        ("?Cmd=FolderSync&User=a&DeviceId=abc&DeviceType=t", 200),
        ("?User=a&Cmd=FolderSync&DeviceId=abc&DeviceType=t", 400),
        ("?Cmd=FolderSync&User=a&DeviceId=abc", 400),
        ("?Cmd=FolderSync&User=&DeviceId=abc&DeviceType=t", 400),
        ("?Cmd=FolderSync&User=a&DeviceId=a%2Cbc&DeviceType=t", 400),
        ("?Cmd=FolderSync&User=a&DeviceId=" + "a" * 33 + "&DeviceType=t", 400),
        ("?Cmd=FolderSync&User=a&DeviceId=abc&DeviceType=exb-ridge", 400),
        ("?Cmd=NoSuch&User=a&DeviceId=abc&DeviceType=t", 501),
        ("", 400),
    ],
)
def test_request_line(exchange, fresh, query, status):
    exchange.options(eas_provision="none")
    assert raw(fresh("14.1"), query) == status


@pytest.mark.parametrize(
    "headers,status",
    [
        ({"MS-ASProtocolVersion": None}, 400),
        ({"MS-ASProtocolVersion": "99.0"}, 505),
        ({"Content-Type": "text/xml"}, 400),
        ({"X-MS-PolicyKey": None}, 403),
    ],
)
def test_headers(fresh, headers, status):
    client = fresh()
    assert client.request("FolderSync", FOLDER_SYNC, headers=headers).status == status


def test_empty_body_is_refused_where_it_means_nothing(fresh):
    assert fresh().request("FolderSync").status == 400


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_other_methods(fresh, method):
    assert fresh().request("FolderSync", FOLDER_SYNC, method=method).status == 501


@pytest.mark.parametrize("version,expected", [("12.1", (400, None)), ("14.1", (200, "102"))])
def test_undecodable_body(fresh, version, expected):
    client = fresh(version)
    for body in (b"\x03\x01\x6a\x00\x45", b"<FolderSync/>", b"\x03\x01\x6a\x00\x00\x07\x7f"):
        reply = client.request("FolderSync", body=body)
        assert (reply.status, reply.tree and reply.tree.value("Status")) == expected


@pytest.mark.parametrize("version,expected", [("12.1", (400, None)), ("14.1", (200, "103"))])
def test_tags_of_a_newer_version(fresh, version, expected):
    client = fresh(version)
    tree = E("Find:Find", E("SearchId", "1"), E("ExecuteSearch"))
    reply = client.request("FolderSync", tree)
    assert (reply.status, reply.tree and reply.tree.value("Status")) == expected
    wipe = E("Provision:Provision", E("AccountOnlyRemoteWipe", E("Status", 1)))
    reply = client.request("Provision", wipe)
    assert (reply.status, reply.tree and reply.tree.value("Status")) == expected


def test_commands_by_version(fresh):
    tree = E("Find:Find", E("SearchId", "1"), E("ExecuteSearch"))
    assert fresh("14.1").request("Find", tree).status == 501


def test_versions_can_be_chosen(exchange):
    exchange.options(eas_versions=["16.1"])
    client = EasClient(exchange.eas_url, USER, PASSWORD, version="14.1")
    assert client.options()[0] == {"16.1"}
    with raises_http(505):
        client.provision()


def test_options_variants(exchange):
    client = EasClient(exchange.eas_url, USER, PASSWORD)
    exchange.options(eas_options="duplicate")
    _, commands = client.options()
    assert "Sync" in commands and len(client.last.headers["ms-asprotocolcommands"].split(",")) == 2 * len(commands)
    exchange.options(eas_options="bare")
    with raises_http(200):
        client.options()
    assert "x-proxyerrormessage" in client.last.headers


def test_the_cookie_must_come_back_on_16(exchange, fresh):
    client = fresh("16.1")
    assert client.cookies
    client.cookies = {}
    client.close()
    client.folder_sync("0")  # a program that was just started has none
    client.cookies = {}
    with raises_http(400):
        client.folder_sync("0")  # but it was given one on this connection
    old = fresh("14.1")
    old.cookies = {}
    for _ in range(3):
        old.folder_sync("0")
        old.cookies = {}


def test_x_ms_rp_comes_once_after_an_upgrade(exchange, fresh):
    client = fresh("14.1")
    exchange.options(eas_rp="14.1,16.1")
    client.folder_sync()
    assert client.last.headers["x-ms-rp"] == "14.1,16.1"
    client.folder_sync()
    assert "x-ms-rp" not in client.last.headers


def test_redirect_throttle_and_login_page(exchange, fresh):
    client = fresh()
    exchange.fault(op="FolderSync", do="status", status=451, headers={"X-MS-Location": "https://other.example/x"})
    with raises_http(451):
        client.folder_sync()
    assert client.last.headers["x-ms-location"] == "https://other.example/x"
    exchange.fault(op="FolderSync", do="throttle", backoff_ms=7000)
    with raises_http(503):
        client.folder_sync()
    assert client.last.headers["retry-after"] == "7"
    exchange.fault(op="FolderSync", do="html")
    with raises_http(200):
        client.folder_sync()
    exchange.fault(op="FolderSync", do="status", status=401)
    with raises_http(401):
        client.folder_sync()
    client.folder_sync()


@pytest.mark.parametrize("do", ["nest", "wbxml_length", "wbxml_unknown", "garbage", "truncate"])
def test_spoilt_documents(exchange, fresh, do):
    client = fresh()
    exchange.fault(op="FolderSync", do=do, headers={"Content-Type": "application/vnd.ms-sync.wbxml"})
    with pytest.raises(ValueError):
        client.folder_sync("0")


@pytest.mark.parametrize("do", ["control_chars", "bad_utf8"])
def test_spoilt_text_still_decodes(exchange, fresh, do):
    client = fresh()
    exchange.fault(op="FolderSync", do=do)
    assert client.request("FolderSync", FOLDER_SYNC).tree is not None


def test_cut_answers(exchange, fresh):
    client = fresh()
    for do in ("cut", "lose", "bad_length", "reset_before"):
        exchange.fault(op="FolderSync", do=do)
        client.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            client.folder_sync("0")
    assert client.folder_sync("0") is not None


def test_users_are_apart(exchange, fresh):
    exchange.deliver(subject="for alice")
    client = fresh(user="bob@example.com")
    assert client.sync_all(client.folder(type="inbox").id) == {}
