"""Reason: why a record leaves for another shard."""

from enum import IntEnum


class Reason(IntEnum):
    """As a cursor stores it."""

    MAX_RECEIVES = 1
    OVERFLOW = 2
    EXPIRED = 3
    REDRIVE = 4

    @property
    def word(self) -> str:
        """As a record's header and the faces have it."""
        return _WORDS[self]


_WORDS = {
    Reason.MAX_RECEIVES: "MaxReceives",
    Reason.OVERFLOW: "Overflow",
    Reason.EXPIRED: "Expired",
    Reason.REDRIVE: "Redrive",
}
