"""Order: which of a connection's sends come after others."""

from quintet_broker.errors import OutOfOrder
from quintet_broker.protocols.websocket import codec

MOST_PRODUCERS = 1000
"""Known of a connection. What comes after a send of another one is refused, and sent again without it."""


class Order:
    """The last sequence that a connection stored of each of its producers."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, str], int] = {}
        """By producer and queue, the one that was used longest ago first."""

    def check(self, send: codec.Send | codec.SendBatch) -> None:
        """Raises OutOfOrder where the send that it comes after is not stored."""
        if send.producer is None or send.after is None:
            return
        if self._last_of(send.producer, send.queue) < send.after:
            raise OutOfOrder

    def stored(self, send: codec.Send | codec.SendBatch) -> None:
        """It is, now or since an earlier try."""
        if send.producer is None:
            return
        last = max(send.sequence, self._last_of(send.producer, send.queue))
        self._last.pop((send.producer, send.queue), None)
        self._last[send.producer, send.queue] = last
        if len(self._last) > MOST_PRODUCERS:
            del self._last[next(iter(self._last))]

    def _last_of(self, producer: int, queue: str) -> int:
        return self._last.get((producer, queue), -1)
