"""Plain messages that are sent together are stored as one sealed batch, and each is received as it was sent."""

from hypothesis import given
from hypothesis import strategies as some

from quintet_broker.engine.records.record import decode
from quintet_broker.engine.records.sealed import Sealed, is_intact, is_sealed
from quintet_broker.engine.requests import Delivery
from quintet_broker.services import receipts, receiving, sending
from quintet_broker.services.messages import NewMessage, id_text, id_texts, ids_from, message_of

NOW, SHARD, NONCE = 5, 3, 9
NAMES = (2**63 - 1, 2**31 - 1)
names = some.text("abc-", min_size=1, max_size=9)
headers = some.lists(some.tuples(names, some.binary(max_size=70)), max_size=3).map(tuple)
values = some.binary(max_size=100) | some.integers(8_180, 17_000).map(bytes)
messages = some.lists(some.builds(NewMessage, values, headers=headers, system=headers), min_size=1, max_size=12)


def delivery(batch: Sealed) -> Delivery:
    return Delivery(0, batch.offset, NONCE, batch.count, 2, 4, 1_000, (), batch.data)


@given(messages, some.integers(0, 2**50), some.data())
def test_each_is_received_as_it_was_sent(sent: list[NewMessage], offset: int, data: some.DataObject) -> None:
    whole = sending.sealed(sent, NAMES, NOW).placed(offset, 7)
    assert is_sealed(whole.data)
    assert is_intact(whole.data)
    ids = ids_from(whole.first_id, whole.count)
    place = data.draw(some.integers(0, whole.count - 1))
    part = whole.part(place, data.draw(some.integers(1, whole.count - place)))
    found = receiving.messages_of(SHARD, delivery(part))
    wanted = sent[place : place + part.count]
    assert [(one.value, one.headers, one.system) for one in found] == [
        (one.value, one.headers, one.system) for one in wanted
    ]
    assert [one.id for one in found] == [id_text(one) for one in ids[place : place + part.count]]
    assert [receipts.all_opened([one.receipt])[0] for one in found] == [
        (1, SHARD, 0, offset + number, NONCE) for number in range(place, place + part.count)
    ]
    records = [record for _, record in decode(part.data)]
    assert found == [message_of(record, one.receipt, 2, 4, True) for record, one in zip(records, found, strict=True)]


@given(some.integers(0, 2**128 - 1000), some.integers(0, 600))
def test_ids_are_written_together_as_alone(first: int, count: int) -> None:
    assert id_texts(first, count) == [id_text(one) for one in ids_from(first, count)]


@given(messages)
def test_what_a_face_keeps_is_given_to_no_other(sent: list[NewMessage]) -> None:
    batch = sending.sealed(sent, NAMES, NOW)
    is_kept = any(message.system for message in sent)
    assert batch.is_faces == is_kept
    assert all(part.is_faces == is_kept for part in batch.parts(200))
    assert (receiving.batch_of(SHARD, delivery(batch)) is None) == is_kept


@given(some.lists(some.integers(0, 2**40), min_size=1, max_size=4), some.integers(0, 2**32 - 1))
def test_receipts_are_opened_together_as_alone(offsets: list[int], nonce: int) -> None:
    texts = [text for offset in offsets for text in receipts.receipts_of(SHARD, (1, offset, nonce, 2))]
    opened = receipts.all_opened(texts)
    assert opened == [(1, SHARD, 1, place, nonce) for offset in offsets for place in (offset, offset + 1)]
    for bad in "", "A" * 24, texts[0][:-1] + "=", texts[0][:-2], texts[0] + texts[0]:
        assert receipts.all_opened([*texts, bad]) == [*opened, None]
