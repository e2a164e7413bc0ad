"""One consumer at a time, while consumers and owners die by SIGKILL."""

import asyncio
import sys
from asyncio.subprocess import PIPE

from quintet.client import Client
from quintet.message import Message
from quintet.queue import Queue
from tests.integration.faults.system import named, owner
from tests.processes import Broker, Pool

PATIENCE = 120.0
"""Seconds for what takes about thirty: visibility timeouts and the grace."""
SPEC = {"ordering": "Fifo", "consumers": "SingleActive"}
COUNT = 40
CONSUMER = """
import sys, quintet.sync
with quintet.sync.connect(sys.argv[1], timeout=60) as client:
    for message in client.queue("orders").receive(consumer="dies", ahead=3):
        print(message.text, flush=True)
        sys.stdin.readline()
        message.acknowledge()
"""
"""Tells each message that it has, and acknowledges it when it is told to."""


async def _next(queue: Queue, consumer: str) -> Message:
    while not (messages := await queue.receive_batch(1, wait=20, consumer=consumer)):
        pass
    return messages[0]


async def test_the_order_is_kept_when_a_consumer_dies(own_broker: Broker, client: Client) -> None:
    await client.create_queue("orders", SPEC | {"visibilityTimeout": "20s"})
    queue = client.queue("orders")
    for number in range(COUNT):
        await queue.send(str(number), key="all")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONSUMER, own_broker.http_url, stdin=PIPE, stdout=PIPE
    )
    assert process.stdin
    assert process.stdout
    seen: list[int] = []
    async with asyncio.timeout(PATIENCE):
        try:
            while len(seen) < COUNT // 4:
                seen.append(int(await process.stdout.readline()))
                process.stdin.write(b"\n")
            assert (await queue.info()).active_consumer == "dies"
            receiver = queue.receive(consumer="next", ahead=3)
            waiting = asyncio.ensure_future(anext(receiver))
        finally:
            process.kill()
            await process.wait()
        await (await waiting).acknowledge()
        after = [int((await waiting).text)]
        async for message in receiver:
            after.append(int(message.text))
            await message.acknowledge()
            if after[-1] == COUNT - 1:
                break
    # Of what the first had, what was not acknowledged comes again, and nothing else does.
    assert seen == sorted(seen)
    assert after == list(range(after[0], COUNT))
    assert after[0] <= seen[-1] + 1


async def test_a_new_owner_goes_on_with_the_active_consumer(pool: Pool, clients: list[Client]) -> None:
    await clients[0].create_queue("orders", SPEC | {"visibilityTimeout": "10m"})
    for number in range(3):
        await clients[0].queue("orders").send(str(number), key="all")
    victim = named(pool, await owner(pool.brokers[0], "orders"))
    one, other = (
        client.queue("orders") for client, broker in zip(clients, pool.brokers, strict=True) if broker is not victim
    )
    async with asyncio.timeout(PATIENCE):
        [held] = await one.receive_batch(1, wait=20, consumer="a")
        waiting = asyncio.ensure_future(anext(other.receive(consumer="b", ahead=1)))
        await asyncio.to_thread(victim.kill)
        assert (await other.info()).active_consumer == "a"
        await held.acknowledge()
        again = await _next(one, "a")
        assert (await other.info()).active_consumer == "a"
        assert not waiting.done()
        await one.close_consumer("a")
        await again.acknowledge()
        assert [held.text, again.text, (await waiting).text] == ["0", "1", "2"]
        assert (await one.info()).active_consumer == "b"
