"""AWS JSON 1.0, as services that once spoke the query protocol speak it.

Source: https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html and aws-query-compatible in the same place.
"""

from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.aws.shapes import Names, misread, request_id
from quintet_broker.protocols.whole import Answer

CONTENT_TYPE = "application/x-amz-json-1.0"

NULLS_BYTES = 2 * 1024 * 1024
"""Of a body in which nulls are passed over: without types it takes up to thirty times as many, decoded."""

Found = TypeVar("Found", bound=Struct)


class Exchange(Struct, frozen=True, gc=False):
    """One request and its answer."""

    action: str
    body: bytes

    @property
    def fits_xml(self) -> bool:
        """Whether no text in it can have a character that XML cannot hold: JSON escapes them, or they are not ASCII."""
        return b"\\" not in self.body and self.body.isascii()

    def read(self, kind: type[Found], names: Names) -> Found:
        """The input of the operation. Raises AwsError."""
        try:
            return _decode(self.body or b"{}", kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise misread(error) from error

    def answer(self, output: Struct | None, names: Names) -> Answer:
        body = b"{}" if output is None else msgspec.json.encode(output)
        return Answer(body, {"Content-Type": CONTENT_TYPE, "x-amzn-RequestId": request_id()})

    def refuse(self, error: AwsError) -> Answer:
        kind = error.kind
        headers = {
            "Content-Type": CONTENT_TYPE,
            "x-amzn-RequestId": request_id(),
            "x-amzn-query-error": f"{kind.code};{kind.fault}",
        }
        return Answer(msgspec.json.encode({"__type": kind.type, "message": error.message}), headers, kind.status)


def _decode(body: bytes, kind: type[Found]) -> Found:
    try:
        found: Found = _decoder(kind).decode(body)
        return found
    except msgspec.ValidationError:
        if len(body) > NULLS_BYTES:
            raise
        # Few clients send a null; it says that the member is not there.
        return msgspec.convert(_without_nulls(msgspec.json.decode(body)), kind)


@cache
def _decoder(kind: type[Found]) -> msgspec.json.Decoder[Found]:
    return msgspec.json.Decoder(kind)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
