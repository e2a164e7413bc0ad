"""A clean run is clean, and each kind of fault that is planted into one is found, and only that."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prober.ledger import Ledger, Name

VISIBILITY = 5.0
RUN = "run"
NAMES = [Name(producer, key, number) for number in range(4) for producer in range(2) for key in range(2)]


class Run:
    """A ledger with a clock and a queue that does as it is told."""

    def __init__(self, *, ordered: bool = False) -> None:
        self.ordered = ordered
        self.ledger = Ledger(RUN, VISIBILITY)
        self.now = 100.0
        self.bodies: dict[Name, str] = {}

    def send(self, name: Name, *, confirmed: bool = True) -> None:
        self.bodies[name] = self.ledger.send(name, 60, ordered=self.ordered)
        if confirmed:
            self.ledger.confirm(name)

    def receive(self, *names: Name, message_id: str | None = None, ago: float = 0.0, dead: bool = False) -> None:
        """In one batch, asked for so many seconds ago."""
        self.now += 0.001
        for name in names:
            self.ledger.receive(self.bodies[name], message_id or str(name), self.now - ago, self.now, dead=dead)

    def acknowledge(self, name: Name) -> None:
        self.ledger.done_with(name)
        self.ledger.acknowledge(name)

    def faults(self) -> dict[str, int]:
        found = self.ledger.verdict().faults()
        return {name: finding.count for name, finding in found.items()}


def whole_run(skipped: frozenset[Name] = frozenset()) -> Run:
    run = Run()
    for name in NAMES:
        run.send(name)
    for name in NAMES:
        if name not in skipped:
            run.receive(name)
            run.acknowledge(name)
    return run


@given(data=st.data())
def test_a_clean_run_is_clean(data: st.DataObject) -> None:
    """Whatever is unconfirmed, lost while unconfirmed, unacknowledged and received again in time."""
    run = Run()
    unconfirmed = data.draw(st.sets(st.sampled_from(NAMES)))
    vanished = data.draw(st.sets(st.sampled_from(sorted(unconfirmed)))) if unconfirmed else set()
    again = data.draw(st.sets(st.sampled_from(NAMES))) - vanished
    for name in NAMES:
        run.send(name, confirmed=name not in unconfirmed)
    there = [name for name in NAMES if name not in vanished]
    for name in there:
        run.receive(name)
        if name not in again:
            run.acknowledge(name)
    run.now += VISIBILITY
    for name in again:
        run.receive(name)
        run.acknowledge(name)
    verdict = run.ledger.verdict()
    assert run.faults() == {}
    assert verdict.redelivered == len(again)
    assert verdict.received == verdict.acknowledged == len(there)
    assert verdict.confirmed == len(NAMES) - len(unconfirmed)


@given(lost=st.sets(st.sampled_from(NAMES), min_size=1))
def test_lost(lost: set[Name]) -> None:
    run = whole_run(frozenset(lost))
    assert run.faults() == {"lost": len(lost)}
    assert len(run.ledger.unreceived) == len(lost)
    assert run.ledger.verdict().lost.examples[0] in map(str, lost)


@given(again=st.sets(st.sampled_from(NAMES), min_size=1))
def test_duplicated(again: set[Name]) -> None:
    run = whole_run()
    run.now += VISIBILITY
    for name in again:
        run.receive(name)
    assert run.faults() == {"duplicated": len(again)}


@given(name=st.sampled_from(NAMES), after=st.floats(0, VISIBILITY - 0.01))
def test_early(name: Name, after: float) -> None:
    run = whole_run(frozenset({name}))
    run.receive(name)
    run.now += after
    run.receive(name)
    assert run.faults().keys() == {"early"}
    assert run.ledger.verdict().redelivered == 1


@given(name=st.sampled_from(NAMES), since=st.floats(0, VISIBILITY - 0.1), acknowledged=st.booleans())
def test_late(name: Name, since: float, acknowledged: bool) -> None:
    """It was asked for so long ago that others, who got it since, had to get it: no fault, but they still hold it."""
    run = whole_run(frozenset({name}))
    run.receive(name)
    if acknowledged:
        run.acknowledge(name)
    run.now += since
    run.receive(name, ago=since + VISIBILITY + 0.01)
    assert run.ledger.verdict().late == 1
    assert run.faults() == {}
    run.receive(name)
    assert run.faults() == {"duplicated" if acknowledged else "early": 1}


@given(name=st.sampled_from(NAMES), ago=st.floats(0, VISIBILITY - 0.01))
def test_what_was_asked_for_shortly_before_is_not_late(name: Name, ago: float) -> None:
    run = whole_run()
    run.receive(name, ago=ago)
    assert run.faults() == {"duplicated": 1}


@given(name=st.sampled_from(NAMES))
def test_doubled(name: Name) -> None:
    run = whole_run()
    run.receive(name, message_id="another")
    assert run.faults() == {"doubled": 1}
    assert not run.ledger.verdict().faults(idempotent=False)


@given(st.permutations(range(4)))
def test_reordered(order: list[int]) -> None:
    run = Run(ordered=True)
    names = [Name(0, 0, number) for number in order]
    for name in sorted(names):
        run.send(name)
    for name in names:
        run.receive(name)
        run.acknowledge(name)
    overtaking = sum(set(range(number)) > set(order[:place]) & set(range(number)) for place, number in enumerate(order))
    assert run.faults() == ({"reordered": overtaking} if overtaking else {})


@given(received_before=st.booleans(), dead=st.booleans())
def test_what_follows_may_come_once_a_message_was_dead_lettered(received_before: bool, dead: bool) -> None:
    """Its deliveries were lost, or nobody was done with it."""
    run = Run(ordered=True)
    first, second = (Name(0, 0, number) for number in range(2))
    run.send(first)
    run.send(second)
    if received_before:
        run.receive(first)
    run.receive(second)
    run.now += VISIBILITY
    run.receive(first, dead=dead)
    assert run.faults() == ({} if dead and not received_before else {"reordered": 1})


@given(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=4), seen=st.booleans(), data=st.data())
def test_a_group_goes_on_when_what_came_before_is_done_with(sizes: list[int], seen: bool, data: st.DataObject) -> None:
    """Batch by batch, each of which may come again as a whole; then one comes while the one before is in flight."""
    run, numbers = Run(ordered=True), iter(range(100))
    batches = [[Name(0, 0, next(numbers)) for _ in range(size)] for size in sizes]
    for name in (name for batch in batches for name in batch):
        run.send(name)
    for batch in batches:
        for _ in range(data.draw(st.integers(1, 2))):
            run.receive(*batch)
            run.now += VISIBILITY
        for name in batch:
            run.acknowledge(name)
    assert run.faults() == {}

    first, second = Name(0, 0, next(numbers)), Name(0, 0, next(numbers))
    run.send(first)
    run.send(second)
    if seen:
        run.receive(first)
    run.receive(second)
    assert run.ledger.verdict().reordered.count == 1


def test_a_send_without_an_answer_may_come_late() -> None:
    run = Run(ordered=True)
    run.send(Name(0, 0, 0), confirmed=False)
    run.send(Name(0, 0, 1))
    run.receive(Name(0, 0, 1))
    run.receive(Name(0, 0, 0))
    assert run.faults() == {}


@pytest.mark.parametrize("sender", [Ledger("another", VISIBILITY), Ledger(RUN, VISIBILITY)])
def test_phantom(sender: Ledger) -> None:
    run = whole_run()
    body = sender.send(Name(9, 9, 9))
    assert run.ledger.receive(body, "id", run.now, run.now) is None
    assert run.faults() == {"phantom": 1}


@given(name=st.sampled_from(NAMES), place=st.integers(0, 59))
def test_corrupt(name: Name, place: int) -> None:
    run = whole_run(frozenset())
    body = run.bodies[name]
    broken = body[:place] + chr(ord(body[place]) ^ 1) + body[place + 1 :]
    assert run.ledger.receive(broken, "id", run.now, run.now) is None
    assert run.faults() == {"corrupt": 1}


def test_a_body_cut_short_is_corrupt() -> None:
    run = whole_run()
    body = run.bodies[NAMES[0]]
    cuts: list[Callable[[str], Any]] = [lambda text: text[:-1], lambda text: text[:4], lambda _: ""]
    for cut in cuts:
        assert run.ledger.receive(cut(body), "id", run.now, run.now) is None
    assert run.faults() == {"corrupt": len(cuts)}


def test_the_verdict_reads_as_text() -> None:
    run = whole_run(frozenset(NAMES[-7:]))
    text = str(run.ledger.verdict())
    assert "lost          7" in text
    assert text.count("    producer") == 5
