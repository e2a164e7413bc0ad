"""Receipts: what names a delivery, and where a look goes on, to clients.

base64url of version, shard, log, offset and, for a receipt, the delivery's nonce: whichever broker owns the shard by
then can open it.
"""

import base64
import binascii
import struct
from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from quintet_broker.engine.requests import Place, Receipt
from quintet_broker.errors import BrokerError, InvalidArgument, ReceiptInvalid

MAX_SETTLE = 10_000
"""Messages in one request."""

_VERSION = 1
_RECEIPT = struct.Struct(">BIBQI")
_PLACE = struct.Struct(">BIBQ")

BEGINNING = (255, 0)
"""The place before all that a shard holds."""


class Handle(Struct, frozen=True, array_like=True):
    """Messages that were delivered together: so many, from one on."""

    receipt: Annotated[bytes, Meta(max_length=64)]
    """Of the first of them, before its base64url."""
    count: Annotated[int, Meta(ge=1, le=MAX_SETTLE)]


class Held(Struct):
    """Receipts of one shard."""

    places: list[range] = field(default_factory=list)
    """Where the messages of each stand among all that were given."""
    receipts: list[Receipt] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    """The place of each among the receipts that were given."""

    def spread(self, results: Sequence[BrokerError | None], all_results: list[BrokerError | None]) -> None:
        """What became of each message goes to its place."""
        start = 0
        for places in self.places:
            end = start + len(places)
            all_results[places.start : places.stop] = results[start:end]
            start = end


def receipt(shard: int, held: Receipt, place: int = 0) -> str:
    """Of the message at a place of those that were delivered together."""
    log, offset, nonce, _ = held
    return _packed(_RECEIPT.pack(_VERSION, shard, log, offset + place, nonce))


def handle(shard: int, held: Receipt) -> bytes:
    log, offset, nonce, _ = held
    return _RECEIPT.pack(_VERSION, shard, log, offset, nonce)


def by_shard(shards: Iterable[int], held: Iterable[str | Handle]) -> tuple[dict[int, Held], list[BrokerError | None]]:
    """What receipts name, by shard, and for each message None, or ReceiptInvalid where it is of no such shard."""
    found = {shard: Held() for shard in shards}
    results: list[BrokerError | None] = []
    for given, one in enumerate(held):
        count = 1
        try:
            if isinstance(one, str):
                version, shard, *names = _RECEIPT.unpack(_unpacked(one))
            else:
                count = one.count
                version, shard, *names = _RECEIPT.unpack(one.receipt)
        except (binascii.Error, struct.error, ValueError):
            version = shard = 0
        if version == _VERSION and shard in found:
            found[shard].places.append(range(len(results), len(results) + count))
            found[shard].receipts.append((names[0], names[1], names[2], count))
            found[shard].given.append(given)
            results += [None] * count
        else:
            results += [ReceiptInvalid()] * count
    return {shard: some for shard, some in found.items() if some.places}, results


def place(shard: int, where: Place) -> str:
    return _packed(_PLACE.pack(_VERSION, shard, *where))


def opened_place(shards: Sequence[int], text: str) -> tuple[int, Place]:
    """Which one of these shards, and where in it. Raises InvalidArgument."""
    try:
        version, shard, log, offset = _PLACE.unpack(_unpacked(text))
    except (binascii.Error, struct.error, ValueError) as error:
        raise InvalidArgument("A peek goes on from what another one answered as next.") from error
    if version != _VERSION or shard not in shards:
        raise InvalidArgument("A peek goes on from what another one of the same queue answered as next.")
    return shard, (log, offset)


Ends = dict[int, dict[int, int]]
"""Offsets, by shard and log."""


def ends(found: Ends, since: int) -> str:
    """Where a tail goes on, and from which time on messages are wanted."""
    return _packed(msgspec.msgpack.encode((_VERSION, since, found)))


def opened_ends(shards: Sequence[int], text: str) -> tuple[Ends, int]:
    """Raises InvalidArgument."""
    try:
        version, since, found = msgspec.msgpack.decode(_unpacked(text), type=tuple[int, int, Ends])
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise InvalidArgument("A tail goes on from what another one answered as next.") from error
    if version != _VERSION or not found.keys() <= set(shards):
        raise InvalidArgument("A tail goes on from what another one of the same queue answered as next.")
    return found, since


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


def _unpacked(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_", validate=True)
