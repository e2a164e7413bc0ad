"""Signature Version 4 against botocore's own signer."""

import gc
import hmac
import time
import tracemalloc
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from quintet_broker.errors import UnknownKey
from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.aws.sigv4 import UNSIGNED, Signer, verify
from quintet_broker.protocols.whole import Request, joined

KEY, SECRET = "Q.default.orders.1", "a secret / with + signs"
HOST = "localhost:9400"

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
header_values = st.text(st.sampled_from("abc 123;=,/"), max_size=12)


def secret(key_id: str) -> str:
    if key_id != KEY:
        raise UnknownKey
    return SECRET


def signed(
    method: str = "POST",
    path: str = "/",
    query: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = b"{}",
    signer: Callable[..., Any] = SigV4Auth,
    region: str = "eu-west-1",
    **options: Any,
) -> Request:
    """As botocore signs it, and as it comes over the wire."""
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, headers or {}, body)
    signer(Credentials(KEY, SECRET), "sqs", region, **options).add_auth(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    # A presigned request has its body in the query.
    sent = {"Host": HOST, **prepared.headers}
    return Request(method, target, on_the_wire(sent), prepared.body or b"")


def on_the_wire(headers: dict[str, str | bytes]) -> dict[bytes, bytes]:
    return joined(
        [(name.encode(), text if isinstance(text, bytes) else text.encode()) for name, text in headers.items()]
    )


def check(request: Request, now: float | None = None) -> str:
    return verify(request, "sqs", secret, time.time() if now is None else now)


def refused(request: Request, now: float | None = None) -> tuple[str, int]:
    """(code, status) of the refusal."""
    with pytest.raises(AwsError) as caught:
        check(request, now)
    return caught.value.kind.code, caught.value.kind.status


@given(
    method=st.sampled_from(["GET", "POST"]),
    segments=st.lists(words, max_size=3),
    query=st.lists(st.tuples(words, words), max_size=3),
    headers=st.dictionaries(st.sampled_from(["X-Amz-Target", "X-Other", "Content-Type"]), header_values),
    body=st.binary(max_size=20),
    region=st.sampled_from(["us-east-1", "eu-west-1", "nowhere-9"]),
)
def test_what_botocore_signs_is_accepted(
    method: str,
    segments: list[str],
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    region: str,
) -> None:
    path = "/" + "/".join(quote(segment, "") for segment in segments if segment not in (".", ".."))
    pairs = "&".join(f"{quote(name, '-_.~')}={quote(value, '-_.~')}" for name, value in query)
    assert check(signed(method, path, pairs, headers, body, region=region)) == KEY


@given(
    st.sampled_from(["method", "path", "query", "body", "header", "signature", "key"]),
    st.binary(min_size=1, max_size=8),
    st.sampled_from([SigV4Auth, SigV4QueryAuth]),
)
def test_what_was_changed_is_refused(part: str, change: bytes, signer: Callable[..., Any]) -> None:
    good = signed("POST", "/000000000000/orders", "Action=SendMessage", {"X-Amz-Target": "AmazonSQS.A"}, signer=signer)
    assert check(good) == KEY
    target = good.target
    headers = dict(good.headers)
    if part == "method":
        bad = structs.replace(good, method="GET")
    elif part == "path":
        bad = structs.replace(good, target=target.replace("/orders", f"/orders{change.hex()}"))
    elif part == "query":
        bad = structs.replace(good, target=target + ("&" if "?" in target else "?") + change.hex())
    elif part == "body":
        bad = structs.replace(good, body=good.body + change)
    elif part == "header":
        headers[b"x-amz-target"] = f"AmazonSQS.{change.hex()}".encode()
        bad = structs.replace(good, headers=headers)
    else:
        old, new = ("Signature=", "Signature=0") if part == "signature" else ("Credential=Q.", "Credential=Q.x")
        if signature := headers.get(b"authorization"):
            headers[b"authorization"] = signature.replace(old.encode(), new.encode())
        bad = structs.replace(good, headers=headers, target=target.replace(old, new))
    if part == "key":
        with pytest.raises(UnknownKey):
            check(bad)
    else:
        assert refused(bad) == ("SignatureDoesNotMatch", 403)


def test_the_clock() -> None:
    request, now = signed(), time.time()
    assert check(request, now + 895) == check(request, now - 895) == KEY
    assert refused(request, now + 905) == refused(request, now - 905) == ("SignatureDoesNotMatch", 403)


def test_a_presigned_request_is_good_as_long_as_it_says() -> None:
    request, now = signed("GET", "/", "Action=ListQueues", body=b"", signer=SigV4QueryAuth, expires=3600), time.time()
    assert check(request, now + 3595) == KEY
    assert refused(request, now + 3605) == ("SignatureDoesNotMatch", 403)
    for validity in "0", "604801", "x", "9" * 400, "":
        bad = structs.replace(request, target=request.target.replace("Expires=3600", f"Expires={validity}"))
        assert refused(bad) == ("IncompleteSignature", 400)


def test_an_unsigned_payload_may_change() -> None:
    class Unsigned(SigV4Auth):  # type: ignore[misc]  # botocore has no types
        def payload(self, request: Any) -> str:
            return UNSIGNED

    request = signed(headers={"X-Amz-Content-SHA256": UNSIGNED}, signer=Unsigned)
    assert check(structs.replace(request, body=b"anything")) == KEY
    # To say so afterwards is of no use.
    other = signed()
    headers = dict(other.headers)
    headers[b"x-amz-content-sha256"] = UNSIGNED.encode()
    assert refused(structs.replace(other, headers=headers))[0] == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "MissingAuthenticationToken"),
        ("Basic abc", "IncompleteSignature"),
        ("AWS4-HMAC-SHA256", "IncompleteSignature"),
        ("AWS4-HMAC-SHA256 Credential=a/20260101/r/sqs/aws4_request, Signature=00", "IncompleteSignature"),
        ("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host;x-amz-date, Signature=00", "IncompleteSignature"),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260101/r/sqs/aws4_request, SignedHeaders=host, Signature=00",
            "SignatureDoesNotMatch",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260101/r/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00",
            "SignatureDoesNotMatch",
        ),
    ],
)
def test_incomplete_signatures(authorization: str, code: str) -> None:
    headers = on_the_wire({"Host": HOST, "X-Amz-Date": "20260101T000000Z", "Authorization": authorization})
    status = {"IncompleteSignature": 400}.get(code, 403)
    midnight = 1767225600.0
    assert refused(Request("POST", "/", headers, b""), midnight) == (code, status)


@given(st.permutations(["Credential", "SignedHeaders", "Signature"]), st.sampled_from([", ", ",", " , ", " "]))
def test_the_parts_of_a_signature_may_come_in_any_order(order: list[str], between: str) -> None:
    good = signed()
    name, said = good.headers[b"authorization"].decode().split(" ", 1)
    parts = dict(part.split("=", 1) for part in said.split(", "))
    text = between.join(f"{part}={parts[part]}" for part in order)
    other = structs.replace(good, headers=good.headers | {b"authorization": f"{name} {text}".encode()})
    assert check(good) == check(other) == KEY
    # What was said of a good one is known by now.
    wrong = other.headers[b"authorization"].replace(parts["Signature"].encode(), b"0" * 64)
    bad = structs.replace(other, headers=other.headers | {b"authorization": wrong})
    assert refused(bad) == ("SignatureDoesNotMatch", 403)


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=200), max_size=3))
def test_a_signer_makes_hmacs(key: bytes, texts: list[bytes]) -> None:
    signer = Signer(key)
    assert [signer.sign(text) for text in texts] == [hmac.digest(key, text, "sha256").hex() for text in texts]


def test_dates_that_cannot_be() -> None:
    good = signed()
    for date, code in (
        ("yesterday", "IncompleteSignature"),
        ("20260231T000000Z", "IncompleteSignature"),
        ("20200101T000000Z", "SignatureDoesNotMatch"),
    ):
        headers = dict(good.headers)
        headers[b"x-amz-date"] = date.encode()
        assert refused(structs.replace(good, headers=headers))[0] == code


def test_wrong_signatures_of_many_headers_leave_little_behind() -> None:
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())

    def request(number: int) -> Request:
        names = ";".join(["host", "x-amz-date", *(f"{number}-{place}" for place in range(1000))])
        said = f"Credential={KEY}/{date[:8]}/r/sqs/aws4_request, SignedHeaders={names}, Signature={0:064}"
        authorization = f"AWS4-HMAC-SHA256 {said}"
        headers = on_the_wire({"Host": HOST, "X-Amz-Date": date, "Authorization": authorization})
        return Request("POST", "/", headers, b"")

    refused(request(0))
    tracemalloc.start()
    try:
        for number in range(1, 101):
            assert refused(request(number)) == ("SignatureDoesNotMatch", 403)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1024 * 1024
