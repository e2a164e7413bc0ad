"""A broker's lease over a real Redis."""

import asyncio
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from quintet_broker.engine.pool.lease import Found, Lease
from quintet_broker.engine.pool.owners import Member
from quintet_broker.errors import NameInUse
from quintet_broker.store.members import Members
from tests.processes import RedisServer

SECONDS = 1.0
LONG = 4.0
"""Seconds of a lease that is not to end though the machine is busy."""
TOLD = b"{}"
"""Of brokers that hold their leases by hand."""


class Holder:
    """A broker that does nothing but hold its lease."""

    def __init__(self, url: str, prefix: str, name: str, incarnation: int = 1, seconds: float = SECONDS) -> None:
        self.found: list[Found] = []
        member = Member(name, incarnation, peer=f"{name}:9402")
        self.lease = Lease(lambda: Members(url, prefix), member, seconds, self.found.append)

    @property
    def names(self) -> set[str]:
        return set(self.found[-1].owners.members) if self.found else set()

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(30):
            while self.names != set(names):  # noqa: ASYNC110 - another thread brings it about
                await asyncio.sleep(0.005)


async def until_taken_out(name: str, url: str, prefix: str) -> None:
    """As another broker, which holds its lease."""
    watching = Members(url, prefix)
    while name in (await watching.beat("broker-1", 1, 60_000, TOLD, 0)).members:  # noqa: ASYNC110 - time alone does it
        await asyncio.sleep(0.01)
    await watching.close()


@pytest.fixture
def prefix() -> str:
    return str(uuid.uuid4())


async def test_each_finds_the_others(redis_server: RedisServer, prefix: str) -> None:
    one, other = (Holder(redis_server.url, prefix, name, seconds=LONG) for name in ("broker-0", "broker-1"))
    for holder in one, other:
        holder.lease.start()
    for holder in one, other:
        await holder.until("broker-0", "broker-1")
        assert holder.lease.holds
    assert one.found[-1].owners.members["broker-1"].peer == "broker-1:9402"
    await other.lease.stop()
    await one.until("broker-0")
    await one.lease.stop()


async def test_who_leaves_is_told_who_came_since_it_renewed_last(redis_server: RedisServer, prefix: str) -> None:
    """What reached it goes on to those that are there then, and on to those that come while it ends."""
    goes = Holder(redis_server.url, prefix, "broker-0", seconds=LONG)
    goes.lease.start()
    await goes.until("broker-0")
    others = Members(redis_server.url, prefix)
    await others.beat("broker-1", 1, 60_000, TOLD, 0)
    await goes.lease.leave()
    assert goes.names == {"broker-1"}
    await others.beat("broker-2", 1, 60_000, TOLD, 0)
    goes.lease.hurry()
    await goes.until("broker-1", "broker-2")
    assert {found.owners.generation for found in goes.found} == {1, 3, 4}
    await goes.lease.stop()
    await others.close()


async def test_who_would_leave_and_is_alone_holds_its_lease_until_another_comes(
    redis_server: RedisServer, prefix: str
) -> None:
    goes = Holder(redis_server.url, prefix, "broker-0")
    goes.lease.start()
    await goes.until("broker-0")
    await goes.lease.leave()
    assert goes.names == {"broker-0"}
    renewed = len(goes.found)
    async with asyncio.timeout(30):
        while len(goes.found) < renewed + 2:  # noqa: ASYNC110 - another thread brings it about
            await asyncio.sleep(0.005)
    assert goes.names == {"broker-0"}
    others = Members(redis_server.url, prefix)
    await others.beat("broker-1", 1, 60_000, TOLD, 0)
    await goes.until("broker-1")
    await goes.lease.stop()
    assert set((await others.beat("broker-1", 1, 60_000, TOLD, 0)).members) == {"broker-1"}
    await others.close()


async def test_for_a_loop_that_stands_still_it_is_renewed_no_more(redis_server: RedisServer, prefix: str) -> None:
    """Others take over; and once it turns again, it is one of them again."""
    here = Holder(redis_server.url, prefix, "broker-0")
    here.lease.start()
    await here.until("broker-0")
    with ThreadPoolExecutor(1) as beside:
        # The loop waits for it, and so stands still.
        beside.submit(asyncio.run, until_taken_out("broker-0", redis_server.url, prefix)).result(30)
    assert not here.lease.holds
    await here.until("broker-0", "broker-1")
    await here.lease.stop()


async def test_a_short_standstill_costs_nothing(redis_server: RedisServer, prefix: str) -> None:
    here = Holder(redis_server.url, prefix, "broker-0", seconds=LONG)
    here.lease.start()
    await here.until("broker-0")
    for _ in range(2):
        time.sleep(LONG / 2)  # noqa: ASYNC251 - this is what is tested
        assert here.lease.holds
        await asyncio.sleep(0.01)
    assert {found.owners.generation for found in here.found} == {1}
    await here.lease.stop()


async def test_who_has_an_earlier_ones_name_ends_it(redis_server: RedisServer, prefix: str) -> None:
    earlier, later = (Holder(redis_server.url, prefix, "broker-0", incarnation) for incarnation in (1, 2))
    ended = earlier.lease.start()
    await earlier.until("broker-0")
    later.lease.start()
    async with asyncio.timeout(30):
        with pytest.raises(NameInUse):
            await ended
    await later.lease.stop()


async def test_a_lease_that_nobody_renews_any_more_is_told() -> None:
    """The broker would else go on, and serve nobody."""

    def broken() -> Members:
        raise ValueError("nothing to renew it with")

    lease = Lease(broken, Member("broker-0", 1), SECONDS, lambda _: None)
    async with asyncio.timeout(30):
        with pytest.raises(ValueError, match="nothing to renew"):
            await lease.start()
