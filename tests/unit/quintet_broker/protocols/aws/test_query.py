"""The query protocol's parameters and XML."""

import contextlib
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from quintet_broker.protocols.aws import query
from quintet_broker.protocols.aws.errors import INVALID_VALUE, AwsError
from quintet_broker.protocols.aws.shapes import Names

NAMES = Names(
    lists_in={"Name": "Names", "BatchEntry": "Entries"},
    lists_out={"Names": "Name"},
    maps_in={"Attribute": "Attributes", "Tag": "tags"},
    maps_out={"Attributes": ("Attribute", "Name")},
)
NAMESPACE = "urn:example"

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


class Input(Struct):
    Names: list[str] = []
    Attributes: dict[str, str] = {}
    x: int = 0


class Output(Struct):
    text: str
    yes: bool
    number: int
    content: bytes
    Names: list[str]
    Attributes: dict[str, Any]


def decoded(**parameters: str) -> dict[str, Any]:
    return query.decode([(name.replace("_", "."), value) for name, value in parameters.items()], NAMES)


def test_lists_and_maps_are_flattened() -> None:
    assert decoded(Name_2="b", Name_10="c", Name_1="a") == {"Names": ["a", "b", "c"]}
    assert decoded(Name="a") == {"Names": ["a"]}
    assert decoded(Names="") == {"Names": []}
    assert decoded(Attribute_1_Name="x", Attribute_1_Value="1") == {"Attributes": {"x": "1"}}
    assert decoded(Tag_1_Key="x", Tag_1_Value="") == {"tags": {"x": ""}}
    nested = decoded(
        BatchEntry_1_Id="1",
        BatchEntry_1_Attribute_1_Name="n",
        BatchEntry_1_Attribute_1_Value_DataType="Number",
        BatchEntry_2_Id="2",
    )
    assert nested == {"Entries": [{"Id": "1", "Attributes": {"n": {"DataType": "Number"}}}, {"Id": "2"}]}


@pytest.mark.parametrize(
    "parameters",
    [
        [("A", "1"), ("A", "2")],
        [("A", "1"), ("A.B", "2")],
        [("A.B", "2"), ("A", "1")],
        [("Name.x", "1")],
        [("Name.\u00b2", "1")],
        [("Name.1.2", "1"), ("Name.1", "1")],
        [("Attribute.1.Name", "x")],
        [("Attribute.1.Value", "x")],
        [("Attribute.1", "x")],
        [("Attribute", "x")],
        [("Attribute.1.Name.x", "x"), ("Attribute.1.Value", "x")],
        [(".".join("abcdefghij"), "1")],
    ],
)
def test_what_has_no_meaning_is_refused(parameters: list[tuple[str, str]]) -> None:
    with pytest.raises(AwsError) as caught:
        query.decode(parameters, NAMES)
    assert caught.value.kind.code == "MalformedInput"


dotted = st.lists(st.sampled_from(["Name", "Names", "Attribute", "1", "2", "Value", "", "x"]), max_size=4).map(".".join)


@given(st.lists(st.tuples(dotted, texts), max_size=4))
def test_anything_is_read_or_refused(parameters: list[tuple[str, str]]) -> None:
    with contextlib.suppress(AwsError):
        query.Exchange(parameters, NAMESPACE).read(Input, NAMES)


@given(st.lists(st.tuples(texts, texts), max_size=4))
def test_forms_are_read_as_they_were_written(pairs: list[tuple[str, str]]) -> None:
    form = urlencode(pairs)
    assert query.parameters(form, b"") == query.parameters("", form.encode()) == pairs


@pytest.mark.parametrize("body", [b"\xff", b"a=%ff", b"&".join([b"a=1"] * (query.MAX_PARAMETERS + 1))])
def test_unreadable_forms_are_refused(body: bytes) -> None:
    with pytest.raises(AwsError) as caught:
        query.parameters("", body)
    assert caught.value.kind.code == "MalformedInput"


@given(texts, st.dictionaries(texts, texts, max_size=2), st.lists(texts, max_size=3))
def test_any_xml_parser_reads_an_answer(text: str, attributes: dict[str, str], listed: list[str]) -> None:
    exchange = query.Exchange([("Action", "Act")], NAMESPACE)
    response = exchange.answer(Output(f"\r\n\t{text}", True, 7, b"\x00", listed, attributes), NAMES)
    root = _parsed(response)
    assert root.tag == "ActResponse"
    result = root.find("ActResult")
    assert result is not None
    assert {name: result.findtext(name) for name in ("text", "yes", "number", "content")} == {
        "text": f"\r\n\t{text}",
        "yes": "true",
        "number": "7",
        "content": "AA==",
    }
    assert [found.text or "" for found in result.findall("Name")] == listed
    pairs = {found.findtext("Name"): found.findtext("Value") for found in result.findall("Attribute")}
    assert pairs == attributes
    assert root.findtext("ResponseMetadata/RequestId") == response.headers["x-amzn-RequestId"]


def test_any_xml_parser_reads_an_error() -> None:
    response = query.Exchange([], NAMESPACE).refuse(AwsError(INVALID_VALUE, "what <&> \x00 cited"))
    assert response.status == 400
    assert _parsed(response).findtext("Error/Message") == "what <&> \ufffd cited"


def _parsed(response: Any) -> ElementTree.Element:
    root = ElementTree.fromstring(response.body)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    return root
