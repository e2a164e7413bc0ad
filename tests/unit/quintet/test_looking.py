"""What /v1/ answers to peek and tail, as the client reads it."""

import pytest

from quintet.errors import QuintetError
from quintet.looking import peeked, request, tailed
from quintet.message import DeadLetter

PEEKED = b"""{"next": "place", "messages": [
  {"id": "1", "sentAt": 5, "state": "inFlight", "deliveries": 2, "firstReceivedAt": 7, "valueBase64": "/w==",
   "keyBase64": "/w==", "headers": {"a": "b"}, "headersBase64": {"c": "/w=="}, "priority": 3, "expiresAt": 9,
   "deadLetter": {"source": "orders", "reason": "Expired", "receives": 1, "at": 8}, "sequence": 4},
  {"id": "2", "sentAt": 6, "state": "visible", "deliveries": 0, "value": "text"}]}"""


def test_a_message_has_all_that_was_told() -> None:
    found = peeked(PEEKED)
    first, second = found.messages
    assert (first.value, first.key, first.headers) == (b"\xff", "\udcff", {"a": "b", "c": "\udcff"})
    assert (first.state, first.deliveries, first.first_received_at) == ("inFlight", 2, 7)
    assert (first.priority, first.expires_at) == (3, 9)
    assert first.dead_letter == DeadLetter("orders", "Expired", 1, 8)
    assert (second.text, second.key, second.headers, second.first_received_at) == ("text", None, {}, None)
    assert found.next == "place"


def test_a_tail_tells_no_state() -> None:
    found = tailed(b'{"next": "place", "missed": 3, "messages": [{"id": "1", "sentAt": 5, "value": ""}]}')
    [message] = found.messages
    assert (message.value, message.state, message.deliveries) == (b"", None, None)
    assert (found.next, found.missed) == ("place", 3)


def test_what_is_no_answer_is_told() -> None:
    with pytest.raises(QuintetError, match="not a broker"):
        peeked(b"<html>")


def test_a_request_leaves_out_what_is_not_asked_for() -> None:
    assert request(limit=10, **{"from": None}) == b'{"limit":10}'
