"""Digests against values that AWS gave."""

from quintet_broker.protocols.sqs import digest
from quintet_broker.protocols.sqs.codec import MessageAttribute


def test_digests_that_aws_gave() -> None:
    assert digest.of_body(b"This is a test message") == "fafb00f5732ab283681e124bf8747ed1"
    timestamp = MessageAttribute("Number", "1493147359900")
    assert digest.of_attributes({"timestamp": timestamp}) == "235c5c510d26fb653d073faed50ae77c"


def test_the_order_of_attributes_does_not_matter_and_all_else_does() -> None:
    a, b = MessageAttribute("String", "1"), MessageAttribute("Binary", None, b"1")
    assert digest.of_attributes({"a": a, "b": b}) == digest.of_attributes({"b": b, "a": a})
    others = [
        {"a": a},
        {"b": a},
        {"a": b},
        {"a": MessageAttribute("Number", "1")},
        {"a": MessageAttribute("String", "2")},
    ]
    assert len({digest.of_attributes(one) for one in others}) == len(others)
    assert digest.of_attributes({}) is None


def test_digests_of_what_was_sent_lately_are_known_once() -> None:
    digests = digest.Digests()
    for number in range(2 * digest.LATELY):
        digests.keep(str(number), f"digest {number}")
    assert digests.take("0") == "digest 0"
    assert digests.take("0") is None
    digests.keep("last", "digest")
    assert [digests.take("1"), digests.take(str(digest.LATELY)), digests.take("last")] == [
        None,
        f"digest {digest.LATELY}",
        "digest",
    ]
