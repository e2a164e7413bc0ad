"""Bitmaps: a set of numbers that lie close together, 4096 of them in 512 bytes."""

from collections.abc import Iterable

BITMAP_OFFSETS = 4096


class Bitmaps:
    """Bit i of byte b of bitmap n stands for the number 4096 n + 8 b + i."""

    def __init__(self) -> None:
        self._bitmaps: dict[int, bytearray] = {}
        self.changed: set[int] = set()
        """Bitmaps that were changed or dropped; for who stores them, to be cleared."""
        self._lowest = 0
        """None below it is there."""

    def __contains__(self, number: int) -> bool:
        bits = self._bitmaps.get(number // BITMAP_OFFSETS)
        place = number % BITMAP_OFFSETS
        return bits is not None and bool(bits[place >> 3] >> (place & 7) & 1)

    def add(self, start: int, end: int) -> None:
        """All from `start` to before `end`."""
        for bitmap in range(start // BITMAP_OFFSETS, (end - 1) // BITMAP_OFFSETS + 1):
            bits = self._bitmaps.get(bitmap)
            if bits is None:
                bits = self._bitmaps[bitmap] = bytearray(BITMAP_OFFSETS // 8)
            base = bitmap * BITMAP_OFFSETS
            _set(bits, max(start - base, 0), min(end - base, BITMAP_OFFSETS))
            self.changed.add(bitmap)

    def count(self, start: int, end: int) -> int:
        """How many there are from `start` to before `end`."""
        first, last = start // BITMAP_OFFSETS, (end - 1) // BITMAP_OFFSETS
        # What is asked for may span a hole of many numbers, and many bitmaps may lie outside of it.
        bitmaps: Iterable[int] = range(first, last + 1)
        if last - first > len(self._bitmaps):
            bitmaps = [bitmap for bitmap in self._bitmaps if first <= bitmap <= last]
        return sum(
            _ones(bits, start - bitmap * BITMAP_OFFSETS, end - bitmap * BITMAP_OFFSETS)
            for bitmap in bitmaps
            if (bits := self._bitmaps.get(bitmap))
        )

    def run_from(self, number: int) -> int:
        """How many follow each other from a number on, as far as its bitmap tells."""
        bits = self._bitmaps.get(number // BITMAP_OFFSETS)
        return _ones_from(bits, number % BITMAP_OFFSETS) if bits else 0

    def drop_below(self, number: int) -> None:
        """Forget the bitmaps of which each number is lower."""
        if number // BITMAP_OFFSETS == self._lowest:
            return
        self._lowest = number // BITMAP_OFFSETS
        for bitmap in [bitmap for bitmap in self._bitmaps if bitmap < self._lowest]:
            del self._bitmaps[bitmap]
            self.changed.add(bitmap)

    def stored(self, bitmap: int) -> bytes | None:
        """One as it is stored; None if there is none."""
        bits = self._bitmaps.get(bitmap)
        return bytes(bits) if bits else None

    def load(self, bitmap: int, stored: bytes) -> None:
        self._bitmaps[bitmap] = bytearray(stored)


def _ones(bits: bytearray, start: int, end: int) -> int:
    """How many bits are set from place `start` to before `end`."""
    whole = int.from_bytes(bits, "little") & ((1 << max(end, 0)) - 1)
    return (whole >> max(start, 0)).bit_count()


def _ones_from(bits: bytearray, place: int) -> int:
    """How many bits from a place on are set without one between them that is not."""
    if not bits[place >> 3] >> (place & 7) & 1:
        return 0
    rest = int.from_bytes(bits, "little") >> place
    return (~rest & (rest + 1)).bit_length() - 1


def _set(bits: bytearray, start: int, end: int) -> None:
    """Set the bits from place `start` to before `end`."""
    if end - start == 1:
        bits[start >> 3] |= 1 << (start & 7)
        return
    whole = int.from_bytes(bits, "little") | ((1 << (end - start)) - 1) << start
    bits[:] = whole.to_bytes(len(bits), "little")
