"""Cursor: one reader's place in a log, with what is in flight and what is acknowledged. Pure; `now` is an argument.

An offset is, in this order: unread (at or above `read_to`), then part of a range in `in_flight`, then acknowledged
or, where it has to go to another shard, leaving. A range whose deadline has passed is *due*: its records may be
delivered again. A reader that keeps an order passes records over: they are due too, without a delivery.

Stored as fields of the shard's `cur:<cursor>`, <log> being the log's number:

    to:<log>               acknowledged_to: every offset below is acknowledged
    read:<log>             read_to
    bits:<log>:<n>         512 bytes: bit i of byte b stands for offset 4096 n + 8 b + i, acknowledged
    range:<log>:<offset>   a Range: count u32, deadline u64, deliveries u32, nonce u32, first received u64
    leave:<log>:<offset>   a Leaving: target shard u32, sequence u64, deliveries u32, first received u64, reason u8
    left:<log>:<offset>    1: the record went to another shard lately
"""

import struct
from collections.abc import Iterator
from itertools import chain, islice

from msgspec import structs

from quintet_broker.engine.lanes.bitmaps import Bitmaps
from quintet_broker.engine.lanes.leaving import Leaving, Leavings
from quintet_broker.engine.lanes.ranges import Range, Ranges
from quintet_broker.engine.records.reason import Reason
from quintet_broker.errors import ReceiptStale

_RANGE = struct.Struct("<IQIIQ")
FEW = 16
"""Offsets that are sooner looked at one by one."""
NOBODYS = 0
"""Nonce of a range whose records nobody holds; no receipt names it."""


class Cursor:
    """The place of one reader in log `log`. Its verbs name offsets; receipts name an offset and a nonce."""

    def __init__(self, log: int = 0) -> None:
        self.log = log
        self.acknowledged_to = 0
        self.read_to = 0
        self.leaving = Leavings()
        self.gaps: list[tuple[int, int]] = []
        """(start, end) of offsets that no record ever had, in order."""
        self._acknowledged_above = Bitmaps()
        """The offsets from `acknowledged_to` on."""
        self._ranges = Ranges()
        self._stored = (0, 0)
        """`acknowledged_to` and `read_to`."""
        self._acknowledged = 0
        """Records, since they were counted."""

    @property
    def in_flight(self) -> int:
        """Records delivered whose deadline has not passed."""
        return self._ranges.in_flight

    @property
    def due(self) -> int:
        """Records delivered whose deadline has passed."""
        return self._ranges.due

    @property
    def passed_over(self) -> int:
        """Of those that are due: records that nobody had."""
        return self._ranges.passed_over

    @property
    def remembered(self) -> int:
        """Records that were delivered and are not settled, and those that are leaving."""
        ranges = self._ranges
        return ranges.in_flight + ranges.due - ranges.passed_over + len(self.leaving)

    # Delivery

    def unread(self, tail: int) -> int:
        """How many records lie between `read_to` and the log's tail."""
        holes = sum(min(end, tail) - max(start, self.read_to) for start, end in self.gaps if end > self.read_to)
        return tail - self.read_to - holes

    def is_unread(self, offset: int) -> bool:
        return offset >= self.read_to

    def first_unread(self, offset: int) -> int:
        """The first unread record from `offset` on."""
        return self.over_gaps(max(offset, self.read_to))

    def over_gaps(self, offset: int) -> int:
        """The first offset from `offset` on that a record may have."""
        for start, end in self.gaps:
            if start <= offset < end:
                offset = end
        return offset

    def is_due(self, offset: int) -> bool:
        found = self._ranges.find(offset)
        return found is not None and found.due and not self.is_acknowledged(offset)

    def due_offsets(self, count: int, end: int | None = None) -> list[int]:
        """Of up to `count` records (below `end`) that are due, about the longest due first."""
        due = (found for found in self._ranges.longest_due() if end is None or found.offset < end)
        return list(islice((o for found in due for o in self.live(found) if end is None or o < end), count))

    def deliver(self, offset: int, count: int, now: int, deadline: int, nonce: int) -> Range:
        """Claim `count` records from `offset` on: all unread, or all in one due range and not acknowledged."""
        if offset >= self.read_to:
            found = Range(offset, deadline, count, 1, nonce, now, count)
            self._read_to(offset + count)
        else:
            before = self._ranges.find(offset)
            assert before is not None
            self._carve(before, offset, count)
            first_received = before.first_received or now
            found = Range(offset, deadline, count, before.deliveries + 1, nonce, first_received, count)
        self._ranges.insert(found)
        return found

    def pass_over(self, offset: int, count: int) -> None:
        """Leave `count` unread records from `offset` on for later: they are due, and nobody had them."""
        self._read_to(offset + count)
        before = self._ranges.last()
        if before and before.end == offset and before.due and before.deliveries == 0:
            self._ranges.grow(count)
        else:
            self._ranges.insert(Range(offset, 0, count, 0, NOBODYS, 0, count, due=True))

    def range_end(self, offset: int) -> int:
        """Behind the records that were delivered, or passed over, together with one that is due."""
        found = self._ranges.find(offset)
        return found.end if found else offset

    def next_due(self, offset: int) -> int:
        """The first record from `offset` on that is due; `read_to` behind the last of them."""
        if offset >= self.read_to:
            return offset
        due = self._ranges.due_behind(offset) if self._ranges.due else ()
        places = (place for found in due for place in range(max(found.offset, offset), found.end))
        return next((place for place in places if not self.is_acknowledged(place)), self.read_to)

    def look(self, offset: int) -> tuple[int, int, bool] | None:
        """How often a record was delivered, when first (milliseconds, 0 where it never was), and whether it is in
        flight; None where it is settled or leaving."""
        if self.is_acknowledged(offset) or offset in self.leaving:
            return None
        found = self._ranges.find(offset)
        return (found.deliveries, found.first_received, not found.due) if found else (0, 0, False)

    def held(self) -> Iterator[int]:
        """The offsets of the records that are in flight or leaving."""
        in_flight = (found for found in self._ranges if not found.due)
        return chain(self.leaving, (offset for found in in_flight for offset in self.live(found)))

    def expire(self, now: int) -> list[Range]:
        """The ranges whose deadline passed since the last call; their records are due."""
        return self._ranges.expire(now)

    def expire_again(self) -> None:
        """Let `expire` find what is due once more."""
        self._ranges.expire_again()

    def next_deadline(self) -> int | None:
        """Millisecond at which `expire` may find something; never too late, sometimes too early."""
        return self._ranges.next_deadline()

    def live(self, found: Range) -> Iterator[int]:
        """The offsets of a range that are not acknowledged."""
        return (o for o in range(found.offset, found.end) if not self.is_acknowledged(o))

    # Settling

    def acknowledge(self, offset: int, nonce: int, count: int = 1) -> None:
        """Done with `count` records from `offset` on; with one, again is fine.

        Raises ReceiptStale, where another delivery holds one or it left; with several also where one is acknowledged.
        Then nothing is changed.
        """
        if count == 1 and self.is_acknowledged(offset):
            if self.leaving.has_left(offset):
                raise ReceiptStale
            return
        if nonce == NOBODYS or (count > 1 and not self._are_live(offset, count)):
            raise ReceiptStale
        if not self._ranges.settle(offset, nonce, count):
            raise ReceiptStale
        self._set_bits(offset, count)
        self._acknowledged += count

    def take_acknowledged(self) -> int:
        """How many records consumers acknowledged since the last call."""
        acknowledged, self._acknowledged = self._acknowledged, 0
        return acknowledged

    def extend(self, offset: int, nonce: int, count: int, deadline: int) -> None:
        """Hide delivered records until `deadline`; one of now or before releases them. Raises ReceiptStale."""
        found = self._held(offset, nonce, count)
        self._carve(found, offset, count)
        self._ranges.insert(Range(offset, deadline, count, found.deliveries, nonce, found.first_received, count))

    def give_back(self, offset: int, nonce: int, count: int, now: int) -> None:
        """Undo a delivery that never reached its consumer. Raises ReceiptStale."""
        found = self._held(offset, nonce, count)
        self._carve(found, offset, count)
        first_received = found.first_received if found.deliveries > 1 else 0
        self._ranges.insert(Range(offset, now, count, found.deliveries - 1, NOBODYS, first_received, count))

    def leave(self, offset: int, target: int, sequence: int, reason: Reason) -> None:
        """A record that was delivered, or is the next unread one, goes to another shard."""
        leaving = Leaving(offset, target, sequence, 0, 0, reason)
        if offset >= self.read_to:
            self._read_to(offset + 1)
        elif found := self._ranges.find(offset):
            self._carve(found, offset, 1)
            leaving.deliveries, leaving.first_received = found.deliveries, found.first_received
        self.leaving.add(leaving)

    def left(self, offset: int) -> Leaving | None:
        """A leaving record is stored where it went; None if it is not leaving."""
        leaving = self.leaving.take(offset)
        if leaving:
            self._set_bits(offset, 1)
            self.leaving.remember(offset)
        return leaving

    def stay(self, offset: int, now: int) -> Leaving | None:
        """A leaving record does not go after all: it is due again; None if it is not leaving."""
        leaving = self.leaving.take(offset)
        if leaving:
            self._ranges.insert(Range(offset, now, 1, leaving.deliveries, NOBODYS, leaving.first_received, 1))
        return leaving

    def drop(self, offset: int) -> None:
        """Acknowledge a record that is unread or due, without a delivery."""
        if offset >= self.read_to:
            self._read_to(offset + 1)
        elif found := self._ranges.find(offset):
            self._carve(found, offset, 1)
        self._set_bits(offset, 1)

    def seek(self, offset: int) -> None:
        """Acknowledge everything below `offset`, and forget what is in flight or leaving there."""
        if offset <= self.acknowledged_to:
            return
        while (found := self._ranges.first()) and found.offset < offset:
            self._carve(found, found.offset, min(found.end, offset) - found.offset)
        for held in [held for held in self.leaving if held < offset]:
            self.leaving.take(held)
        self._read_to(max(self.read_to, offset))
        self._advance(offset)

    def alive(self, start: int, end: int) -> int:
        """How many of these offsets, all of them read, have a record that is not acknowledged."""
        start = max(start, self.acknowledged_to)
        if start >= end:
            return 0
        holes = sum(max(0, min(last, end) - max(first, start)) for first, last in self.gaps)
        return end - start - holes - self._acknowledged_above.count(start, end)

    def is_acknowledged(self, offset: int) -> bool:
        return offset < self.acknowledged_to or offset in self._acknowledged_above

    # Ranges

    def _held(self, offset: int, nonce: int, count: int) -> Range:
        """The range of a delivery that holds all of these. Raises ReceiptStale."""
        found = self._ranges.find(offset)
        if found is None or nonce == NOBODYS or found.nonce != nonce or offset + count > found.end:
            raise ReceiptStale
        if not self._are_live(offset, count):
            raise ReceiptStale
        return found

    def _are_live(self, offset: int, count: int) -> bool:
        """Whether none of these, which were read, is acknowledged."""
        if count == 1:
            return not self.is_acknowledged(offset)
        return offset >= self.acknowledged_to and self.alive(offset, offset + count) == count

    def _carve(self, found: Range, offset: int, count: int) -> None:
        """Take `count` offsets from `offset` on out of a range; what lies before and behind stays as it is."""
        self._ranges.remove(found)
        before = self._left_before(found, offset)
        behind = found.left - self._left_before(found, offset + count)
        for start, end, left in (found.offset, offset, before), (offset + count, found.end, behind):
            if left:
                self._ranges.insert(structs.replace(found, offset=start, count=end - start, left=left))

    def _left_before(self, found: Range, offset: int) -> int:
        """How many offsets of a range lie before `offset` and are not acknowledged."""
        return offset - found.offset if found.left == found.count else self._left_in(found.offset, offset)

    def _left_in(self, start: int, end: int) -> int:
        """How many offsets are not acknowledged."""
        if end - start < FEW:
            return sum(not self.is_acknowledged(o) for o in range(start, end))
        return self.alive(start, end)

    # Acknowledged offsets

    def _read_to(self, offset: int) -> None:
        self.read_to = self.over_gaps(offset)

    def _set_bits(self, offset: int, count: int) -> None:
        if offset == self.acknowledged_to:
            self._advance(offset + count)
        else:
            self._acknowledged_above.add(offset, offset + count)

    def _advance(self, offset: int) -> None:
        offset = self.over_gaps(offset)
        while offset < self.read_to and (run := self._acknowledged_above.run_from(offset)):
            offset = self.over_gaps(offset + run)
        self.acknowledged_to = offset
        self._acknowledged_above.drop_below(offset)

    # Stored form

    def changes(self) -> dict[str, bytes | int | None]:
        """The stored fields that changed since the last call; None where one is gone."""
        log, bitmaps, leaving = self.log, self._acknowledged_above, self.leaving
        changed: dict[str, bytes | int | None] = {}
        changed |= {f"bits:{log}:{number}": bitmaps.stored(number) for number in bitmaps.changed}
        changed |= {f"{kind}:{log}:{offset}": leaving.stored(kind, offset) for kind, offset in leaving.changed}
        changed |= {f"range:{log}:{offset}": self._range(offset) for offset in self._ranges.changed}
        acknowledged_to, read_to = self._stored
        if acknowledged_to != self.acknowledged_to:
            changed[f"to:{log}"] = self.acknowledged_to
        if read_to != self.read_to:
            changed[f"read:{log}"] = self.read_to
        self._forget_changes()
        return changed

    def _forget_changes(self) -> None:
        self._acknowledged_above.changed.clear()
        self.leaving.changed.clear()
        self._ranges.changed.clear()
        self._stored = self.acknowledged_to, self.read_to

    def _range(self, offset: int) -> bytes | None:
        r = self._ranges.begins(offset)
        return _RANGE.pack(r.count, r.deadline, r.deliveries, r.nonce, r.first_received) if r else None

    @classmethod
    def load(cls, log: int, fields: dict[str, bytes], gaps: list[tuple[int, int]]) -> "Cursor":
        """The cursor as its stored fields describe it."""
        cursor = cls(log)
        cursor.gaps = sorted(gaps)
        cursor.read_to = int(fields.get(f"read:{log}", 0))
        cursor.acknowledged_to = int(fields.get(f"to:{log}", 0))
        ranges = []
        leaving = {}
        left = []
        for name, value in fields.items():
            what, number, *key = name.split(":")
            if int(number) != log or not key:
                continue
            offset = int(key[0])
            if what == "bits":
                cursor._acknowledged_above.load(offset, value)
            elif what == "range":
                ranges.append((offset, *_RANGE.unpack(value)))
            elif what == "left":
                left.append(offset)
            else:
                leaving[offset] = value
        cursor.leaving.load(leaving, left)
        for offset, count, deadline, deliveries, nonce, first_received in sorted(ranges):
            live = cursor._left_in(offset, offset + count)
            cursor._ranges.insert(Range(offset, deadline, count, deliveries, nonce, first_received, live))
        cursor._forget_changes()
        if gaps:
            cursor._read_to(cursor.read_to)
            cursor._advance(cursor.acknowledged_to)
        return cursor
