# SPDX-License-Identifier: Apache-2.0
"""Proxies towards Exchange: from the configuration, from the environment, and the exceptions."""
import subprocess

import bridge as rig
import pytest
from bridge import Account, poll
from proxy import Proxy

HOST = "mail.corp.test"  # nobody can resolve it but a proxy


def make_pair(folder):
    """A certificate for HOST, and for a proxy here, that is its own authority."""
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST},IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_pair(tmp_path_factory.mktemp("cert"))


def start(stage, pair, env=(), **keys):
    server = stage.exchange("--corpus", "3", "--tls", *pair)
    account = Account("work", server, url=f"https://{HOST}:{server.port}/EWS/Exchange.asmx", ca_file=pair[0], **keys)
    clean = ["env", "-u", "no_proxy", "-u", "NO_PROXY", "-u", "https_proxy", "-u", "HTTPS_PROXY", "-u", "ALL_PROXY", "-u", "all_proxy"]
    return stage.bridge(account, command=[*clean, *env]), server


@pytest.mark.parametrize("kind", ["http", "socks"])
@pytest.mark.parametrize("where", ["configuration", "environment"])
def test_proxy(stage, pair, kind, where):
    with Proxy(kind) as proxy:
        keys = {"proxy": proxy.url} if where == "configuration" else {}
        bridge, server = start(stage, pair, [] if keys else [f"https_proxy={proxy.url}"], **keys)
        client = bridge.login("work")
        assert client.open()["exists"] == 3
        assert len(client.bodies("1:*")) == 3
        what = "CONNECT" if kind == "http" else "1"
        assert set(proxy.asked) == {f"{what} {HOST}:{server.port}"}


def test_https_proxy(stage, pair):
    """One with a certificate of the house's own authority: ca-file is for it, too."""
    with Proxy("https", tls=pair) as proxy:
        bridge, server = start(stage, pair, proxy=proxy.url)
        assert bridge.login("work").open()["exists"] == 3
        assert set(proxy.asked) == {f"CONNECT {HOST}:{server.port}"}


@pytest.mark.parametrize("where", ["configuration", "environment"])
def test_https_proxy_that_is_not_trusted(stage, pair, where):
    """What is wrong is the proxy's certificate, and that is said."""
    other = make_pair(stage.directory)
    with Proxy("https", tls=other) as proxy:
        keys = {"proxy": proxy.url} if where == "configuration" else {}
        bridge, _ = start(stage, pair, [] if keys else [f"https_proxy={proxy.url}"], **keys)
        poll(60, lambda: bridge.log_lines(rf"warn .*work\]: .*{HOST}: the proxy's certificate is not trusted"), bridge.tail)
        assert all(asked.startswith("TLS: ") for asked in proxy.asked)


def test_none_and_no_proxy(stage, pair):
    with Proxy("http") as proxy:
        for env, keys in (([f"https_proxy={proxy.url}"], {"proxy": "none"}),
                          ([f"https_proxy={proxy.url}", f"no_proxy=localhost,{HOST}"], {})):
            bridge, _ = start(stage, pair, env, **keys)
            poll(60, lambda: bridge.log_lines(rf"warn .*work\]: .*{HOST}"))  # without the proxy the name is unknown
            assert "esolve" in bridge.log()
            bridge.stop()
            stage.bridges.remove(bridge)
        assert proxy.asked == []


def test_the_configuration_is_stronger(stage, pair):
    with Proxy("http") as one, Proxy("socks") as other:
        bridge, _ = start(stage, pair, [f"https_proxy={one.url}", f"no_proxy={HOST}"], proxy=other.url)
        assert bridge.login("work").open()["exists"] == 3
        assert not one.asked and other.asked


def test_loopback_needs_no_proxy(stage):
    """A gateway on this machine is not looked for behind the company's proxy."""
    with Proxy("http") as proxy:
        server = stage.exchange("--corpus", "3")
        bridge = stage.bridge(Account("work", server), command=["env", f"http_proxy={proxy.url}", f"https_proxy={proxy.url}"])
        assert bridge.login("work").open()["exists"] == 3
        assert proxy.asked == []


@pytest.mark.parametrize("refuse, text", [
    (b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n", "407"),
    (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "403"),
    (b"", ""),
])
def test_a_proxy_that_refuses(stage, pair, refuse, text):
    """The account is offline and says why; it is never a wrong password."""
    with Proxy("http", refuse or b" ") as proxy:
        bridge, _ = start(stage, pair, proxy=proxy.url)
        line = poll(60, lambda: bridge.log_lines(rf"(warn|error) .*work\]: .*{HOST}"))[0]
        assert text in line and "roxy" in line
        client = bridge.login("work")
        client.ok("NOOP")
        proxy.refuse = None  # put right
        bridge.restart()
        assert bridge.login("work").open()["exists"] == 3
