# SPDX-License-Identifier: Apache-2.0
"""The stand-in's autodiscover itself: what it refuses, and that its answers are well-formed and in the right namespaces."""
import base64
import http.client
import json

import pytest
from lxml import etree

from autodiscover import BASE
from standin import PASSWORD, USER, Standin

OUTLOOK, MOBILE = BASE + "outlook/", BASE + "mobilesync/"
PATH = "/autodiscover/autodiscover.xml"


@pytest.fixture
def exchange():
    with Standin() as server:
        yield server


def question(schema, answer, email=USER):
    return (f'<?xml version="1.0"?><Autodiscover xmlns="{schema}requestschema/2006"><Request><EMailAddress>{email}</EMailAddress>'
            f"<AcceptableResponseSchema>{answer}</AcceptableResponseSchema></Request></Autodiscover>")


def send(exchange, method, path, body=None, content_type="text/xml; charset=utf-8", signed=True):
    connection = http.client.HTTPConnection("127.0.0.1", exchange.port, timeout=30)
    headers = {"Content-Type": content_type}
    if signed:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def test_outlook(exchange):
    status, data = send(exchange, "POST", PATH, question(OUTLOOK, OUTLOOK + "responseschema/2006a"))
    root = etree.fromstring(data)
    ns = {"r": OUTLOOK + "responseschema/2006a"}
    assert status == 200 and root.tag == f"{{{BASE}responseschema/2006}}Autodiscover"
    assert root.findtext("r:Response/r:Account/r:Action", None, ns) == "settings"
    types = [e.text for e in root.findall("r:Response/r:Account/r:Protocol/r:Type", ns)]
    assert types == ["EXCH", "EXPR", "EXHTTP", "WEB"]
    assert root.findtext("r:Response/r:User/r:AutoDiscoverSMTPAddress", None, ns) == USER


def test_mobile(exchange):
    status, data = send(exchange, "POST", PATH, question(MOBILE, MOBILE + "responseschema/2006"))
    ns = {"r": MOBILE + "responseschema/2006"}
    url = etree.fromstring(data).findtext("r:Response/r:Action/r:Settings/r:Server/r:Url", None, ns)
    assert status == 200 and url.endswith("/Microsoft-Server-ActiveSync")


@pytest.mark.parametrize("body, code", [("<x/>", 600), ("no XML", 600), (question(OUTLOOK, "x"), 601),
                                        (question(OUTLOOK, OUTLOOK + "responseschema/2006a", ""), 600)])
def test_refused_questions(exchange, body, code):
    status, data = send(exchange, "POST", PATH, body)
    assert status == 200 and f"<ErrorCode>{code}</ErrorCode>".encode() in data
    assert exchange.violations()


def test_unknown_address(exchange):
    body = question(OUTLOOK, OUTLOOK + "responseschema/2006a", "nobody@example.com")
    assert b"<ErrorCode>500</ErrorCode>" in send(exchange, "POST", PATH, body)[1]


def test_signing_in(exchange):
    body = question(OUTLOOK, OUTLOOK + "responseschema/2006a")
    assert send(exchange, "POST", PATH, body, signed=False)[0] == 401
    assert send(exchange, "POST", PATH, body, content_type="text/plain")[0] == 415
    assert [e["authorization"] for e in exchange.log()] == [None, "Basic"]


@pytest.mark.parametrize("path, status, key", [("v1.0/alice%40example.com?Protocol=EWS", 200, "Url"),
                                               ("v1.0/alice@example.com?Protocol=ActiveSync", 200, "Url"),
                                               ("v1.0/alice@example.com?Protocol=IMAP", 400, "ErrorCode"),
                                               ("v1.0/alice@example.com", 400, "ErrorCode"),
                                               ("v1.0/alice?Protocol=EWS", 400, "ErrorCode")])
def test_json(exchange, path, status, key):
    got, data = send(exchange, "GET", "/autodiscover/autodiscover.json/" + path, signed=False)
    assert got == status and key in json.loads(data)
