"""Ranges: what a cursor holds in flight, in columns, at about 45 bytes a range where an object each took 300.

They lie in blocks, in the order of their offsets. A block knows about the earliest deadline in it, so few blocks are
looked into for what has expired, and no second index of deadlines takes as much again.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

BLOCK_RANGES = 128
_FEW = BLOCK_RANGES // 4
"""A block of fewer joins its neighbour if both are not too many."""
_ROW = struct.Struct("=IIIQI")  # count, deliveries, nonce, first received, left
_LEFT = struct.Struct("=I")
_LEFT_AT = _ROW.size - _LEFT.size
_DUE = 1 << 63
"""Set in the deadline of a range that is due, so that it is no more found by its deadline."""
_NEVER = 1 << 64


class Range(Struct, gc=False):
    """Records delivered together: `count` offsets from `offset` on, those acknowledged since included."""

    offset: int
    deadline: int
    """Milliseconds since 1970: until then nobody else gets them."""
    count: int
    deliveries: int
    nonce: int
    """Tells this delivery from those before and after it."""
    first_received: int
    """Milliseconds since 1970."""
    left: int
    """How many are not acknowledged."""
    due: bool = False

    @property
    def end(self) -> int:
        return self.offset + self.count


class _Block:
    """Ranges that follow each other: columns for what is searched, packed rows for the rest."""

    __slots__ = ("deadlines", "longest_due", "next_deadline", "offsets", "rows")

    def __init__(self) -> None:
        self.offsets = array("Q")
        self.deadlines = array("Q")
        self.rows = bytearray()
        self.next_deadline = _NEVER
        """Not later than the earliest of those that are not due."""
        self.longest_due: int | None = _NEVER
        """Earliest deadline of those that are due, `_DUE` included; None where it is to be looked for."""

    def __len__(self) -> int:
        return len(self.offsets)

    def at(self, place: int) -> Range:
        deadline = self.deadlines[place]
        count, deliveries, nonce, first_received, left = _ROW.unpack_from(self.rows, place * _ROW.size)
        offset, due = self.offsets[place], deadline >= _DUE
        return Range(offset, deadline & ~_DUE, count, deliveries, nonce, first_received, left, due)

    def end(self, place: int) -> int:
        count: int = _ROW.unpack_from(self.rows, place * _ROW.size)[0]
        return self.offsets[place] + count

    def insert(self, place: int, r: Range) -> None:
        self.offsets.insert(place, r.offset)
        row = place * _ROW.size
        self.rows[row:row] = _ROW.pack(r.count, r.deliveries, r.nonce, r.first_received, r.left)
        if r.due:
            self.deadlines.insert(place, r.deadline | _DUE)
            self.longest_due = None
        else:
            self.deadlines.insert(place, r.deadline)
            if r.deadline < self.next_deadline:
                self.next_deadline = r.deadline

    def remove(self, place: int) -> None:
        if self.deadlines[place] >= _DUE:
            self.longest_due = None
        del self.offsets[place]
        del self.deadlines[place]
        del self.rows[place * _ROW.size : (place + 1) * _ROW.size]

    def put(self, place: int, r: Range) -> None:
        """Change what is there but for its deadline."""
        _ROW.pack_into(self.rows, place * _ROW.size, r.count, r.deliveries, r.nonce, r.first_received, r.left)

    def split(self) -> "_Block":
        """Take the latter half away."""
        half = len(self) // 2
        latter = _Block()
        latter.offsets, latter.deadlines, latter.rows = (
            self.offsets[half:],
            self.deadlines[half:],
            self.rows[half * _ROW.size :],
        )
        del self.offsets[half:], self.deadlines[half:], self.rows[half * _ROW.size :]
        self._look()
        latter._look()
        return latter

    def join(self, latter: "_Block") -> None:
        """Take in all of the next block."""
        self.offsets.extend(latter.offsets)
        self.deadlines.extend(latter.deadlines)
        self.rows.extend(latter.rows)
        self._look()

    def _look(self) -> None:
        """See anew what is due when."""
        self.next_deadline = min(self.deadlines)
        self.longest_due = None

    def expire(self, now: int) -> list[Range]:
        """Those whose deadline passed are due from now on."""
        places = [place for place, time in enumerate(self.deadlines) if time <= now]
        for place in places:
            self.deadlines[place] |= _DUE
        self._look()
        return [self.at(place) for place in places]

    def expire_again(self) -> None:
        self.deadlines = array("Q", (time & ~_DUE for time in self.deadlines))
        self._look()

    def due_places(self) -> list[int]:
        """Those that are due, the longest due first."""
        return sorted((p for p, time in enumerate(self.deadlines) if time >= _DUE), key=self.deadlines.__getitem__)

    def due_since(self) -> int:
        if self.longest_due is None:
            self.longest_due = min((time for time in self.deadlines if time >= _DUE), default=_NEVER)
        return self.longest_due


class Ranges:
    """Ranges that do not overlap, by offset. What it gives out are copies."""

    def __init__(self) -> None:
        self.in_flight = 0
        """Records whose deadline has not passed."""
        self.due = 0
        """Records whose deadline has passed."""
        self.passed_over = 0
        """Of those that are due: records that nobody had."""
        self.changed: set[int] = set()
        """Offsets of ranges that came, changed or went; whoever stores them empties it."""
        self._blocks: list[_Block] = []
        self._firsts: list[int] = []
        """By block: none of its ranges begins before, none of the block before it at or behind."""
        self._next_deadline = _NEVER
        """Not later than the earliest."""

    def __iter__(self) -> Iterator[Range]:
        return (block.at(place) for block in self._blocks for place in range(len(block)))

    # Finding

    def find(self, offset: int) -> Range | None:
        """The range that holds `offset`."""
        if not self._blocks:
            return None
        block = self._blocks[bisect_right(self._firsts, offset) - 1]
        place = bisect_right(block.offsets, offset) - 1
        return block.at(place) if place >= 0 and offset < block.end(place) else None

    def begins(self, offset: int) -> Range | None:
        """The range whose first offset it is."""
        if not self._blocks:
            return None
        block = self._blocks[bisect_right(self._firsts, offset) - 1]
        place = bisect_left(block.offsets, offset)
        return block.at(place) if place < len(block.offsets) and block.offsets[place] == offset else None

    def first(self) -> Range | None:
        return self._blocks[0].at(0) if self._blocks else None

    def last(self) -> Range | None:
        return self._blocks[-1].at(len(self._blocks[-1]) - 1) if self._blocks else None

    def due_behind(self, offset: int) -> Iterator[Range]:
        """Those that are due and end behind `offset`, in order."""
        first = max(bisect_right(self._firsts, offset) - 1, 0)
        for block in islice(self._blocks, first, None):
            if block.due_since() == _NEVER:
                continue
            for place in range(max(bisect_right(block.offsets, offset) - 1, 0), len(block)):
                if block.deadlines[place] >= _DUE and block.end(place) > offset:
                    yield block.at(place)

    # Changing

    def insert(self, found: Range) -> None:
        number = self._room_for(found.offset)
        block = self._blocks[number]
        block.insert(bisect_left(block.offsets, found.offset), found)
        if block.next_deadline < self._next_deadline:
            self._next_deadline = block.next_deadline
        self._count(found, found.left)
        self.changed.add(found.offset)

    def _room_for(self, offset: int) -> int:
        """Number of the block that a range at `offset` belongs into, which has room for it."""
        number = bisect_right(self._firsts, offset) - 1
        if number >= 0 and len(self._blocks[number].offsets) < BLOCK_RANGES:
            return number
        if number < 0:
            self._add(0, 0, _Block())
            return 0
        if number + 1 == len(self._blocks) and offset > self._blocks[number].offsets[-1]:
            # Most come in order: blocks are filled up.
            self._add(number + 1, offset, _Block())
            return number + 1
        latter = self._blocks[number].split()
        self._add(number + 1, latter.offsets[0], latter)
        return number if offset < latter.offsets[0] else number + 1

    def _add(self, number: int, first: int, block: _Block) -> None:
        self._blocks.insert(number, block)
        self._firsts.insert(number, first)

    def remove(self, found: Range) -> None:
        """Take away one that was found."""
        number = bisect_right(self._firsts, found.offset) - 1
        block = self._blocks[number]
        self._remove(block, bisect_left(block.offsets, found.offset))
        self._count(found, -found.left)

    def _remove(self, block: _Block, place: int) -> None:
        offset = block.offsets[place]
        self.changed.add(offset)
        block.remove(place)
        if len(block.offsets) < _FEW and (len(self._blocks) > 1 or not block.offsets):
            self._tidy(bisect_right(self._firsts, offset) - 1)

    def _tidy(self, number: int) -> None:
        """Drop a block that is empty, or let it join one that has room."""
        if not self._blocks[number]:
            self._drop(number)
            return
        for former in number - 1, number:
            if 0 <= former < len(self._blocks) - 1:
                both = self._blocks[former], self._blocks[former + 1]
                if sum(map(len, both)) <= BLOCK_RANGES - _FEW:
                    both[0].join(both[1])
                    self._drop(former + 1)
                    return

    def _drop(self, number: int) -> None:
        del self._blocks[number]
        del self._firsts[number]

    def grow(self, count: int) -> None:
        """So many records more belong to the last range."""
        block = self._blocks[-1]
        found = block.at(len(block) - 1)
        found.count += count
        found.left += count
        block.put(len(block) - 1, found)
        self._count(found, count)
        self.changed.add(found.offset)

    def settle(self, offset: int, nonce: int, records: int = 1) -> bool:
        """So many records of a range are acknowledged, from `offset` on, of which none was before; False where that
        delivery does not hold them all."""
        if not self._blocks:
            return False
        block = self._blocks[bisect_right(self._firsts, offset) - 1]
        place = bisect_right(block.offsets, offset) - 1
        if place < 0:
            return False
        row = place * _ROW.size
        count, _, holder, _, left = _ROW.unpack_from(block.rows, row)
        if holder != nonce or offset + records > block.offsets[place] + count:
            return False
        if block.deadlines[place] >= _DUE:
            self.due -= records
        else:
            self.in_flight -= records
        if left == records:
            self._remove(block, place)
        else:
            _LEFT.pack_into(block.rows, row + _LEFT_AT, left - records)
        return True

    def _count(self, found: Range, difference: int) -> None:
        if not found.due:
            self.in_flight += difference
            return
        self.due += difference
        if not found.deliveries:
            self.passed_over += difference

    # Deadlines

    def next_deadline(self) -> int | None:
        """Millisecond at which `expire` may find something; never too late, sometimes too early."""
        return self._next_deadline if self.in_flight else None

    def expire(self, now: int) -> list[Range]:
        """Those whose deadline passed are due from now on, and returned, earliest deadline first."""
        if now < self._next_deadline:
            return []
        expired = [found for block in self._blocks if block.next_deadline <= now for found in block.expire(now)]
        self._next_deadline = min((block.next_deadline for block in self._blocks), default=_NEVER)
        moved = sum(found.left for found in expired)
        self.in_flight -= moved
        self.due += moved
        self.passed_over += sum(found.left for found in expired if not found.deliveries)
        return sorted(expired, key=lambda found: found.deadline)

    def expire_again(self) -> None:
        """Let `expire` find what is due once more."""
        for block in self._blocks:
            block.expire_again()
            self._next_deadline = min(self._next_deadline, block.next_deadline)
        self.in_flight += self.due
        self.due = self.passed_over = 0

    def longest_due(self) -> Iterator[Range]:
        """Those that are due. The longest due is the first; block by block, they are in order."""
        for block in sorted(self._blocks, key=_Block.due_since):
            for place in block.due_places():
                yield block.at(place)
