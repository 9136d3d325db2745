# SPDX-License-Identifier: Apache-2.0
"""A browser for tests: opens an address, fills the login server's form, and goes where that sends it."""
import html
import http.client
import re
import urllib.parse


class Page:
    def __init__(self, url, status, headers, body):
        self.url, self.status, self.headers, self.body = url, status, headers, body

    @property
    def location(self):
        return self.headers.get("Location")


def get(url, method="GET", body=None, headers=None, host=None):
    """One request, no redirects. host: what the connection goes to, when it is not what the address says."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(host or "127.0.0.1", parts.port, timeout=30)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    try:
        connection.request(method, target, body, {"Host": parts.netloc, **(headers or {})})
        answer = connection.getresponse()
        return Page(url, answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
    finally:
        connection.close()


def submit(page, **fields):
    """The form of a page, with these fields; the rest as it stands there."""
    action = html.unescape(re.search(r'<form[^>]* action="([^"]*)"', page.body).group(1))
    values = {}
    for tag in re.findall(r"<input[^>]*>", page.body):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        values[name.group(1)] = html.unescape(value.group(1)) if value else ""
    values.update(fields)
    return get(
        urllib.parse.urljoin(page.url, action),
        "POST",
        urllib.parse.urlencode(values),
        {"Content-Type": "application/x-www-form-urlencoded"},
    )


def sign_in(url, user, password, do="yes"):
    """Up to the redirect back; the page that has it."""
    page = get(url)
    assert page.status == 200, page.body
    return submit(page, user=user, password=password, do=do)


def go_back(page, **kwargs):
    """What the program's port answers."""
    assert page.status == 302, page.body
    return get(page.location, **kwargs)
