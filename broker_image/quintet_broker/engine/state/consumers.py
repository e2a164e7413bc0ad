"""Consumers: which one may receive from a shard that serves one at a time. Pure; `now` is an argument.

The *active* consumer is the first that asked. It stays so while a receive of it waits or records are in flight, and for
the grace after that, unless it closes before. Another becomes active only when nothing is in flight any more: so two
never work at the same time.

Stored in the shard's `meta`: `consumer`, the name of the active one.
"""

from msgspec import Struct

from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import BrokerError, InvalidArgument, QueueInUse

GRACE = 10_000
"""Milliseconds for which a consumer stays active that neither asks nor holds anything."""


class Seen(Struct, frozen=True):
    """What is asked of a shard, and what consumers hold of it."""

    waits: bool
    """Whether a receive of the active consumer waits."""
    in_flight: bool
    asks: str | None
    """Of the consumers whose turn it is not, the one that has waited longest."""


class Consumers:
    """The active consumer of one shard, and until when it stays so."""

    def __init__(self, active: str | None = None) -> None:
        self.active = active
        self._closed = False
        """Whether the active one has closed, and is only waited for until nothing is in flight."""
        self._busy = True
        """As seen last. A new owner begins the grace anew."""
        self._busy_at = 0
        self._stored = active

    @property
    def turn(self) -> str | None:
        """Whose receives are served."""
        return None if self._closed else self.active

    def refusal(self, consumer: str | None, policy: Policy) -> BrokerError | None:
        """Why a consumer need not wait for its turn."""
        if consumer is None:
            return InvalidArgument(f"consumer: is needed, since the queue's consumers are {policy.consumers}.")
        if policy.consumers == "Exclusive" and self.active not in (None, consumer):
            return QueueInUse(f"The queue is in use by the consumer {self.active}.")
        return None

    def look(self, now: int, seen: Seen) -> None:
        """Who is active from now on."""
        busy = seen.waits or seen.in_flight
        if busy or self._busy:
            self._busy_at = now
        self._busy = busy
        if self._closed and seen.asks == self.active:
            self._closed = False
        elif not busy and (self._closed or now >= self._busy_at + GRACE or self.active is None):
            self._become(seen.asks, now)

    def _become(self, active: str | None, now: int) -> None:
        self.active = active
        self._closed = False
        self._busy = active is not None
        self._busy_at = now

    def close(self, consumer: str) -> None:
        """A consumer asks for nothing more."""
        self._closed |= consumer == self.active

    def forget(self) -> None:
        """The shard serves all at the same time."""
        self.active = None
        self._closed = False

    def next_look(self) -> int | None:
        """Millisecond at which another may become active, though nothing happens until then."""
        return None if self.active is None else self._busy_at + GRACE

    def changes(self) -> dict[str, str | None]:
        """The fields of `meta` that changed since the last call; None where one is gone."""
        if self._stored == self.active:
            return {}
        self._stored = self.active
        return {"consumer": self.active}
