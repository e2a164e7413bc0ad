"""Batches that lie: refused before they cost anything, or whole in whatever is made of them."""

import random
import tracemalloc

import pytest

from quintet_broker.engine.records import sealed
from quintet_broker.engine.records.record import Record, decode
from quintet_broker.engine.records.run import runs
from quintet_broker.engine.records.sealed import MOST_HEADERS, MOST_RECORDS, NotABatch, seal
from tests.raw_batches import batch_of, bombs, mutant, overflowing, record

NAMES = (7, 8)
BOMBS = bombs(4)


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused_before_they_are_decoded(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(NotABatch, match="more than"):
            seal(bomb, NAMES, 0)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * len(bomb) + 1_000_000


def test_as_many_as_may_be_are_taken() -> None:
    most = [record(0, headers=[(b"", b"")] * MOST_HEADERS), *(record(place) for place in range(1, MOST_RECORDS))]
    assert seal(batch_of(*most), NAMES, 0)[0].count == MOST_RECORDS


@pytest.mark.parametrize("large", [sealed.LARGE, 20])
def test_mutants_are_refused_or_whole(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `large` of 20 each of them is looked through before it is decoded."""
    monkeypatch.setattr(sealed, "LARGE", large)
    choice = random.Random(large)
    whole = 0
    for _ in range(5_000):
        try:
            batch, records = seal(mutant(choice), NAMES, 5)
        except NotABatch:
            continue
        whole += 1
        found = decode(batch.placed(1000, 3).data)
        assert [offset for offset, _ in found] == list(range(1000, 1000 + len(records)))
        for most in 62, 100, 400:
            offset = 1000
            parts: list[Record] = []
            for part in batch.parts(most):
                [run] = runs(part.placed(offset, 3).data)
                parts += run.records
                offset += run.count
            assert parts == [one for _, one in found]
    assert whole > 500


def test_a_length_of_more_than_64_bits_is_read_as_the_decoder_reads_it() -> None:
    content = [record(place, b"value", length=b"") for place in range(3)]
    batch, _ = seal(batch_of(*(overflowing(len(one)) + one for one in content)), NAMES, 0)
    assert [part.count for part in batch.parts(90)] == [1, 1, 1]
