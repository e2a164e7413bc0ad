"""How often a lease is renewed."""

import asyncio

from quintet_broker.engine.pool.lease import LEAST_PAUSE, Lease
from quintet_broker.engine.pool.owners import Member
from quintet_broker.store.members import Beat, Members


class CountedMembers(Members):
    """Renews without a store."""

    beats = 0

    def __init__(self) -> None: ...

    async def beat(self, name: str, incarnation: int, lease: int, told: bytes, generation: int) -> Beat:
        self.beats += 1
        return Beat(1, 0, {})

    async def leave(self, name: str, incarnation: int, *, stays_alone: bool) -> Beat:
        return Beat(2, 0, {})

    async def close(self) -> None: ...


async def test_however_much_it_is_hurried_it_is_renewed_with_pauses() -> None:
    members = CountedMembers()
    lease = Lease(lambda: members, Member("broker-0", 1), 60, lambda _: None)
    lease.start()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(30):
        while members.beats < 5:
            lease.hurry()
            await asyncio.sleep(0)
    assert loop.time() - began >= 4 * LEAST_PAUSE
    await lease.stop()
