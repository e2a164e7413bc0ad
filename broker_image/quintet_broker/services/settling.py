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

    def spread(self, results: Results, places: Sequence[int], all_results: Results) -> None:
        """What became of each message goes to its place: `places` has that of the first one of each that was given."""
        if not any(results):
            return
        start = 0
        for number, (_, _, _, count) in zip(self.given, self.receipts, strict=True):
            all_results[places[number] : places[number] + count] = results[start : start + count]
            start += count


class Named(Struct):
    """What a client named."""

    by_shard: dict[int, Held]
    places: list[int]
    """Of the first message of each that was given, among all messages."""
    results: Results
    """Of all messages, as far as they are known: ReceiptInvalid for what is of no shard."""


def named(shards: Container[int], given: Sequence[str | Handle]) -> Named:
    """By receipts, of these shards. Raises InvalidArgument."""
    by_shard: dict[int, Held] = {}
    places: list[int] = []
    results: Results = []
    for number, (one, opened) in enumerate(zip(given, _opened(given), strict=True)):
        count = 1 if isinstance(one, str) else one.count
        places.append(len(results))
        if opened and opened[1] in shards:
            _, shard, log, offset, nonce = opened
            held = by_shard.get(shard) or by_shard.setdefault(shard, Held([], []))
            held.receipts.append((log, offset, nonce, count))
            held.given.append(number)
            results += [None] * count
        else:
            results += [ReceiptInvalid()] * count
        if len(results) > MAX_SETTLE:
            raise InvalidArgument(f"One request settles {MAX_SETTLE} messages at most.")
    return Named(by_shard, places, results)


def _opened(given: Sequence[str | Handle]) -> Sequence[receipts.Opened | None]:
    """What each says."""
    texts = [one for one in given if isinstance(one, str)]
    opened = receipts.all_opened(texts)
    if len(texts) == len(given):
        return opened
    of_texts = iter(opened)
    return [next(of_texts) if isinstance(one, str) else receipts.opened(one.receipt) for one in given]


def check_visibility(seconds: float) -> None:
    """Raises InvalidArgument."""
    if not 0 <= seconds <= MAX_VISIBILITY:
        raise InvalidArgument(f"A visibility timeout is 0 to {MAX_VISIBILITY} seconds.")
