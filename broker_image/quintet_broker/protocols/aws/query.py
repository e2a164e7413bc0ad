"""AWS's query protocol: parameters in, XML out.

Lists are flattened (`Entry.1.Id`), maps are lists of pairs (`Attribute.1.Name`, `Attribute.1.Value`). Both become
what AWS JSON has in their place, so that one typed input serves both protocols.
Source: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import msgspec
from msgspec import Struct

from quintet_broker.protocols.aws.errors import MALFORMED, AwsError
from quintet_broker.protocols.aws.shapes import Names, misread, request_id
from quintet_broker.protocols.aws.text import NOT_XML
from quintet_broker.protocols.whole import Answer

MAX_PARAMETERS = 10_000
MAX_DEPTH = 8

Found = TypeVar("Found", bound=Struct)

_LINE_END = {"\r": "&#13;"}
"""A parser would make a line feed of it."""


class Exchange:
    """One request and its answer."""

    fits_xml = False
    """It may have any character, in its encoding of URLs."""

    def __init__(self, given: Sequence[tuple[str, str]], namespace: str) -> None:
        """`namespace` is the XML namespace of the service's answers."""
        self.action = next((value for name, value in given if name == "Action"), "")
        self._parameters = given
        self._namespace = namespace

    def read(self, kind: type[Found], names: Names) -> Found:
        """The input of the operation. Raises AwsError."""
        try:
            return msgspec.convert(decode(self._parameters, names), kind, strict=False)
        except msgspec.ValidationError as error:
            raise misread(error) from error

    def answer(self, output: Struct | None, names: Names) -> Answer:
        result = ""
        if output is not None:
            fields = "".join(_members(msgspec.to_builtins(output), names))
            result = f"<{self.action}Result>{fields}</{self.action}Result>"
        made = request_id()
        metadata = f"<ResponseMetadata><RequestId>{made}</RequestId></ResponseMetadata>"
        return self._response(f"{self.action}Response", result + metadata, 200, made)

    def refuse(self, error: AwsError) -> Answer:
        kind = error.kind
        made = request_id()
        what = _text("Type", kind.fault) + _text("Code", kind.code) + _text("Message", error.message)
        return self._response("ErrorResponse", f"<Error>{what}</Error>{_text('RequestId', made)}", kind.status, made)

    def _response(self, root: str, content: str, status: int, made: str) -> Answer:
        xml = f'<?xml version="1.0"?><{root} xmlns="{self._namespace}">{content}</{root}>'
        return Answer(xml.encode(), {"Content-Type": "text/xml", "x-amzn-RequestId": made}, status)


# In


def parameters(query: str, body: bytes) -> list[tuple[str, str]]:
    """Those of a query string and of a form body, in their order. Raises AwsError."""
    try:
        form = body.decode()
        return [
            pair
            for text in (query, form)
            for pair in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
        ]
    except ValueError as error:
        raise AwsError(MALFORMED, f"The parameters cannot be read: {error}") from error


def decode(parameters: Sequence[tuple[str, str]], names: Names) -> dict[str, Any]:
    """The input as AWS JSON would have it, its numbers as text. Raises AwsError."""
    return _named(_nested(parameters), names)


def _nested(parameters: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """`A.1.B=x` as {"A": {"1": {"B": "x"}}}."""
    root: dict[str, Any] = {}
    for name, value in parameters:
        *way, last = name.split(".")
        if len(way) > MAX_DEPTH:
            raise AwsError(MALFORMED, f"The parameter {name} is nested too deeply.")
        place = root
        for part in way:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise AwsError(MALFORMED, f"The parameter {name} is below one that has a value.")
        if last in place:
            raise AwsError(MALFORMED, f"The parameter {name} is given twice.")
        place[last] = value
    return root


def _named(fields: dict[str, Any], names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for wire, value in fields.items():
        if member := names.lists_in.get(wire):
            found[member] = [_value(item, names) for item in _items(wire, value)]
        elif member := names.maps_in.get(wire):
            found[member] = dict(_pair(wire, item, names) for item in _items(wire, value))
        elif value == "" and wire in names.lists_in.values():
            # So clients send an empty list.
            found[wire] = []
        else:
            found[wire] = _value(value, names)
    return found


def _value(value: Any, names: Names) -> Any:
    return _named(value, names) if isinstance(value, dict) else value


def _items(wire: str, value: Any) -> list[Any]:
    """The items of a list by their numbers; a value or a pair without a number is a list of one."""
    if not isinstance(value, dict) or "Value" in value:
        return [value]
    if not all(re.fullmatch("[0-9]{1,9}", number) for number in value):
        raise AwsError(MALFORMED, f"The parameter {wire} is a list: {wire}.1, {wire}.2 and so on.")
    return [value[number] for number in sorted(value, key=int)]


def _pair(wire: str, item: Any, names: Names) -> tuple[str, Any]:
    pair = item if isinstance(item, dict) else {}
    key = pair.get("Name", pair.get("Key"))
    if not isinstance(key, str) or "Value" not in pair:
        raise AwsError(MALFORMED, f"The parameter {wire} is a list of {wire}.N.Name and {wire}.N.Value.")
    return key, _value(pair["Value"], names)


# Out


def _members(fields: dict[str, Any], names: Names) -> Iterator[str]:
    for member, value in fields.items():
        if member in names.lists_out:
            yield from (_element(names.lists_out[member], item, names) for item in value)
        elif member in names.maps_out:
            wire, named = names.maps_out[member]
            for key, item in value.items():
                yield _element(wire, {named: key, "Value": item}, names)
        else:
            yield _element(member, value, names)


def _element(name: str, value: Any, names: Names) -> str:
    if isinstance(value, dict):
        return f"<{name}>{''.join(_members(value, names))}</{name}>"
    if isinstance(value, bool):
        return f"<{name}>{str(value).lower()}</{name}>"
    return _text(name, str(value))


def _text(name: str, value: str) -> str:
    # What says why something was refused may cite what a client sent.
    allowed = NOT_XML.sub("\ufffd", value)
    return f"<{name}>{escape(allowed, _LINE_END)}</{name}>"
