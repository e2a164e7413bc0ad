"""Receipts: what names a delivery, and where a look goes on, to clients.

base64url of version, shard, log, offset and, for a receipt, the delivery's nonce: whichever broker owns the shard by
then can open it.
"""

import base64
import binascii
import struct
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, field

from quintet_broker.engine.requests import Place, Receipt
from quintet_broker.errors import BrokerError, InvalidArgument, ReceiptInvalid

_VERSION = 1
_RECEIPT = struct.Struct(">BIBQI")
_PLACE = struct.Struct(">BIBQ")

BEGINNING = (255, 0)
"""The place before all that a shard holds."""


class Held(Struct):
    """Receipts of one shard."""

    places: list[int] = field(default_factory=list)
    """Where each stands among those that were given."""
    receipts: list[Receipt] = field(default_factory=list)


def receipt(shard: int, held: Receipt) -> str:
    return _packed(_RECEIPT.pack(_VERSION, shard, *held))


def by_shard(shards: Iterable[int], held: Iterable[str]) -> tuple[dict[int, Held], list[BrokerError | None]]:
    """What receipts name, by shard, and for each of them None, or ReceiptInvalid where it is of no such shard."""
    found = {shard: Held() for shard in shards}
    results: list[BrokerError | None] = []
    for place, text in enumerate(held):
        try:
            version, shard, *names = _RECEIPT.unpack(_unpacked(text))
        except (binascii.Error, struct.error, ValueError):
            version = shard = 0
        if version == _VERSION and shard in found:
            found[shard].places.append(place)
            found[shard].receipts.append((names[0], names[1], names[2]))
            results.append(None)
        else:
            results.append(ReceiptInvalid())
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
