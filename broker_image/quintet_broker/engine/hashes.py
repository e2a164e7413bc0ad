"""Hashes: a set of hashes that come at one end and go at the other, in flat memory."""

from array import array
from collections.abc import Iterator, Sequence

HASH_BYTES = 16
"""Who wants two that are equal has to try some 2^64 things."""

_CHUNK = 4096
_LEAST_CELLS = 64
_MOST_CELLS = 8
"""For each hash."""
_PLACES = 2**32
"""So many are told apart in memory: more than lie between any two that are met together."""
_LINKED_AT_ONCE = 4
"""Into an index that is being made, for each that is added."""


class Index:
    """Finds the places of hashes by their *cells*. A cell knows the place of its last hash, and each hash that of the
    one before it in its cell; what is gone ends such a line, so that nothing is ever taken out of it.
    """

    def __init__(self, cells: int, first: int) -> None:
        """Of the hashes from the place `first` on."""
        self.cells = array("I", [0]) * max(cells, _LEAST_CELLS)
        """Of each: the place, modulo 2^32, of its last hash."""
        self.before: dict[int, array[int]] = {}
        """By chunk, of each of its hashes: the place of the one before it, likewise."""
        self.next = first

    def add(self, begins: Sequence[int]) -> None:
        """Hashes at the next places, of one chunk, by how they begin."""
        cells, count, place = self.cells, len(self.cells), self.next
        before = self.before.get(place // _CHUNK)
        if before is None:
            before = self.before[place // _CHUNK] = array("I", [0]) * (place % _CHUNK)
        for begin in begins:
            cell = begin % count
            before.append(cells[cell])
            cells[cell] = place % _PLACES
            place += 1
        self.next = place


class Hashes:
    """Each has a *place*: they are counted as they come. About 25 bytes each."""

    def __init__(self, expected: int = 0) -> None:
        self.first = self.next = _CHUNK
        """Places: of the first hash, and behind the last one."""
        self._chunks: dict[int, bytearray] = {}
        self._index = Index(expected, self.first)
        self._making: Index | None = None
        """Is being made, with as many cells as it should have, to take its place."""

    def __len__(self) -> int:
        return self.next - self.first

    @property
    def size(self) -> int:
        """Bytes, about."""
        cells = len(self._index.cells) + (len(self._making.cells) if self._making else 0)
        return len(self) * (HASH_BYTES + 4) + 4 * cells

    def find(self, hashes: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
        """Those of them that are there, each with the last of its places."""
        index, chunks, following, most = self._index, self._chunks, self.next, len(self)
        cells, count = index.cells, len(index.cells)
        for hashed, begin in zip(hashes, _begins(b"".join(hashes)), strict=True):
            place, age = cells[begin % count], 0
            while age < (age := (following - place) % _PLACES) <= most:
                chunk, inside = divmod(following - age, _CHUNK)
                if chunks[chunk].startswith(hashed, inside * HASH_BYTES):
                    yield hashed, following - age
                    break
                place = index.before[chunk][inside]

    def add(self, hashes: bytes) -> None:
        """Some more, one behind the other."""
        begins = _begins(hashes)
        start = 0
        while start < len(begins):
            chunk, inside = divmod(self.next, _CHUNK)
            end = min(start + _CHUNK - inside, len(begins))
            self._chunks.setdefault(chunk, bytearray()).extend(hashes[start * HASH_BYTES : end * HASH_BYTES])
            self._index.add(begins[start:end])
            self.next += end - start
            start = end
        self._fit(_LINKED_AT_ONCE * len(begins))

    def _fit(self, most: int) -> None:
        """Where the cells are too few, go on to make another index, by so many hashes at most."""
        making = self._making
        if making is None:
            if len(self) <= len(self._index.cells):
                return
            making = self._making = Index(2 * len(self), self.first)
        while most > 0 and making.next < self.next:
            chunk, inside = divmod(making.next, _CHUNK)
            begins = _begins(self._chunks[chunk])[inside : inside + most]
            making.add(begins)
            most -= len(begins)
        if making.next == self.next:
            self._index, self._making = making, None

    def forget(self, before: int) -> None:
        """Let those before a place go."""
        gone = range(self.first // _CHUNK, before // _CHUNK)
        self.first = before
        for chunk in gone:
            del self._chunks[chunk]
            for index in (self._index, self._making):
                if index:
                    index.before.pop(chunk, None)
        if not len(self):
            self._index, self._making = Index(0, self.next), None
        elif (self._making and self._making.next < before) or len(self._index.cells) > _MOST_CELLS * len(self):
            self._making = Index(2 * len(self), self.first)


def _begins(hashes: bytes | bytearray) -> list[int]:
    """The first four bytes of each, as a number."""
    with memoryview(hashes) as view:
        return view.cast("I")[:: HASH_BYTES // 4].tolist()
