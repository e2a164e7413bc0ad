"""What a selector says of a record, and what it may cost."""

import time
from contextlib import nullcontext

import pytest

from quintet_broker.engine.records.headers import ID, PRIORITY
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.records.selector import MOST_BYTES, Selector
from quintet_broker.errors import InvalidArgument

HEADERS = (("region", b"eu"), ("raw", b"\xff"), (ID, b"0" * 16), (PRIORITY, b"7"))
ORDER = Record(b'{"total": 120.5, "lines": [{"sku": "a"}, {"sku": "b"}]}', 1_700_000_000_000, b"customer-7", HEADERS)


@pytest.mark.parametrize(
    "text",
    [
        "headers.region == 'eu'",
        "headers['region'] in ['eu', 'us'] && priority > 5",
        "headers.raw == b'\\xff'",
        "body.total > 100",
        "body.lines[1].sku == 'b' && size(body.lines) == 2 && body['total'] in [-1, 1.5e3, 120.5, null, true]",
        "priority >= 7 ? int(body.total) * 2 - 1 == 239 : false",
        "key.startsWith('customer-') && value.contains('total')",
        "deliveries == 2 && sentAt < 1800000000000",
        'value.matches(\'"sku": *"a"\')',
        "has(headers.region) && !has(headers.nothing)",
    ],
)
def test_matches(text: str) -> None:
    assert Selector(text).matches(ORDER, 2)


@pytest.mark.parametrize(
    "text",
    [
        "headers.nothing == 'x'",
        "headers.nothing != 'x'",
        "body.nothing == 1",
        "'yes'",
        "1",
        "key > 3",
        "nothing",
        "1/0 == 1",
    ],
)
def test_what_cannot_be_computed_does_not_match(text: str) -> None:
    assert not Selector(text).matches(ORDER, 1)


def test_what_is_not_there_is_null() -> None:
    plain = Record(b"\xff{", 0)
    assert Selector("key == null && body == null && value == b'\\xff{'").matches(plain, 1)
    assert not Selector(f"headers['{ID}'] != ''").matches(ORDER, 1)
    long = Record(b" " * MOST_BYTES + b"1", 0)
    assert Selector("value == null && body == null").matches(long, 1)
    long_header = Record(b"", 0, b"k" * (MOST_BYTES + 1), (("a", b"x" * MOST_BYTES),))
    assert Selector("key == null && !has(headers.a)").matches(long_header, 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Syntax error"),
        ("headers.region =", "Syntax error"),
        ("value == '" + "x" * 1024 + "'", "characters"),
        ("body.map(x, x).size() == 1", "map"),
        ("body.all(x, x == 1)", "all"),
        ("body.exists(x, x == 1)", "exists"),
        ("body.exists_one(x, x == 1)", "exists_one"),
        ("body.filter(x, x == 1).size() == 1", "filter"),
        ("value + value == ''", "no +"),
        ("duration(value) == duration('1s')", "functions"),
        ("2 in body", "`in`"),
        ("2 in (body)", "`in`"),
        ("'a' in [value]", "literals"),
        ("[[1], [body]] == body", "literals"),
        ("body[key] == 1", "literals"),
        ("{'a': body} == body", "{}"),
        ("body.`'` == 1 || value.matches(key) || body.`'` == 1", "`"),
        ("||".join(["body.a == 1"] * 25), "48"),
        ("body" + ".a" * 48 + " == 1", "48"),
        ("value.matches('" + "a" * 63 + "')", "64"),
        ("value.matches('a{1,999}')", "pattern"),
        (r"value.matches('a\x7b1,999\x7d')", "pattern"),
        (r"value.matches('a\1731,999\175')", "pattern"),
        ("value.matches(key)", "pattern"),
        ("value.matches(string(key))", "pattern"),
        (r"value == r'\' || value.matches(key) || value == ''", "pattern"),
        ("value == '' // '\n || value.matches(key) //'", "pattern"),
        ('value == """a"b""" || value.matches(key)', "pattern"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        Selector(text)


def test_what_cel_says_is_told_in_short() -> None:
    with pytest.raises(InvalidArgument) as refused:
        Selector("value.matches('" + r"\pL" * 300 + "')")
    assert len(refused.value.message) < 600


def test_what_is_quoted_costs_nothing() -> None:
    Selector("value == 'a.matches(b) + {c} in [d' || value.matches('[a-z]+')")


def test_a_long_list_is_no_long_expression() -> None:
    Selector("key in [" + ", ".join(f"'{number}'" for number in range(100)) + "]")


@pytest.mark.parametrize(("seconds", "is_refused"), [([1.0, 0.01], False), ([1.0, 1.0], True)])
def test_what_takes_long_each_time_is_refused(
    seconds: list[float], is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, seconds[0], 0.0, seconds[1]])
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    found = Selector("key == 'a'")
    assert found.matches(Record(b"", 0, b"a", ((ID, bytes(16)),)), 1)
    with pytest.raises(InvalidArgument) if is_refused else nullcontext():
        found.check()
