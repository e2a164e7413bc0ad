from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.engine.lanes.bitmaps import BITMAP_OFFSETS, Bitmaps

NUMBERS = st.integers(0, 3 * BITMAP_OFFSETS)
SPANS = st.tuples(NUMBERS, st.integers(1, 2 * BITMAP_OFFSETS)).map(lambda span: (span[0], span[0] + span[1]))


@given(st.lists(SPANS, max_size=8), SPANS, NUMBERS)
def test_bitmaps_are_the_set_that_was_added(added: list[tuple[int, int]], asked: tuple[int, int], number: int) -> None:
    bitmaps, expected = Bitmaps(), set[int]()
    for start, end in added:
        bitmaps.add(start, end)
        expected |= set(range(start, end))
    assert (number in bitmaps) == (number in expected)
    assert bitmaps.count(*asked) == len(expected & set(range(*asked)))
    end_of_bitmap = (number // BITMAP_OFFSETS + 1) * BITMAP_OFFSETS
    missing = (one for one in range(number, end_of_bitmap) if one not in expected)
    assert bitmaps.run_from(number) == next(missing, end_of_bitmap) - number


@given(st.lists(SPANS, max_size=8), NUMBERS)
def test_what_changed_is_stored_and_loaded_as_it_was(added: list[tuple[int, int]], floor: int) -> None:
    bitmaps, loaded = Bitmaps(), Bitmaps()
    for start, end in added:
        bitmaps.add(start, end)
    bitmaps.drop_below(floor)
    for bitmap in bitmaps.changed:
        bits = bitmaps.stored(bitmap)
        assert (bits is None) == (bitmap < floor // BITMAP_OFFSETS)
        if bits:
            loaded.load(bitmap, bits)
    everything = range(6 * BITMAP_OFFSETS)
    assert [one in loaded for one in everything] == [one in bitmaps for one in everything]
