"""AWS Signature Version 4, in an Authorization header or in a presigned query.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote

from msgspec import Struct

from quintet_broker.protocols.aws.errors import INCOMPLETE_SIGNATURE, MISSING_TOKEN, SIGNATURE_MISMATCH, AwsError
from quintet_broker.protocols.whole import Request

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW = 15 * 60
"""Seconds by which a client's clock may be wrong."""
LONGEST_VALIDITY = 7 * 24 * 60 * 60
"""Seconds for which a presigned request may be good."""
UNSIGNED = "UNSIGNED-PAYLOAD"
KEPT = 1024
"""Of each thing that signatures have in common."""
LONGEST_KEPT = 512
"""Bytes of what a scope is read from. A longer one is read each time: it would be kept whoever sent it."""

_ALGORITHM = ALGORITHM.encode()
_AMZ, _HOST = b"x-amz-", b"host"
_DIGITS = 64
"""Of a signature."""
_DATE = "%Y%m%dT%H%M%SZ"
_EXPIRES = re.compile("[0-9]{1,6}")
_SHA256 = hashlib.sha256()
"""Copied for each hash: to look an algorithm up takes longer than to hash a small request."""
_PARAMETERS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")


class Scope(Struct, frozen=True):
    """What is the same in many signatures of a client."""

    key_id: str
    date: str
    """The day of the credential scope, YYYYMMDD."""
    region: str
    service: str
    text: str
    """Of the four parts that follow the key id."""
    headers: frozenset[bytes]
    """Names of the headers that it covers."""
    header_names: bytes
    """The same in one text, in their order."""
    lines: tuple[tuple[bytes, bytes], ...]
    """Each of them, and how its line begins in what is signed."""


class Signature(Struct, frozen=True):
    """What a client says of its signature."""

    scope: Scope
    time: str
    """When it was made, as 20261231T235959Z."""
    value: bytes
    """64 hexadecimal digits."""
    validity: int | None
    """Seconds for which a presigned request is good."""


def verify(request: Request, service: str, secret: Callable[[str], str], now: float) -> str:
    """The access key id that signed the request, for any region; `now` is in seconds since 1970.

    `secret` finds the secret key of a key id. Raises AwsError, UnicodeError where a header is
    no text, and what `secret` raises.
    """
    path, _, query = request.target.partition("?")
    parameters = _query_parameters(query)
    signature = _read(request, parameters)
    scope = signature.scope
    _check_headers(scope, request)
    _check_time(signature, now)
    if scope.service != service:
        raise AwsError(SIGNATURE_MISMATCH, f"Credential should be scoped to correct service: '{service}'.")
    canonical = _canonical_request(request, path, parameters, scope)
    signer = _signer(secret(scope.key_id), scope.date, scope.region, scope.service)
    made = signer.sign(f"{ALGORITHM}\n{signature.time}\n{scope.text}\n{_sha256(canonical)}".encode())
    if not hmac.compare_digest(made.encode(), signature.value):
        raise AwsError(
            SIGNATURE_MISMATCH,
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )
    return scope.key_id


# What the client says


def _read(request: Request, parameters: list[tuple[str, str]]) -> Signature:
    authorization = request.headers.get(b"authorization", b"")
    if authorization.startswith(_ALGORITHM):
        time = _header(request, b"x-amz-date")
        # Of what a client says, all but the signature, which comes last, is the same for hours.
        said, _, value = authorization.rpartition(b"Signature=")
        if time and len(value) == _DIGITS and value.isalnum() and len(said) <= LONGEST_KEPT and (scope := _kept(said)):
            return Signature(scope, time, value, None)
        return _signature(_parameters(authorization), time, None)
    signed = {name.removeprefix("X-Amz-"): value for name, value in parameters if name.startswith("X-Amz-")}
    if signed.get("Algorithm") == ALGORITHM:
        return _signature(signed, signed.get("Date", ""), signed.get("Expires", ""))
    if authorization or "Algorithm" in signed:
        raise AwsError(INCOMPLETE_SIGNATURE, f"Requests are signed with {ALGORITHM}, and with nothing else.")
    raise AwsError(MISSING_TOKEN, "Request is missing Authentication Token")


def _parameters(authorization: bytes) -> dict[str, str]:
    return dict(_PARAMETERS.findall(authorization.decode()))


def _signature(given: Mapping[str, str], time: str, validity: str | None) -> Signature:
    missing = [name for name in ("Credential", "SignedHeaders", "Signature") if not given.get(name)]
    missing += [] if time else ["X-Amz-Date"]
    if missing:
        raise AwsError(INCOMPLETE_SIGNATURE, f"The signature lacks {', '.join(missing)}.")
    if validity is not None and not (_EXPIRES.fullmatch(validity) and 1 <= int(validity) <= LONGEST_VALIDITY):
        raise AwsError(INCOMPLETE_SIGNATURE, f"X-Amz-Expires must be 1 to {LONGEST_VALIDITY} seconds.")
    scope = _scope(given["Credential"], given["SignedHeaders"])
    return Signature(scope, time, given["Signature"].encode(), None if validity is None else int(validity))


@lru_cache(maxsize=KEPT)
def _kept(said: bytes) -> Scope | None:
    """Of an Authorization but for its signature; None where it lacks something else too."""
    given = _parameters(said)
    if not (given.get("Credential") and given.get("SignedHeaders")):
        return None
    return _scope(given["Credential"], given["SignedHeaders"])


def _scope(credential: str, signed_headers: str) -> Scope:
    # A key id may hold slashes; the four parts behind it may not.
    key_id, *parts = credential.rsplit("/", 4)
    if len(parts) != 4 or parts[3] != "aws4_request":
        raise AwsError(INCOMPLETE_SIGNATURE, "Credential must be <key id>/YYYYMMDD/REGION/SERVICE/aws4_request.")
    text = signed_headers.lower().encode()
    names = text.split(b";")
    date, region, service, _ = parts
    lines = tuple([(name, b"%b:" % name) for name in names])
    return Scope(key_id, date, region, service, "/".join(parts), frozenset(names), text, lines)


def _check_headers(scope: Scope, request: Request) -> None:
    covered = scope.headers
    forgotten = [name for name in request.headers if name not in covered and name.startswith(_AMZ)]
    forgotten += [] if _HOST in covered else [_HOST]
    if forgotten:
        names = b", ".join(sorted(forgotten)).decode()
        raise AwsError(SIGNATURE_MISMATCH, f"These headers must be signed: {names}.")


@lru_cache(maxsize=KEPT)
def _seconds(time: str) -> float:
    """Since 1970."""
    try:
        return datetime.strptime(time, _DATE).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise AwsError(INCOMPLETE_SIGNATURE, "X-Amz-Date must be in ISO 8601's form YYYYMMDDTHHMMSSZ.") from error


def _check_time(signature: Signature, now: float) -> None:
    made = _seconds(signature.time)
    date = signature.scope.date
    if not signature.time.startswith(date):
        raise AwsError(SIGNATURE_MISMATCH, f"The credential's date {date} is not that of X-Amz-Date.")
    good_for = CLOCK_SKEW if signature.validity is None else signature.validity
    if now > made + good_for:
        raise AwsError(SIGNATURE_MISMATCH, f"Signature expired: it was made at {signature.time}.")
    if now < made - CLOCK_SKEW:
        raise AwsError(SIGNATURE_MISMATCH, f"Signature not yet current: it was made at {signature.time}.")


# What was signed


def _canonical_request(request: Request, path: str, parameters: list[tuple[str, str]], scope: Scope) -> bytes:
    query = _canonical_query(parameters) if parameters else ""
    given = request.headers
    headers = b"\n".join([begin + b" ".join(given.get(name, b"").split()) for name, begin in scope.lines])
    payload = _header(request, b"x-amz-content-sha256")
    if payload != UNSIGNED:
        payload = _sha256(request.body)
    # The path is encoded a second time (S3 alone does not).
    first = f"{request.method}\n{path if path == '/' else quote(path, '/-_.~')}\n{query}\n"
    return b"%b%b\n\n%b\n%b" % (first.encode(), headers, scope.header_names, payload.encode())


def _canonical_query(parameters: list[tuple[str, str]]) -> str:
    covered = sorted([(quote(name, "-_.~"), quote(value, "-_.~")) for name, value in parameters])
    return "&".join([f"{name}={value}" for name, value in covered if name != "X-Amz-Signature"])


def _header(request: Request, name: bytes) -> str:
    """Empty where it is not there. Raises UnicodeDecodeError."""
    return request.headers.get(name, b"").decode()


def _query_parameters(query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def _sha256(content: bytes) -> str:
    hashed = _SHA256.copy()
    hashed.update(content)
    return hashed.hexdigest()


class Signer:
    """HMAC (RFC 2104) by one key, which is hashed once: hmac.HMAC takes twice as long for a text."""

    def __init__(self, key: bytes) -> None:
        """Of 32 bytes."""
        block = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in block]))
        self._outer = hashlib.sha256(bytes([byte ^ 0x5C for byte in block]))

    def sign(self, text: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return outer.hexdigest()


@lru_cache(maxsize=KEPT)
def _signer(secret: str, date: str, region: str, service: str) -> Signer:
    """What signs by the key of a scope."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return Signer(key)
