"""Settling: which shards settle what a client holds, and what became of each message. Pure."""

from collections.abc import Container, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from quintet_broker.engine.requests import Receipt
from quintet_broker.errors import BrokerError, InvalidArgument, ReceiptInvalid
from quintet_broker.services import receipts

MAX_SETTLE = 10_000
"""Messages in one request."""
MAX_VISIBILITY = 12 * 60 * 60


class Handle(Struct, frozen=True, array_like=True):
    """Messages that were delivered together: so many, from one on."""

    receipt: Annotated[bytes, Meta(max_length=64)]
    """Of the first of them, before its base64url."""
    count: Annotated[int, Meta(ge=1, le=MAX_SETTLE)]


Results = list[BrokerError | None]
"""For each message that a client named, in order: None, or why it was refused."""


class Held(Struct):
    """What a client holds of one shard."""

    receipts: list[Receipt]
    given: list[int]
    """The place of each among what the client gave."""
    places: list[int]
    """And that of its first message among all messages."""

    def spread(self, results: Results, all_results: Results) -> None:
        """What became of each message goes to its place."""
        start = 0
        for place, (_, _, _, count) in zip(self.places, self.receipts, strict=True):
            all_results[place : place + count] = results[start : start + count]
            start += count


def by_shard(shards: Container[int], given: Sequence[str | Handle]) -> tuple[dict[int, Held], Results]:
    """What receipts name, by shard, and the results as far as they are known: ReceiptInvalid for what is of no shard.

    Raises InvalidArgument.
    """
    found: dict[int, Held] = {}
    results: Results = []
    for number, one in enumerate(given):
        count = 1 if isinstance(one, str) else one.count
        opened = receipts.opened(one if isinstance(one, str) else one.receipt)
        if opened and opened[0] in shards:
            shard, log, offset, nonce = opened
            held = found.get(shard) or found.setdefault(shard, Held([], [], []))
            held.receipts.append((log, offset, nonce, count))
            held.given.append(number)
            held.places.append(len(results))
            results += [None] * count
        else:
            results += [ReceiptInvalid()] * count
        if len(results) > MAX_SETTLE:
            raise InvalidArgument(f"One request settles {MAX_SETTLE} messages at most.")
    return found, results


def check_visibility(seconds: float) -> None:
    """Raises InvalidArgument."""
    if not 0 <= seconds <= MAX_VISIBILITY:
        raise InvalidArgument(f"A visibility timeout is 0 to {MAX_VISIBILITY} seconds.")
