"""Hashes: a set of hashes that come at one end and go at the other, in flat memory."""

from array import array
from collections.abc import Iterator, Sequence

HASH_BYTES = 16
"""Who wants two that are equal has to try some 2^64 things."""

_CHUNK = 4096
_LEAST_CELLS = 64
_GROWTH = 4
"""How many cells an index is made with for each hash, once there are more hashes than cells: to make another one takes
longer than all else, and comes the more seldom."""
_MOST_CELLS = 16
"""For each hash."""
_PLACES = 2**32
"""So many are told apart in memory: more than lie between any two that are met together; a multiple of _CHUNK."""
_LINKED_AT_ONCE = 4
"""Into an index that is being made, for each that is added."""
_CELLS_AT_ONCE = 256 * 1024
"""Of an index that is being made: more would stop all else for a while."""


class Index:
    """Finds the places of hashes by their *cells*. A cell knows the place of its last hash, and each hash that of the
    one before it in its cell; what is gone ends such a line, so that nothing is ever taken out of it.
    """

    def __init__(self, count: int, first: int) -> None:
        """With so many cells, once they are all made, of the hashes from the place `first` on."""
        self.count = max(count, _LEAST_CELLS)
        self.cells = array("I")
        """Of each: the place, modulo 2^32, of its last hash."""
        self.before: dict[int, array[int]] = {}
        """By chunk, of each of its hashes: the place of the one before it, likewise."""
        self.next = first

    def make(self, most: int) -> bool:
        """So many cells more; whether there are any to make."""
        more = min(most, self.count - len(self.cells))
        self.cells.frombytes(bytes(4 * more))
        return more > 0

    def add(self, begins: Sequence[int]) -> None:
        """Hashes at the next places, of one chunk, by how they begin."""
        chunk, inside = divmod(self.next, _CHUNK)
        before = self.before.get(chunk)
        if before is None:
            before = self.before[chunk] = array("I", [0]) * inside
        cells, count, append = self.cells, self.count, before.append
        for place, begin in enumerate(begins, self.next % _PLACES):
            cell = begin % count
            append(cells[cell])
            cells[cell] = place
        self.next += len(begins)


class Hashes:
    """Each has a *place*: they are counted as they come. They take 24 to 40 bytes each, some 30 most of the time."""

    def __init__(self, expected: int = 0) -> None:
        self.first = self.next = _CHUNK
        """Places: of the first hash, and behind the last one."""
        self._chunks: dict[int, bytearray] = {}
        self._index = _whole(expected, self.first)
        self._making: Index | None = None
        """Is being made, with as many cells as it should have, to take its place."""

    def __len__(self) -> int:
        return self.next - self.first

    @property
    def size(self) -> int:
        """Bytes, about."""
        size = len(self) * (HASH_BYTES + 4) + 4 * self._index.count
        if self._making:
            size += 4 * (self._making.next - self.first + self._making.count)
        return size

    def find(self, hashes: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
        """Those of them that are there, each with the last of its places."""
        index, chunks, following, most = self._index, self._chunks, self.next, len(self)
        cells, count = index.cells, index.count
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
            if len(self) <= self._index.count:
                return
            making = self._making = Index(_GROWTH * len(self), self.first)
        if making.make(_CELLS_AT_ONCE):
            return
        while most > 0 and making.next < self.next:
            chunk, inside = divmod(making.next, _CHUNK)
            begins = _begins(self._chunks[chunk][inside * HASH_BYTES : (inside + most) * HASH_BYTES])
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
            self._index, self._making = _whole(0, self.next), None
        elif (self._making and self._making.next < before) or self._index.count > _MOST_CELLS * len(self):
            self._making = Index(2 * len(self), self.first)


def _whole(count: int, first: int) -> Index:
    index = Index(count, first)
    index.make(index.count)
    return index


def _begins(hashes: bytes | bytearray) -> list[int]:
    """The first four bytes of each, as a number."""
    with memoryview(hashes) as view:
        return view.cast("I")[:: HASH_BYTES // 4].tolist()
