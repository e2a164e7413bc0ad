"""Group: of a record its message group."""

from typing import Protocol

Group = int


class Keyed(Protocol):
    """A record, in whatever form."""

    @property
    def key(self) -> bytes | None: ...


def group_of(record: Keyed) -> Group:
    """By its key's hash, the same within one process; records without a key are a group of their own.

    Two keys that share one hash take turns needlessly, and keep their order.
    """
    return hash(record.key)
