"""What a reader takes for a whole request, and that it leaves all else alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.protocols.reader import HEAD_BYTES, Reader
from quintet_broker.protocols.whole import Request

bodies = st.binary(max_size=300)


def post(body: bytes, *headers: bytes, line: bytes = b"POST / HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: a", *headers, b"Content-Length: %d" % len(body), b"", body])


@given(bodies, st.sampled_from([b"/", b"/000000000000/orders", b"/000000000000/orders.fifo"]))
def test_a_whole_request_is_read(body: bytes, target: bytes) -> None:
    found = Reader().read(
        post(body, b"X-A: 1", b"x-a: 2", b"CONNECTION: Keep-Alive", line=b"POST %b HTTP/1.1" % target)
    )
    assert isinstance(found, Request)
    assert (found.method, found.target, found.body) == ("POST", target.decode(), body)
    assert found.headers == {
        b"host": b"a",
        b"x-a": b"1,2",
        b"connection": b"Keep-Alive",
        b"content-length": b"%d" % len(body),
    }


def test_a_request_may_have_no_body() -> None:
    found = Reader().read(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert isinstance(found, Request)
    assert found.body == b""


@given(bodies.filter(bool), st.data())
def test_what_is_missing_of_a_body_is_told(body: bytes, data: st.DataObject) -> None:
    reader, whole = Reader(), post(body)
    missing = data.draw(st.integers(1, len(body)))
    assert reader.read(whole[:-missing]) == missing
    assert isinstance(reader.read(whole), Request)


NOT_PLAIN = [
    post(b"{}", line=b"GET / HTTP/1.1"),
    post(b"{}", line=b"POST / HTTP/1.0"),
    post(b"{}", line=b"POST /v1/queues HTTP/1.1"),
    post(b"{}", line=b"POST /?Action=ListQueues HTTP/1.1"),
    post(b"{}", line=b"POST /000000000000/a%2Fb HTTP/1.1"),
    post(b"{}", line=b"POST http://a/ HTTP/1.1"),
    post(b"{}", b"Expect: 100-continue"),
    post(b"{}", b"Content-Encoding: gzip"),
    post(b"{}", b"Connection: close"),
    post(b"{}", b"Proxy-Connection: close"),
    post(b"{}", b"Connection: Upgrade", b"Upgrade: websocket"),
    post(b"{}", b"X: " + b"x" * HEAD_BYTES),
    post(b"{}", b"Content-Length: 2"),
    post(b"{}", b"Content-Length: 3"),
    post(b"{}", b"Transfer-Encoding: chunked"),
    post(b"{}", b"Transfer-Encoding : chunked"),
    post(b"{}", b"no colon"),
    post(b"{}", b"X: a\x00b"),
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le",
    b"POST / HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}",
    post(b"{}") + post(b"{}"),
    post(b"{}") + b"G",
    post(b"{}") + b"\x00",
    b"POST / HTTP/1.1\r\n",
    b"",
]


@pytest.mark.parametrize("data", NOT_PLAIN)
def test_all_else_is_left_and_spoils_nothing(data: bytes) -> None:
    reader = Reader()
    assert reader.read(data) is None
    assert isinstance(reader.read(post(b"{}")), Request)


@given(st.lists(st.sampled_from([*NOT_PLAIN, post(b"{}"), post(b"{}")[:-1]]), max_size=5), st.binary(max_size=40))
def test_what_came_before_makes_no_difference(before: list[bytes], data: bytes) -> None:
    reader = Reader()
    for other in before:
        reader.read(other)
    for some in data, post(data), post(data) + data, post(data, data):
        assert reader.read(some) == Reader().read(some)
