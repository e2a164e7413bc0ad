"""Reader: finds requests that have come whole and are plain, by the parser of Node.js (llhttp)."""

import re

import httptools

from quintet_broker.protocols.whole import Request, joined

HEAD_BYTES = 8190
"""Of a whole head; aiohttp takes as many in each of its lines."""

_ADDRESS = re.compile(rb"POST (/(?:[0-9]{12}/[A-Za-z0-9_.-]{1,100})?) HTTP/1\.1\r\n")
_NOT_PLAIN = frozenset(
    [
        b"content-encoding",
        b"expect",
        # The parser takes nothing more behind one that says close, and all share the parser.
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ]
)


class Reader:
    """Reads POSTs to the addresses of AWS faces.

    It keeps nothing of one for the next, so one reader serves all connections.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._begun = self._headed = self._ended = 0

    def read(self, data: bytes) -> Request | int | None:
        """The request that `data` is, or how many bytes of its body are missing; None where it is anything else."""
        address = _ADDRESS.match(data)
        if address is None:
            return None
        self._headers, self._parts = [], []
        self._begun = self._headed = self._ended = 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._begun = 0
        headers = joined(self._headers)
        is_plain = self._begun == self._headed == 1 and _is_plain(headers)
        if not (is_plain and self._ended):
            # It stands amid something, or waits for an end.
            self._parser = httptools.HttpRequestParser(self)
        if not is_plain:
            return None
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        if not self._ended:
            return int(headers[b"content-length"]) - len(body)
        return Request("POST", address[1].decode(), headers, body) if len(data) - len(body) <= HEAD_BYTES else None

    # What the parser calls

    def on_message_begin(self) -> None:
        self._begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._headed += 1

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        self._ended += 1


def _is_plain(headers: dict[bytes, bytes]) -> bool:
    return (
        b"host" in headers
        and _NOT_PLAIN.isdisjoint(headers)
        and headers.get(b"connection", b"keep-alive").lower() == b"keep-alive"
    )
