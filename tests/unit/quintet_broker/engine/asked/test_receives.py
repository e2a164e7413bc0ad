"""The line of receives that wait."""

import pytest

from quintet_broker.engine.asked.receives import Receives
from quintet_broker.engine.requests import Receive
from quintet_broker.errors import Unavailable


def waiting(receives: Receives, *untils: int) -> list[Receive]:
    some = [Receive(0, 1, 1000, until) for until in untils]
    for receive in some:
        receives.add(receive)
    return some


async def test_first_come_first_served_and_each_ends_in_its_time() -> None:
    receives = Receives()
    patient, short, last = waiting(receives, 30, 10, 20)
    assert receives.first() is patient
    assert receives.next_end() == 10
    assert receives.take_ended(20) == [short, last]
    receives.remove(patient)
    assert receives.first() is None
    assert receives.next_end() is None


async def test_one_that_was_served_in_vain_is_first_again() -> None:
    receives = Receives()
    served, other = waiting(receives, 10, 20)
    receives.remove(served)
    receives.put_back(served)
    assert receives.first() is served
    assert receives.take_ended(20) == [served, other]


async def test_a_client_that_went_is_passed_over() -> None:
    receives = Receives()
    gone, there = waiting(receives, 10, 20)
    gone.future.cancel()
    assert receives.first() is there
    assert receives.next_end() == 20


async def test_only_those_are_refused_that_should_have_been_answered() -> None:
    receives = Receives()
    late, gone, there = waiting(receives, 10, 30, 30)
    gone.future.cancel()
    receives.refuse(Unavailable(), before=20)
    with pytest.raises(Unavailable):
        late.future.result()
    assert receives.take_ended(30) == [there]
