"""Receipts: what names a delivery, and where a look goes on, to clients.

base64url of version, shard, log, offset and, for a receipt, the delivery's nonce: whichever broker owns the shard by
then can open it.
"""

import base64
import binascii
import struct
from collections.abc import Sequence

from quintet_broker.engine.requests import Place, Receipt
from quintet_broker.errors import BrokerError, InvalidArgument, ReceiptInvalid

_VERSION = 1
_RECEIPT = struct.Struct(">BIBQI")
_PLACE = struct.Struct(">BIBQ")

Opened = Receipt | ReceiptInvalid


def receipt(shard: int, held: Receipt) -> str:
    return _packed(_RECEIPT.pack(_VERSION, shard, *held))


def opened(shard: int, text: str) -> Opened:
    """What a receipt of that shard names."""
    try:
        version, of_shard, log, offset, nonce = _RECEIPT.unpack(_unpacked(text))
    except (binascii.Error, struct.error, ValueError):
        return ReceiptInvalid()
    return (log, offset, nonce) if (version, of_shard) == (_VERSION, shard) else ReceiptInvalid()


def good(some: Sequence[Opened]) -> list[Receipt]:
    return [held for held in some if not isinstance(held, ReceiptInvalid)]


def in_order(some: Sequence[Opened], results: list[BrokerError | None]) -> list[BrokerError | None]:
    """The results of the good receipts, with the errors of the others at their places."""
    following = iter(results)
    return [held if isinstance(held, ReceiptInvalid) else next(following) for held in some]


def place(shard: int, where: Place) -> str:
    return _packed(_PLACE.pack(_VERSION, shard, *where))


def opened_place(shard: int, text: str) -> Place:
    """Raises InvalidArgument."""
    try:
        version, of_shard, log, offset = _PLACE.unpack(_unpacked(text))
    except (binascii.Error, struct.error, ValueError) as error:
        raise InvalidArgument("A peek goes on from what another one answered as next.") from error
    if (version, of_shard) != (_VERSION, shard):
        raise InvalidArgument("A peek goes on from what another one of the same queue answered as next.")
    return log, offset


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


def _unpacked(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_", validate=True)
