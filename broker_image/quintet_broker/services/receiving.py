"""Receiving: what is asked for a consumer, and what it gets of what was delivered. Pure; `now` is an argument."""

import re
from collections.abc import Sequence
from typing import TypedDict

from quintet_api.queue import QueueSpec
from quintet_broker.engine.records.record import Headers
from quintet_broker.engine.records.sealed import Sealed
from quintet_broker.engine.records.selector import compiled
from quintet_broker.engine.requests import Delivery, Receive
from quintet_broker.errors import InvalidArgument
from quintet_broker.services import receipts
from quintet_broker.services.messages import Batch, Message, id_texts, message_of, told_apart
from quintet_broker.services.settling import MAX_VISIBILITY

MAX_RECEIVE = 1000
MAX_WAIT = 20

_CONSUMER_TEXT = re.compile("[!-~]{1,128}")


class Options(TypedDict, total=False):
    """Of a receive."""

    visibility_timeout: float | None
    """Seconds; None takes the queue's."""
    wait: float | None
    """Seconds, 0 - 20, for the first message; None takes the queue's receiveWaitTime."""
    selector: str | None
    """CEL: only messages for which it is true are delivered."""
    consumer: str | None
    """Who asks, needed where the queue's consumers are not Shared."""


def receive(
    spec: QueueSpec,
    limit: int,
    now: int,
    visibility_timeout: float | None = None,
    wait: float | None = None,
    selector: str | None = None,
    consumer: str | None = None,
) -> Receive:
    """What is asked for up to `limit` messages. Raises InvalidArgument."""
    visible_after = spec.visibility_timeout.total_seconds() if visibility_timeout is None else visibility_timeout
    waiting = spec.receive_wait_time.total_seconds() if wait is None else wait
    if not 1 <= limit <= MAX_RECEIVE:
        raise InvalidArgument(f"A receive takes 1 to {MAX_RECEIVE} messages.")
    if not 0 <= visible_after <= MAX_VISIBILITY:
        raise InvalidArgument(f"A visibility timeout is 0 to {MAX_VISIBILITY} seconds.")
    if not 0 <= waiting <= MAX_WAIT:
        raise InvalidArgument(f"A receive waits 0 to {MAX_WAIT} seconds.")
    if selector is not None:
        compiled(selector).check()
    if consumer is not None:
        check_consumer(consumer)
    return Receive(now, limit, round(visible_after * 1000), now + round(waiting * 1000), selector, consumer)


def check_consumer(consumer: str) -> None:
    """Raises InvalidArgument."""
    if not _CONSUMER_TEXT.fullmatch(consumer):
        raise InvalidArgument("consumer: has 1 to 128 letters, digits and punctuation marks of ASCII.")


def messages_of(shard: int, delivery: Delivery) -> list[Message]:
    """What a consumer gets of a delivery."""
    named = receipts.receipts_of(shard, delivery.receipt)
    batch = None if delivery.batch is None else Sealed(delivery.batch)
    if batch and batch.first_number is None:
        return _messages_of_sealed(batch, named, delivery)
    return [
        message_of(record, receipt, delivery.deliveries, delivery.first_received, is_in_flight=True)
        for receipt, record in zip(named, delivery.records, strict=True)
    ]


def _messages_of_sealed(batch: Sealed, named: Sequence[str], delivery: Delivery) -> list[Message]:
    """Of a batch without an order, in which the engine keeps nothing of a single message."""
    messages = []
    before: Sequence[tuple[str, bytes]] = []
    headers: Headers = ()
    system: Headers = ()
    for message_id, receipt, content in zip(id_texts(batch.first_id, batch.count), named, batch.contents, strict=True):
        if content.headers != before:
            # Many have the same.
            before = content.headers
            headers, system, _ = told_apart(before)
        messages.append(
            Message(
                message_id,
                receipt,
                content.value or b"",
                content.key,
                headers,
                system,
                batch.timestamp,
                delivery.first_received,
                delivery.deliveries,
            )
        )
    return messages


def batch_of(shard: int, delivery: Delivery) -> Batch | None:
    """The same as one batch, if it is sealed and holds nothing of a face's own."""
    if delivery.batch is None:
        return None
    sealed = Sealed(delivery.batch)
    if sealed.is_faces:
        return None
    return Batch(
        receipts.handle(shard, delivery.receipt),
        sealed.first_id,
        delivery.count,
        sealed.timestamp,
        delivery.first_received,
        delivery.deliveries,
        delivery.batch,
        sealed.first_number,
    )
