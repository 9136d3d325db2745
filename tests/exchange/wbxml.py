# SPDX-License-Identifier: Apache-2.0
"""WBXML as Exchange ActiveSync uses it (MS-ASWBXML, WAP-192-WBXML): a strict decoder and an encoder.

A document is a tree of `El`.  Tags are written `Namespace:Tag`; a tag without namespace takes the one of the element
around it, so a request reads like the specification:

    E("AirSync:Sync", E("Collections", E("Collection", E("SyncKey", "0"), E("CollectionId", "5"))))

Children are elements, text (str, sent as STR_I) or bytes (sent as OPAQUE).  Text that is not UTF-8 on the wire survives
as surrogate escapes, so MIME in a STR_I comes out byte for byte through `El.bytes`.

The decoder accepts what the specification allows and nothing else: no string table, no attributes, no entities, no
unknown token, no text beside elements, no bytes after the root, bounded depth.  There is no lax mode: this codec judges.
"""

from wbxml_tags import PAGES

HEADER = b"\x03\x01\x6a\x00"  # WBXML 1.3, public id 1 (unknown), UTF-8, empty string table
SWITCH_PAGE, END, STR_I, OPAQUE = 0x00, 0x01, 0x03, 0xC3
MAX_DEPTH = 64
VERSIONS = ("2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1")


class WbxmlError(ValueError):
    """The bytes are not the WBXML that MS-ASWBXML allows; `offset` says where."""

    def __init__(self, text, offset=None):
        super().__init__(text if offset is None else f"{text} at byte {offset}")
        self.offset = offset


def parse_pages(pages):
    """The table above as {(namespace, tag): (page, token)}, its reverse, and the version range of each tag."""
    tokens, names, spans = {}, {}, {}
    for page, namespace, text in pages:
        token = None
        for word in text.split():
            if word.endswith(":"):
                token = int(word[:-1], 16)
                continue
            tag, _, span = word.partition("@")
            first, last = (VERSIONS[0], span[1:]) if span.startswith("-") else (span or VERSIONS[0], VERSIONS[-1])
            if not 0x05 <= token <= 0x3F or (page, token) in names or (namespace, tag) in tokens:
                raise AssertionError(f"bad code page table: {namespace}:{tag}")
            tokens[namespace, tag] = page, token
            names[page, token] = namespace, tag
            spans[namespace, tag] = VERSIONS.index(first), VERSIONS.index(last)
            token += 1
    return tokens, names, spans


TOKENS, NAMES, SPANS = parse_pages(PAGES)
NAMESPACES = {namespace for _, namespace, _ in PAGES}


class El:
    """One element: namespace, tag, children (El, str or bytes)."""

    __slots__ = ("ns", "tag", "children")

    def __init__(self, ns, tag, children=()):
        if (ns, tag) not in TOKENS:
            raise WbxmlError(f"no such tag: {ns}:{tag}")
        self.ns, self.tag, self.children = ns, tag, list(children)

    @property
    def name(self):
        return f"{self.ns}:{self.tag}"

    @property
    def elements(self):
        return [c for c in self.children if isinstance(c, El)]

    @property
    def bytes(self):
        """The content as bytes, whether it came as text or opaque."""
        return b"".join(
            c if isinstance(c, bytes) else c.encode("utf-8", "surrogateescape")
            for c in self.children
            if not isinstance(c, El)
        )

    @property
    def text(self):
        return self.bytes.decode("utf-8", "surrogateescape")

    @property
    def opaque(self):
        return any(isinstance(c, bytes) for c in self.children)

    def add(self, name, *children):
        """Append a child element; returns it."""
        child = E(name if ":" in name else f"{self.ns}:{name}", *children)
        self.children.append(child)
        return child

    def all(self, path):
        """Elements below this one by path ("Collections/Collection"); a step may carry a namespace."""
        found = [self]
        for step in path.split("/"):
            found = [c for e in found for c in e.elements if step in (c.tag, c.name)]
        return found

    def get(self, path):
        found = self.all(path)
        return found[0] if found else None

    def value(self, path, default=None):
        found = self.get(path)
        return default if found is None else found.text

    def has(self, path):
        return bool(self.all(path))

    def __eq__(self, other):
        return isinstance(other, El) and (self.ns, self.tag, self.children) == (other.ns, other.tag, other.children)

    def __repr__(self):
        return f"<{self.name} {self.children!r}>"

    def dump(self, indent=0):
        """Readable text of the tree, long content shortened."""
        pad = "  " * indent
        if not self.elements:
            content = self.bytes
            shown = repr(content[:120]) + (f"...({len(content)})" if len(content) > 120 else "")
            return f"{pad}{self.name} = {shown}" if content else f"{pad}{self.name}"
        return "\n".join([f"{pad}{self.name}"] + [c.dump(indent + 1) for c in self.elements])


def E(name, *children):
    """Build an element; children may be El, str, int, bytes, or None (left out)."""
    ns, _, tag = name.rpartition(":")
    kids = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, (list, tuple)):
            kids.extend(c for c in child if c is not None)
        elif isinstance(child, int):
            kids.append(str(child))
        else:
            kids.append(child)
    if not ns:
        return Unplaced(tag, kids)
    element = El(ns, tag, ())
    element.children = [place(c, ns) for c in kids]
    return element


class Unplaced:
    """An element without namespace, waiting for the one around it."""

    def __init__(self, tag, children):
        self.tag, self.children = tag, children


def place(child, ns):
    if isinstance(child, Unplaced):
        element = El(ns, child.tag, ())
        element.children = [place(c, ns) for c in child.children]
        return element
    return child


def mb_u_int32(number):
    out = [number & 0x7F]
    number >>= 7
    while number:
        out.append(0x80 | (number & 0x7F))
        number >>= 7
    return bytes(reversed(out))


def encode(root, verbose=False):
    """The tree as bytes.  Empty text is left out: an empty element has no content bit.

    `verbose` says the same in more words, all of them allowed: a page switch before each tag, empty elements with content
    and END, long strings in two pieces."""
    out = bytearray(HEADER)
    page = 0
    stack = [iter([root])]
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
            if stack:
                out.append(END)
            continue
        if isinstance(item, El):
            want, token = TOKENS[item.ns, item.tag]
            if want != page or verbose:
                out += bytes((SWITCH_PAGE, want))
                page = want
            children = [c for c in item.children if c not in ("", b"")]
            out.append(token | (0x40 if children or verbose else 0))
            if children or verbose:
                stack.append(iter(children))
        elif isinstance(item, bytes):
            out.append(OPAQUE)
            out += mb_u_int32(len(item)) + item
        elif isinstance(item, str):
            data = item.encode("utf-8", "surrogateescape")
            if b"\0" in data:
                raise WbxmlError("NUL in a string")
            cut = len(data) // 2 if verbose and len(data) > 64 else 0
            if cut:
                out.append(STR_I)
                out += data[:cut] + b"\0"
            out.append(STR_I)
            out += data[cut:] + b"\0"
        else:
            raise WbxmlError(f"cannot encode {item!r}")
    return bytes(out)


class Decoder:
    """One document; see `decode`."""

    def __init__(self, data):
        self.data, self.at, self.page = data, 0, 0

    def byte(self):
        if self.at >= len(self.data):
            raise WbxmlError("document ends early", self.at)
        self.at += 1
        return self.data[self.at - 1]

    def length(self):
        number = 0
        for _ in range(5):
            b = self.byte()
            number = number << 7 | b & 0x7F
            if not b & 0x80:
                if number > 0xFFFFFFFF:
                    raise WbxmlError("mb_u_int32 too large", self.at)
                return number
        raise WbxmlError("mb_u_int32 longer than 5 bytes", self.at)

    def string(self):
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise WbxmlError("string without end", self.at)
        raw, self.at = self.data[self.at : end], end + 1
        return raw.decode("utf-8", "surrogateescape")

    def opaque(self):
        size = self.length()
        if size > len(self.data) - self.at:
            raise WbxmlError("opaque longer than the document", self.at)
        self.at += size
        return self.data[self.at - size : self.at]

    def switch(self):
        self.page = self.byte()
        if not any(self.page == number for number, _, _ in PAGES):
            raise WbxmlError(f"unknown code page {self.page}", self.at - 1)

    def run(self):
        if self.data[: len(HEADER)] != HEADER:
            raise WbxmlError("not the header 03 01 6A 00", 0)
        self.at = len(HEADER)
        root, stack = None, []
        while root is None or stack:
            token = self.byte()
            if token == SWITCH_PAGE:
                self.switch()
            elif token == END:
                if not stack:
                    raise WbxmlError("END without element", self.at - 1)
                stack.pop()
            elif token in (STR_I, OPAQUE):
                if not stack or any(isinstance(c, El) for c in stack[-1].children[-1:]):
                    raise WbxmlError("text outside or beside elements", self.at - 1)
                stack[-1].children.append(self.string() if token == STR_I else self.opaque())
            else:
                element = self.element(token, stack)
                root = root or element
                if token & 0x40:
                    stack.append(element)
        if self.at != len(self.data):
            raise WbxmlError("bytes after the document", self.at)
        return root

    def element(self, token, stack):
        at = self.at - 1
        if token & 0x80 or token & 0x3F < 0x05:
            raise WbxmlError(f"token 0x{token:02X} is not used by ActiveSync", at)
        if (self.page, token & 0x3F) not in NAMES:
            raise WbxmlError(f"unknown tag 0x{token & 0x3F:02X} on page {self.page}", at)
        element = El(*NAMES[self.page, token & 0x3F])
        if stack:
            parent = stack[-1]
            if not all(isinstance(c, El) for c in parent.children[-1:]):
                raise WbxmlError("element beside text", at)
            parent.children.append(element)
        if len(stack) >= MAX_DEPTH:
            raise WbxmlError("too deep", at)
        return element


def decode(data):
    """Bytes to a tree; raises WbxmlError."""
    return Decoder(bytes(data)).run()


def known_in(element, version):
    """None when every tag of the tree exists in this protocol version, else the first that does not."""
    rank = VERSIONS.index(version)
    stack = [element]
    while stack:
        e = stack.pop()
        first, last = SPANS[e.ns, e.tag]
        if not first <= rank <= last:
            return e.name
        stack.extend(e.elements)
    return None
