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

_AMZ = b"x-amz-"
_DATE = "%Y%m%dT%H%M%SZ"
_EXPIRES = re.compile("[0-9]{1,6}")
_PARAMETERS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")


class Signature(Struct, frozen=True):
    """What a client says of its signature."""

    key_id: str
    date: str
    """The day of the credential scope, YYYYMMDD."""
    region: str
    service: str
    time: str
    """When it was made, as 20261231T235959Z."""
    headers: list[str]
    """Names of the headers that it covers."""
    value: str
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
    _check_time(signature, now)
    if signature.service != service:
        raise AwsError(SIGNATURE_MISMATCH, f"Credential should be scoped to correct service: '{service}'.")
    canonical = _canonical_request(request, path, parameters, signature)
    scope = f"{signature.date}/{signature.region}/{signature.service}/aws4_request"
    to_sign = f"{ALGORITHM}\n{signature.time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(secret(signature.key_id), signature.date, signature.region, signature.service)
    wanted = hmac.digest(key, to_sign.encode(), "sha256").hex()
    if not hmac.compare_digest(wanted.encode(), signature.value.encode()):
        raise AwsError(
            SIGNATURE_MISMATCH,
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )
    return signature.key_id


# What the client says


def _read(request: Request, parameters: list[tuple[str, str]]) -> Signature:
    authorization = _header(request, "authorization")
    if authorization.startswith(ALGORITHM):
        given = dict(_PARAMETERS.findall(authorization))
        return _signature(given, _header(request, "x-amz-date"), None, request)
    signed = {name.removeprefix("X-Amz-"): value for name, value in parameters if name.startswith("X-Amz-")}
    if signed.get("Algorithm") == ALGORITHM:
        return _signature(signed, signed.get("Date", ""), signed.get("Expires", ""), request)
    if authorization or "Algorithm" in signed:
        raise AwsError(INCOMPLETE_SIGNATURE, f"Requests are signed with {ALGORITHM}, and with nothing else.")
    raise AwsError(MISSING_TOKEN, "Request is missing Authentication Token")


def _signature(given: Mapping[str, str], time: str, validity: str | None, request: Request) -> Signature:
    missing = [name for name in ("Credential", "SignedHeaders", "Signature") if not given.get(name)]
    missing += [] if time else ["X-Amz-Date"]
    if missing:
        raise AwsError(INCOMPLETE_SIGNATURE, f"The signature lacks {', '.join(missing)}.")
    # A key id may hold slashes; the four parts behind it may not.
    key_id, *scope = given["Credential"].rsplit("/", 4)
    if len(scope) != 4 or scope[3] != "aws4_request":
        raise AwsError(INCOMPLETE_SIGNATURE, "Credential must be <key id>/YYYYMMDD/REGION/SERVICE/aws4_request.")
    if validity is not None and not (_EXPIRES.fullmatch(validity) and 1 <= int(validity) <= LONGEST_VALIDITY):
        raise AwsError(INCOMPLETE_SIGNATURE, f"X-Amz-Expires must be 1 to {LONGEST_VALIDITY} seconds.")
    return Signature(
        key_id=key_id,
        date=scope[0],
        region=scope[1],
        service=scope[2],
        time=time,
        headers=_signed_headers(given["SignedHeaders"], request),
        value=given["Signature"],
        validity=None if validity is None else int(validity),
    )


def _signed_headers(names: str, request: Request) -> list[str]:
    signed = names.lower().split(";")
    wanted = {"host", *(name.decode() for name in request.headers if name.startswith(_AMZ))}
    if forgotten := wanted - set(signed):
        raise AwsError(SIGNATURE_MISMATCH, f"These headers must be signed: {', '.join(sorted(forgotten))}.")
    return signed


def _check_time(signature: Signature, now: float) -> None:
    try:
        made = datetime.strptime(signature.time, _DATE).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise AwsError(INCOMPLETE_SIGNATURE, "X-Amz-Date must be in ISO 8601's form YYYYMMDDTHHMMSSZ.") from error
    if not signature.time.startswith(signature.date):
        raise AwsError(SIGNATURE_MISMATCH, f"The credential's date {signature.date} is not that of X-Amz-Date.")
    good_for = CLOCK_SKEW if signature.validity is None else signature.validity
    if now > made + good_for:
        raise AwsError(SIGNATURE_MISMATCH, f"Signature expired: it was made at {signature.time}.")
    if now < made - CLOCK_SKEW:
        raise AwsError(SIGNATURE_MISMATCH, f"Signature not yet current: it was made at {signature.time}.")


# What was signed


def _canonical_request(request: Request, path: str, parameters: list[tuple[str, str]], signature: Signature) -> str:
    covered = sorted((quote(name, "-_.~"), quote(value, "-_.~")) for name, value in parameters)
    query = "&".join(f"{name}={value}" for name, value in covered if name != "X-Amz-Signature")
    headers = "".join([f"{name}:{' '.join(_header(request, name).split())}\n" for name in signature.headers])
    payload = _header(request, "x-amz-content-sha256")
    if payload != UNSIGNED:
        payload = hashlib.sha256(request.body).hexdigest()
    # The path is encoded a second time (S3 alone does not).
    return "\n".join([request.method, quote(path, "/-_.~"), query, headers, ";".join(signature.headers), payload])


def _header(request: Request, name: str) -> str:
    """Empty where it is not there. Raises UnicodeDecodeError."""
    return request.headers.get(name.encode(), b"").decode()


def _query_parameters(query: str) -> list[tuple[str, str]]:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


@lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
