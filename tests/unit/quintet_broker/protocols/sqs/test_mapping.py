"""Records of any face as SQS messages."""

import base64
import json
from typing import Any
from xml.etree import ElementTree

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quintet_api.queue import QueueSpec
from quintet_broker.protocols.aws import json_rpc, query
from quintet_broker.protocols.sqs import codec, mapping
from quintet_broker.protocols.sqs.digest import Digests
from quintet_broker.services.messages import DeadLetter, Message, NewMessage, Sent

ACCOUNT, ARN = "000000000000", "arn:aws:sqs:us-east-1:000000000000:"
ALL = mapping.Named(["All"], ["All"])

unicode_texts = st.text(st.characters(codec="utf-8"), max_size=8)
contents = st.one_of(st.binary(max_size=8), unicode_texts.map(str.encode))
names = st.one_of(unicode_texts, st.sampled_from(["a", "a.b", "a..b", "quintet.key", "AWS.x"]))


def delivered(new: NewMessage) -> Message:
    return Message(
        "id", "receipt", new.value, new.key, new.headers, new.system, 1, 2, 3, DeadLetter("source", "MaxReceives", 3, 4)
    )


@given(contents, st.none() | contents, st.lists(st.tuples(names, contents), max_size=4))
def test_any_record_can_be_delivered(value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    found = mapping.message(delivered(NewMessage(value, key, tuple(headers))), ALL, ACCOUNT, ARN.__add__)
    attributes = found.message_attributes
    packed = attributes.get("quintet.encoding")
    assert (base64.b64decode(found.body) if packed else found.body.encode()) == value
    group = found.attributes.get("MessageGroupId")
    assert (group.encode() if group else _content(attributes.get("quintet.key"))) == key
    others = json.loads(attributes["quintet.headers"].string_value or "") if "quintet.headers" in attributes else []
    plain = [(name, _content(one)) for name, one in attributes.items() if not name.startswith("quintet.")]
    assert sorted([*plain, *((name, base64.b64decode(content)) for name, content in others)]) == sorted(headers)
    assert _over_json(found) == _over_query(found) == found


def test_what_was_sent_is_what_is_delivered() -> None:
    sent = codec.SendMessage(
        queue_url="",
        message_body="body",
        message_group_id="g",
        message_attributes={
            "s": codec.MessageAttribute("String", "text"),
            "n": codec.MessageAttribute("Number.int", "1"),
            "b": codec.MessageAttribute("Binary", None, b"text"),
        },
        message_system_attributes={"AWSTraceHeader": codec.MessageAttribute("String", "Root=1")},
    )
    new = mapping.new_message(sent, mapping.Common(QueueSpec(), (), (), False))
    assert new.headers == (("s", b"text"), ("n", b"1"), ("b", b"text"))
    found = mapping.message(delivered(new), ALL, ACCOUNT, ARN.__add__)
    assert found.message_attributes == sent.message_attributes
    assert found.attributes == {
        "SenderId": ACCOUNT,
        "SentTimestamp": "1",
        "ApproximateReceiveCount": "6",
        "ApproximateFirstReceiveTimestamp": "2",
        "MessageGroupId": "g",
        "AWSTraceHeader": "Root=1",
        "DeadLetterQueueSourceArn": ARN + "source",
    }


def _content(attribute: codec.MessageAttribute | None) -> bytes | None:
    if attribute is None:
        return None
    return attribute.binary_value if attribute.binary_value is not None else (attribute.string_value or "").encode()


def _over_json(found: codec.Message) -> codec.Message:
    body = json_rpc.Exchange("ReceiveMessage", b"").answer(found, codec.query_names("ReceiveMessage")).body
    assert isinstance(body, bytes)
    return msgspec.json.decode(body, type=codec.Message)


def _over_query(found: codec.Message) -> codec.Message:
    exchange = query.Exchange([("Action", "X")], "")
    body = exchange.answer(found, codec.query_names("ReceiveMessage")).body
    assert isinstance(body, bytes)
    result = ElementTree.fromstring(body).find("XResult")
    assert result is not None
    fields: dict[str, Any] = {"Attributes": {}, "MessageAttributes": {}}
    for element in result:
        if element.tag == "Attribute":
            fields["Attributes"][element.findtext("Name")] = element.findtext("Value")
        elif element.tag == "MessageAttribute":
            value = {part.tag: part.text or "" for part in element.findall("Value/*")}
            fields["MessageAttributes"][element.findtext("Name")] = value
        else:
            fields[element.tag] = element.text or ""
    return msgspec.convert(fields, codec.Message)


def test_the_digest_of_a_body_is_known_of_what_was_sent_alone() -> None:
    """A duplicate is answered with the id of the first one, which may have another body."""
    sent, new, digests = codec.SendMessage(queue_url="", message_body="body"), NewMessage(b"body"), Digests()
    mapping.answer(sent, new, Sent("first", 7), digests)
    answered = mapping.answer(sent, new, Sent("id", None), digests)
    assert (digests.take("first"), digests.take("id")) == (None, answered.body_md5)
    told = mapping.message(delivered(new), ALL, ACCOUNT, ARN.__add__)
    assert told == mapping.message(delivered(new), ALL, ACCOUNT, ARN.__add__, answered.body_md5)
