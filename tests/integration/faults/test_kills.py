"""Kills by SIGKILL at random moments, of the broker, of Redis and of both, under the prober."""

import asyncio

import pytest

from quintet.client import Client
from tests.integration.faults.system import Killer, seed
from tests.prober.ports import QuintetPort, SqsPort
from tests.prober.prober import Load, Prober
from tests.processes import Broker, RedisServer

KILLS = 5
"""In each test; three brokers are killed more often."""
BETWEEN = 5
"""Messages that must go the whole way between two strikes."""


async def strike(prober: Prober, killer: Killer, kills: int = KILLS) -> None:
    """Until there were so many kills."""
    await prober.progress(BETWEEN)
    while killer.kills < kills:
        # The children die with the thread that starts them, and the loop's threads live as long as the test.
        await asyncio.to_thread(killer.strike)
        await prober.progress(BETWEEN)


async def test_nothing_is_lost(
    own_broker: Broker, own_redis: RedisServer, client: Client, hasty_client: Client
) -> None:
    await client.create_queue("orders")
    await client.create_queue("in-order", {"ordering": "Fifo"})
    both = (client, hasty_client)
    ports = [QuintetPort(one.queue("orders")) for one in both]
    ports += [QuintetPort(one.queue("in-order"), ordered=True) for one in both]
    async with Prober(ports, Load(rate=100, visibility=2.0)) as prober:
        await strike(prober, Killer(seed(), [own_broker], own_redis))
        verdict = await prober.finish()
    print(verdict)
    assert verdict.faults() == {}


@pytest.mark.parametrize("ordering", ["Standard", "Fifo"])
async def test_what_nobody_acknowledges_is_dead_lettered_once(
    own_broker: Broker, own_redis: RedisServer, client: Client, hasty_client: Client, ordering: str
) -> None:
    await client.create_queue("dead", {"ordering": ordering})
    await client.create_queue("orders", {"ordering": ordering, "deadLetter": {"queue": "dead", "maxReceives": 2}})
    ports = [QuintetPort(one.queue("orders"), ordered=ordering == "Fifo") for one in (client, hasty_client)]
    # In a group each of them holds up what follows.
    load = Load(rate=200, visibility=1.0, poison_every=2 if ordering == "Standard" else 4)
    async with Prober(ports, load, dead_letter=[QuintetPort(client.queue("dead"))]) as prober:
        await strike(prober, Killer(seed(), [own_broker], own_redis))
        await prober.finish()
        await prober.until_dead_lettered()
        verdict = prober.ledger.verdict()
    print(verdict)
    assert verdict.faults() == {}
    assert prober.poisoned


@pytest.mark.parametrize("ordering", ["Standard", "Fifo"])
async def test_nothing_is_lost_to_boto3(
    own_broker: Broker, own_redis: RedisServer, client: Client, ordering: str
) -> None:
    is_fifo = ordering == "Fifo"
    await client.create_queue("orders", {"ordering": ordering})
    with SqsPort(own_broker.http_url, "orders", ordered=is_fifo) as port:
        async with Prober([port], Load(rate=50, visibility=2.0)) as prober:
            await strike(prober, Killer(seed(), [own_broker], own_redis))
            verdict = await prober.finish()
    print(verdict)
    assert verdict.faults(idempotent=is_fifo) == {}
