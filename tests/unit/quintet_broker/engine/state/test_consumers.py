"""Which consumer is active: the shard against what each consumer sees, and single cases."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec import structs

from quintet_broker.engine.requests import CloseConsumer, Receive, TellConsumer
from quintet_broker.engine.state.consumers import GRACE
from quintet_broker.errors import InvalidArgument, QueueInUse
from tests.unit.consumers_machine import ConsumersMachine, ExclusiveMachine, Woken
from tests.unit.each import each
from tests.unit.shard_bench import POLICY, values

SINGLE = structs.replace(POLICY, consumers="SingleActive")
EXCLUSIVE = structs.replace(POLICY, consumers="Exclusive")
WAIT = 5_000
VISIBILITY = 1_000


@pytest.mark.parametrize("machine", [ConsumersMachine, ExclusiveMachine])
def test_one_at_a_time(machine: type[ConsumersMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None))


def asking(bench: Woken, consumer: str | None, wait: int = WAIT) -> Receive:
    now = bench.store.now()
    return Receive(now, 1, VISIBILITY, now + wait, consumer=consumer)


async def asked(bench: Woken, consumer: str | None, wait: int = WAIT) -> Receive:
    receive = asking(bench, consumer, wait)
    bench.shards[1].ask(receive)
    await bench.turn()
    return receive


async def active(bench: Woken) -> str | None:
    found: str | None = await bench.ask(bench.shards[1], TellConsumer(bench.store.now()))
    return found


async def test_others_wait_in_line_and_end_empty() -> None:
    bench = Woken()
    shard = bench.open(1, SINGLE)
    await bench.send(shard, b"1", b"2")
    first = await asked(bench, "a")
    second = await asked(bench, "b")
    assert values(first.future.result()) == [b"1"]
    assert await active(bench) == "a"
    await bench.pass_time(WAIT)
    assert second.future.result() == []


async def test_others_end_empty_though_as_much_is_in_flight_as_may_be() -> None:
    bench = Woken()
    shard = bench.open(1, structs.replace(SINGLE, in_flight=1))
    await bench.send(shard, b"1", b"2")
    await asked(bench, "a")
    assert (await asked(bench, "b", wait=0)).future.result() == []


async def test_the_next_in_line_is_served_once_nothing_is_in_flight() -> None:
    bench = Woken()
    shard = bench.open(1, SINGLE)
    await bench.send(shard, b"1", b"2")
    [held] = each((await asked(bench, "a")).future.result())
    others = [await asked(bench, name) for name in ("c", "b")]
    await bench.ask(shard, CloseConsumer(bench.store.now(), "a"))
    assert not any(receive.future.done() for receive in others)
    await bench.acknowledge(shard, held)
    assert values(others[0].future.result()) == [b"2"]
    assert not others[1].future.done()
    assert await active(bench) == "c"


async def test_who_closed_and_asks_again_goes_on_while_nobody_else_asks() -> None:
    bench = Woken()
    shard = bench.open(1, SINGLE)
    await bench.send(shard, b"1", b"2")
    await asked(bench, "a")
    await bench.ask(shard, CloseConsumer(bench.store.now(), "a"))
    assert values((await asked(bench, "a")).future.result()) == [b"2"]


async def test_others_are_refused_where_one_is_exclusive() -> None:
    bench = Woken()
    shard = bench.open(1, EXCLUSIVE)
    # Both ask before anybody is active.
    first, second = asking(bench, "a"), asking(bench, "b")
    shard.ask(first)
    shard.ask(second)
    await bench.turn()
    assert not first.future.done()
    with pytest.raises(QueueInUse, match="consumer a"):
        second.future.result()
    await bench.ask(shard, CloseConsumer(bench.store.now(), "a"))
    assert first.future.result() == []
    assert not (await asked(bench, "b")).future.done()


async def test_a_new_owner_knows_who_is_active_and_begins_the_grace_anew() -> None:
    bench = Woken()
    await asked_alone(bench)
    await bench.pass_time(GRACE - 1)
    bench.open(1, SINGLE)
    bench.awake = True
    await bench.turn()
    assert await active(bench) == "a"
    other = await asked(bench, "b", wait=2 * GRACE)
    await bench.pass_time(GRACE - 1)
    assert await active(bench) == "a"
    await bench.pass_time(1)
    assert await active(bench) == "b"
    assert not other.future.done()


async def test_no_other_is_served_before_the_grace_has_passed() -> None:
    bench = Woken()
    shard = bench.open(1, SINGLE)
    await bench.send(shard, b"1", b"2")
    [held] = each((await asked(bench, "a")).future.result())
    await bench.acknowledge(shard, held)
    other = await asked(bench, "b", wait=2 * GRACE)
    await bench.pass_time(GRACE - 1)
    bench.awake = True
    await bench.turn()
    assert not other.future.done()
    await bench.pass_time(1)
    assert values(other.future.result()) == [b"2"]


async def asked_alone(bench: Woken) -> None:
    bench.open(1, SINGLE)
    await asked(bench, "a", wait=0)
    assert await active(bench) == "a"


async def test_after_the_grace_nobody_is_active() -> None:
    bench = Woken()
    await asked_alone(bench)
    await bench.pass_time(GRACE)
    assert await active(bench) is None
    assert "consumer" not in bench.inner.shards[1].meta


async def test_consumers_of_a_shared_queue_need_no_name() -> None:
    bench = Woken()
    shard = bench.open(1)
    nameless = await asked(bench, None)
    named = await asked(bench, "a")
    shard.set_policy(SINGLE)
    await bench.turn()
    with pytest.raises(InvalidArgument, match="SingleActive"):
        nameless.future.result()
    assert await active(bench) == "a"
    other = await asked(bench, "b")
    shard.set_policy(EXCLUSIVE)
    await bench.turn()
    assert isinstance(other.future.exception(), QueueInUse)
    shard.set_policy(POLICY)
    both = [named, await asked(bench, None)]
    await bench.send(shard, b"1", b"2")
    assert await active(bench) is None
    assert [values(receive.future.result()) for receive in both] == [[b"1"], [b"2"]]


async def test_what_many_had_in_flight_is_waited_for() -> None:
    bench = Woken()
    shard = bench.open(1)
    await bench.send(shard, b"1", b"2")
    await asked(bench, None)
    shard.set_policy(EXCLUSIVE)
    waiting = await asked(bench, "a")
    await bench.pass_time(VISIBILITY - 1)
    assert not waiting.future.done()
    await bench.pass_time(1)
    assert waiting.future.done()


async def test_a_receive_whose_client_has_gone_is_let_go_at_once() -> None:
    bench = Woken()
    bench.open(1, SINGLE)
    gone = await asked(bench, "a")
    await asked(bench, "b", wait=2 * GRACE)
    gone.future.cancel()
    await asyncio.sleep(0)
    await bench.turn()
    await bench.pass_time(GRACE)
    assert await active(bench) == "b"
