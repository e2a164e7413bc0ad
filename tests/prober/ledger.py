"""Ledger: what a prober sent, received and acknowledged, and what to make of it. Pure: times are arguments."""

import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

EXAMPLES = 5
"""Kept of each finding."""


class Name(NamedTuple):
    """One message: numbered from 0 by producer and key."""

    producer: int
    key: int
    number: int

    def __str__(self) -> str:
        return f"producer {self.producer} key {self.key} number {self.number}"


@dataclass
class Finding:
    """How often something was seen, and the first times of it."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


@dataclass
class Verdict:
    """What a run came to. The findings from `lost` on are faults; `doubled` where sends were to happen once."""

    sent: int
    confirmed: int
    received: int
    """Messages, not deliveries."""
    acknowledged: int
    dead_lettered: int
    redelivered: int
    """Deliveries after the first, of messages that were not acknowledged."""
    late: int
    """Deliveries that came when their visibility timeout may have passed, and others had the message since: what a
    broker was just handing out when it stood still."""
    lost: Finding
    """Confirmed and never received."""
    duplicated: Finding
    """Received again though its acknowledgement was confirmed."""
    early: Finding
    """Received again before its visibility timeout had passed."""
    phantom: Finding
    """Received and never sent."""
    corrupt: Finding
    """Its checksum is wrong."""
    doubled: Finding
    """Sent once, received under more than one message id."""
    reordered: Finding
    """Sent in order, and received while an earlier one of its producer and key was confirmed, and neither about to be
    acknowledged, nor received in the same batch before it, nor dead-lettered after deliveries that a crash took."""

    def faults(self, *, idempotent: bool = True) -> dict[str, Finding]:
        """The faults that were seen, by name, of a system that promises sends that happen once, or not."""
        names = ["lost", "duplicated", "early", "phantom", "corrupt", "reordered"] + ["doubled"] * idempotent
        found: dict[str, Finding] = {name: getattr(self, name) for name in names}
        return {name: finding for name, finding in found.items() if finding.count}

    def __str__(self) -> str:
        lines = []
        for name, value in vars(self).items():
            lines.append(f"{name:13} {value.count if isinstance(value, Finding) else value}")
            if isinstance(value, Finding):
                lines += [f"    {example}" for example in value.examples]
        return "\n".join(lines)


@dataclass
class Entry:
    """One message as the ledger knows it."""

    confirmed: bool = False
    acknowledged: bool = False
    deliveries: int = 0
    asked: float = 0.0
    """Seconds: when the batch was asked for with which it came last."""
    received_at: float = 0.0
    """Seconds: when it came last."""
    hidden_until: float = 0.0
    """Seconds: whoever delivers it again before breaks the visibility timeout."""
    ids: set[str] = field(default_factory=set)
    came_dead: bool = False
    """It was received from the dead-letter queue before any other: it had left its queue, and what follows may come."""


class Ledger:
    """The books of one run. `visibility` is the timeout that its consumers ask for, in seconds."""

    def __init__(self, run: str, visibility: float) -> None:
        self.run = run
        self.confirmed = 0
        self.received = 0
        self.acknowledged = 0
        self.dead_lettered: set[Name] = set()
        self._visibility = visibility
        self._entries: dict[Name, Entry] = {}
        self._open: dict[tuple[int, int], dict[int, Entry]] = defaultdict(dict)
        """By producer and key, of those sent in order, in that order: what nobody asked to acknowledge yet."""
        self._redelivered = self._late = 0
        self._duplicated, self._early, self._phantom = Finding(), Finding(), Finding()
        self._corrupt, self._doubled = Finding(), Finding()
        self._overtaken: list[tuple[Entry, str]] = []
        """What was overtaken, and by what."""

    def send(self, name: Name, size: int = 0, *, ordered: bool = False) -> str:
        """Note that a message is about to be sent, to a queue that promises order by key, or not.

        Returns its body, of at least `size` characters.
        """
        entry = self._entries[name] = Entry()
        if ordered:
            self._open[name[:2]][name.number] = entry
        text = f"{self.run} {name.producer} {name.key} {name.number} "
        text = text.ljust(size - 9, "x")
        return f"{zlib.crc32(text.encode()):08x} {text}"

    def confirm(self, name: Name) -> None:
        self._entries[name].confirmed = True
        self.confirmed += 1

    def receive(self, body: str, message_id: str, asked: float, at: float, *, dead: bool = False) -> Name | None:
        """Note a delivery, asked for and received at these times, in seconds; `dead` from the dead-letter queue.

        None where the body is not one of ours.
        """
        name = self._read(body)
        if name is None:
            return None
        entry = self._entries[name]
        self._judge(name, entry, message_id, asked, at)
        if not dead:
            self._order(name, asked)
        self.received += not entry.deliveries
        entry.came_dead |= dead and not entry.deliveries
        entry.deliveries += 1
        entry.ids.add(message_id)
        entry.asked = asked
        entry.received_at = at
        # It was claimed after it was asked for, so it stays hidden at least this long.
        entry.hidden_until = max(entry.hidden_until, asked + self._visibility)
        if dead:
            self.dead_lettered.add(name)
        return name

    def _read(self, body: str) -> Name | None:
        checksum, _, text = body.partition(" ")
        if f"{zlib.crc32(text.encode()):08x}" != checksum:
            self._corrupt.add(body[:80])
            return None
        run, producer, key, number, *_ = text.split(" ")
        name = Name(int(producer), int(key), int(number))
        if run != self.run or name not in self._entries:
            self._phantom.add(f"run {run} {name}")
            return None
        return name

    def _judge(self, name: Name, entry: Entry, message_id: str, asked: float, at: float) -> None:
        if entry.ids and message_id not in entry.ids:
            # A second message with the same number: its deliveries say nothing about the first one's.
            self._doubled.add(f"{name}: {', '.join(sorted(entry.ids))} and {message_id}")
        elif entry.deliveries and entry.received_at > asked + self._visibility:
            self._late += 1
        elif entry.acknowledged:
            self._duplicated.add(f"{name}: delivery {entry.deliveries + 1}")
        elif entry.deliveries:
            self._redelivered += 1
            if at < entry.hidden_until:
                self._early.add(f"{name}: {entry.hidden_until - at:.3f} s too early")

    def _order(self, name: Name, asked: float) -> None:
        for number, entry in self._open[name[:2]].items():
            if number >= name.number:
                break
            # A send without an answer may take effect after those that follow it.
            if entry.confirmed and entry.asked != asked:
                self._overtaken.append((entry, f"{name}: before number {number} was done with"))
                break

    def done_with(self, name: Name) -> None:
        """Note that it is about to be acknowledged, or never will be: from now on later ones may come."""
        self._open[name[:2]].pop(name.number, None)

    def acknowledge(self, name: Name) -> None:
        """Note that its acknowledgement was confirmed."""
        entry = self._entries[name]
        if not entry.acknowledged:
            entry.acknowledged = True
            self.acknowledged += 1

    @property
    def unreceived(self) -> set[Name]:
        """Those that were confirmed and not received."""
        return {name for name, entry in self._entries.items() if entry.confirmed and not entry.deliveries}

    @property
    def unconfirmed(self) -> set[Name]:
        """Those that were sent and not confirmed yet."""
        return {name for name, entry in self._entries.items() if not entry.confirmed}

    def verdict(self) -> Verdict:
        lost = Finding()
        for name in sorted(self.unreceived):
            lost.add(str(name))
        reordered = Finding()
        for overtaken, by in self._overtaken:
            if not overtaken.came_dead:
                reordered.add(by)
        return Verdict(
            sent=len(self._entries),
            confirmed=self.confirmed,
            received=self.received,
            acknowledged=self.acknowledged,
            dead_lettered=len(self.dead_lettered),
            redelivered=self._redelivered,
            late=self._late,
            lost=lost,
            duplicated=self._duplicated,
            early=self._early,
            phantom=self._phantom,
            corrupt=self._corrupt,
            doubled=self._doubled,
            reordered=reordered,
        )
