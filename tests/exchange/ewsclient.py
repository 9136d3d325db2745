# SPDX-License-Identifier: Apache-2.0
"""A bare EWS client for the stand-in's own tests: it sends what it is told, right or wrong."""
import base64
import http.client

from lxml import etree

from standin import PASSWORD, USER

NS = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
}
DECLARATIONS = " ".join(f'xmlns:{k}="{v}"' for k, v in NS.items())
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def envelope(body, version="Exchange2013_SP1"):
    header = f'<s:Header><t:RequestServerVersion Version="{version}"/></s:Header>' if version else ""
    return f"<s:Envelope {DECLARATIONS}>{header}<s:Body>{body}</s:Body></s:Envelope>"


class Answer:
    def __init__(self, status, headers, data):
        self.status, self.headers, self.data = status, headers, data
        self.tree = None
        if data.lstrip(b"\xef\xbb\xbf").startswith(b"<") and b"Envelope" in data:
            try:
                self.tree = etree.fromstring(data, etree.XMLParser(recover=True, huge_tree=True))
            except etree.XMLSyntaxError:
                pass  # bytes that are no UTF-8

    def find(self, path):
        return self.tree.find(path, NS)

    def all(self, path):
        return self.tree.findall(path, NS)

    def text(self, path):
        return self.tree.findtext(path, None, NS)

    @property
    def codes(self):
        """The response code of every response message."""
        return [c.text for c in self.all(".//m:ResponseCode")]

    @property
    def fault(self):
        return self.text(".//e:ResponseCode")

    def ids(self, name="ItemId"):
        return [e.get("Id") for e in self.all(f".//t:{name}")]


class Client:
    def __init__(self, exchange, auth=BASIC):
        self.exchange, self.auth = exchange, auth
        self.connection = http.client.HTTPConnection("127.0.0.1", exchange.port, timeout=30)

    def raw(self, data, method="POST", path="/EWS/Exchange.asmx", **headers):
        given = {"Content-Type": "text/xml; charset=utf-8"}
        if self.auth:
            given["Authorization"] = self.auth
        given.update({k.replace("_", "-"): v for k, v in headers.items() if v is not None})
        self.connection.request(method, path, data.encode() if isinstance(data, str) else data, given)
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def post(self, body, version="Exchange2013_SP1", **headers):
        return self.raw(envelope(body, version), **headers)

    def sync(
        self, state="", folder='<t:DistinguishedFolderId Id="inbox"/>', limit=512, extra="", version="Exchange2013_SP1"
    ):
        given = f"<m:SyncState>{state}</m:SyncState>" if state else ""
        return self.post(
            f"<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{extra}</m:ItemShape>"
            f"<m:SyncFolderId>{folder}"
            f"</m:SyncFolderId>{given}<m:MaxChangesReturned>{limit}</m:MaxChangesReturned></m:SyncFolderItems>",
            version,
        )

    def sync_all(self, state="", limit=512):
        """(final state, [(kind, id)]) over all pages."""
        found = []
        while True:
            answer = self.sync(state, limit=limit)
            assert answer.codes == ["NoError"], answer.data
            state = answer.text(".//m:SyncState")
            for change in answer.find(".//m:Changes"):
                kind = etree.QName(change).localname
                found.append((kind, change.find(".//t:ItemId", NS).get("Id")))
            if answer.text(".//m:IncludesLastItemInRange") == "true":
                return state, found

    def items(self, ids, shape="IdOnly", mime=False, extra="", version="Exchange2013_SP1"):
        refs = "".join(f'<t:ItemId Id="{i}"/>' for i in ids)
        wish = "<t:IncludeMimeContent>true</t:IncludeMimeContent>" if mime else ""
        return self.post(
            f"<m:GetItem><m:ItemShape><t:BaseShape>{shape}</t:BaseShape>{wish}{extra}</m:ItemShape><m:ItemIds>{refs}"
            f"</m:ItemIds></m:GetItem>",
            version,
        )

    def subscribe(self, **headers):
        headers = {"X_AnchorMailbox": USER, "X_PreferServerAffinity": "true", **headers}
        return self.post(
            '<m:Subscribe><m:StreamingSubscriptionRequest SubscribeToAllFolders="true"><t:EventTypes>'
            "<t:EventType>NewMailEvent</t:EventType><t:EventType>CreatedEvent</t:EventType>"
            "<t:EventType>DeletedEvent</t:EventType><t:EventType>ModifiedEvent</t:EventType>"
            "<t:EventType>MovedEvent</t:EventType><t:EventType>CopiedEvent</t:EventType></t:EventTypes>"
            "</m:StreamingSubscriptionRequest></m:Subscribe>",
            **headers,
        )


def streaming(subscription, minutes=1):
    return (
        f"<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>{subscription}</t:SubscriptionId>"
        "</m:SubscriptionIds>"
        f"<m:ConnectionTimeout>{minutes}</m:ConnectionTimeout></m:GetStreamingEvents>"
    )
