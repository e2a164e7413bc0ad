"""Receipts: what names a delivery, and where a look goes on, to clients.

base64url of version, shard, log, offset and, for a receipt, the delivery's nonce: whichever broker owns the shard by
then can open it.
"""

import binascii
import struct
from collections.abc import Sequence

import msgspec

from quintet_broker.engine.requests import Place, Receipt
from quintet_broker.errors import InvalidArgument

_VERSION = 1
_RECEIPT = struct.Struct(">BIBQI")
_PLACE = struct.Struct(">BIBQ")
_TEXT = _RECEIPT.size * 4 // 3
"""Characters of a receipt."""
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")

BEGINNING = (255, 0)
"""The place before all that a shard holds."""


def receipts_of(shard: int, held: Receipt) -> list[str]:
    """Of each of the messages that were delivered together."""
    log, offset, nonce, count = held
    # Each takes a whole number of base64's groups.
    packed = b"".join([_RECEIPT.pack(_VERSION, shard, log, place, nonce) for place in range(offset, offset + count)])
    texts = _packed(packed)
    return [texts[at : at + _TEXT] for at in range(0, len(texts), _TEXT)]


def handle(shard: int, held: Receipt) -> bytes:
    """The receipt of the first of them, before its base64url."""
    log, offset, nonce, _ = held
    return _RECEIPT.pack(_VERSION, shard, log, offset, nonce)


Opened = tuple[int, int, int, int, int]
"""(version, shard, log, offset, nonce)."""


def opened(handle: bytes) -> Opened | None:
    """What a handle says; None where it is none."""
    try:
        found: Opened = _RECEIPT.unpack(handle)
    except struct.error:
        return None
    return found if found[0] == _VERSION else None


def all_opened(texts: Sequence[str]) -> Sequence[Opened | None]:
    """What each of these receipts says; None where it is none."""
    if len(texts) > 1 and {len(text) for text in texts} == {_TEXT}:
        try:
            # Each takes a whole number of base64's groups.
            found: list[Opened] = list(_RECEIPT.iter_unpack(_unpacked("".join(texts))))
        except (binascii.Error, struct.error, ValueError):
            found = []
        if {one[0] for one in found} == {_VERSION}:
            return found
    return [_opened_alone(text) for text in texts]


def _opened_alone(text: str) -> Opened | None:
    try:
        return opened(_unpacked(text))
    except (binascii.Error, ValueError):
        return None


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
    return binascii.b2a_base64(content, newline=False).translate(_TO_URL).decode()


def _unpacked(text: str) -> bytes:
    return binascii.a2b_base64(text.encode().translate(_FROM_URL), strict_mode=True)
