"""The engine's queue as lists and dicts: what a state machine compares the real one with."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Held:
    """A message as the model knows it."""

    number: int
    visible_at: int = 0
    """Milliseconds: not delivered before."""
    deliveries: int = 0
    nonce: int | None = None
    """Of the delivery that holds it; None where none does."""
    priority: int = 0
    expires_at: float = math.inf
    maybe: int = 0
    """Deliveries that a crash may have counted, though nobody got them."""


@dataclass
class Model:
    """Messages that were confirmed and not acknowledged, by number; and those that are gone for good."""

    held: dict[int, Held] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)

    def sent(self, number: int, priority: int, visible_at: int = 0, expires_at: float = math.inf) -> None:
        self.held[number] = Held(number, visible_at, priority=priority, expires_at=expires_at)

    def made_room(self, dropped: set[int], now: int) -> None:
        """Messages were dropped for others."""
        waiting = self.waiting(now) - self.expired(now)
        assert dropped <= waiting, "a message was dropped that was in flight"
        highest = max((self.held[number].priority for number in dropped), default=0)
        kept = waiting - dropped
        assert all(self.held[number].priority >= highest for number in kept), "a lower priority was to make room"
        for number in dropped:
            self.acknowledged(number)

    def delivered(self, number: int, deliveries: int, nonce: int, now: int, visibility: int) -> None:
        assert number not in self.settled, f"{number} was acknowledged, and delivered again"
        assert number in self.held, f"{number} was never confirmed"
        held = self.held[number]
        assert held.visible_at <= now, f"{number} was delivered while it was hidden"
        assert now < held.expires_at, f"{number} was delivered after it had expired"
        assert held.deliveries < deliveries <= held.deliveries + held.maybe + 1, "a wrong count of deliveries"
        held.deliveries = deliveries
        held.nonce = nonce
        held.maybe = 0
        held.visible_at = now + visibility

    def check_order(self, delivered: list[int], now: int, is_limited: bool) -> None:
        """Those of a higher priority come first; where few may be in flight, it is not looked at."""
        if not delivered or is_limited:
            return
        lowest = min((self.held[number].priority for number in delivered), default=0)
        left = self.visible(now) - set(delivered)
        assert all(self.held[number].priority <= lowest for number in left), "a higher priority was passed over"

    def selected(self, now: int, matches: Callable[[int], bool]) -> set[int]:
        """Those that a receive may get which asks for messages that match."""
        return {number for number in self.visible(now) if matches(number)}

    def check_selected(self, delivered: list[int], matching: set[int]) -> None:
        """Of those that match, the ones of a higher priority come first."""
        lowest = min((self.held[number].priority for number in delivered), default=0)
        left = matching - set(delivered)
        assert not delivered or all(self.held[number].priority <= lowest for number in left)

    def acknowledged(self, number: int) -> None:
        self.held.pop(number, None)
        self.settled.add(number)

    def hidden(self, number: int, until: int) -> None:
        self.held[number].visible_at = until

    def given_back(self, number: int, nonce: int, now: int) -> None:
        held = self.held.get(number)
        if held and held.nonce == nonce:
            held.deliveries -= 1
            held.nonce = None
            held.visible_at = now

    def purged(self) -> None:
        self.settled |= set(self.held)
        self.held.clear()

    def check_stale(self, number: int, nonce: int, now: int) -> None:
        """A receipt was refused that came with the delivery of that nonce."""
        held = self.held.get(number)
        good = held and held.nonce == nonce and not held.maybe and now < held.expires_at
        assert not good, "a good receipt was refused"

    def waiting(self, now: int) -> set[int]:
        """Those that no consumer has, expired ones included."""
        return {number for number, held in self.held.items() if held.visible_at <= now}

    def visible(self, now: int) -> set[int]:
        return {number for number in self.waiting(now) if now < self.held[number].expires_at}

    def expired(self, now: int) -> set[int]:
        """Those that may be dropped at any time."""
        return {number for number, held in self.held.items() if held.expires_at <= now}

    def in_flight(self, now: int) -> set[int]:
        return {number for number, held in self.held.items() if held.deliveries and held.visible_at > now}
