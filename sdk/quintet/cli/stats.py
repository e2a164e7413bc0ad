"""`quintet stats`: how much queues hold, and what goes through them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any

import click

from quintet.cli.failures import run
from quintet.cli.layout import aligned, duration
from quintet.cli.system import System
from quintet.cli.where import Where, seconds, where_options
from quintet.embedded.errors import CannotRun

if TYPE_CHECKING:
    from quintet import Queue
    from quintet.cli.metrics import QueueStats, Stats

HEAD = ("VISIBLE", "IN-FLIGHT", "DELAYED", "SENT/S", "RECEIVED/S", "ACKED/S", "DEAD")
NOTHING = "-"
EVERY = 1.0
"""Seconds."""


def _every(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float:
    every = seconds(ctx, parameter, value)
    if every == 0:
        raise click.BadParameter("must be more than 0s")
    return every or EVERY


every_option = click.option(
    "--every", callback=_every, metavar="DURATION", show_default="1s", help="Over which time rates are measured."
)


async def looks(system: System, every: float) -> AsyncGenerator[Stats, None]:
    """How things are, each time with the rates of the seconds before. Raises CannotRun where no broker answers."""
    import aiohttp

    from quintet.cli.metrics import compare, look

    async with aiohttp.ClientSession() as session, system.brokers() as brokers:
        before = await look(session, brokers)
        while True:
            await asyncio.sleep(every)
            now = await look(session, brokers)
            if not any(now.values()):
                raise CannotRun("no broker answers")
            yield compare(before, now)
            before = now


@click.command(short_help="Show how much queues hold, and what goes through them.")
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@every_option
@click.option("-w", "--watch", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--oldest", is_flag=True, help="Tell how long the first message waits: of queues that are named.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@where_options
def stats(queues: tuple[str, ...], every: float, watch: bool, oldest: bool, output: str, where: Where) -> None:
    """Show how much queues hold, and how many messages a second are sent, received and acknowledged.

    All queues of the pool, in a cluster of the namespace, or those that are named. DEAD counts what was
    dead-lettered since the brokers started. OLDEST is the age of the message that `peek` shows first.
    """
    names = [queue.removeprefix("queue/") for queue in queues]
    if oldest and not names:
        raise click.UsageError("--oldest is for queues that are named")

    async def work() -> None:
        system = where.system()
        async with AsyncExitStack() as stack:
            ages = [await _age(stack, system, name) for name in names] if oldest else []
            async for found in await stack.enter_async_context(aclosing(looks(system, every))):
                rows = _named(found, names)
                times = [await age() for age in ages]
                click.echo(json.dumps(_json(found, rows, times)) if output == "json" else _table(rows, times))
                if not watch:
                    break

    run(work())


def _named(found: Stats, names: Sequence[str]) -> list[QueueStats]:
    """Raises CannotRun where one is not there."""
    if not names:
        return found.queues
    by_name = {queue.name: queue for queue in found.queues}
    for name in names:
        if name not in by_name:
            raise CannotRun(f"queue/{name}: is not there")
    return [by_name[name] for name in names]


async def _age(stack: AsyncExitStack, system: System, name: str) -> Callable[[], Awaitable[float | None]]:
    """Tells for how many seconds the first message of a queue waits."""
    client = await stack.enter_async_context(system.client(name))
    queue: Queue = client.queue(name)

    async def age() -> float | None:
        messages = (await queue.peek(1)).messages
        return max(0.0, time.time() - messages[0].sent_at / 1000) if messages else None

    return age


def cells(queue: QueueStats) -> list[str]:
    """Under HEAD."""
    counts = (queue.visible, queue.in_flight, queue.delayed)
    return [
        *(NOTHING if count is None else str(count) for count in counts),
        *(rate(value) for value in (queue.sent, queue.received, queue.acknowledged)),
        str(queue.dead_lettered),
    ]


def rate(value: float) -> str:
    """Of messages a second: `0`, `0.3`, `12`, `48210`."""
    return f"{value:.1f}" if 0 < value < 10 else f"{value:.0f}"


def lines(queues: Sequence[QueueStats]) -> tuple[list[str], list[list[str]]]:
    """The head and a row for each; the pool is told where there are several."""
    several = len({queue.pool for queue in queues}) > 1
    head = ["NAME", *(["POOL"] if several else []), *HEAD]
    return head, [[queue.name, *([queue.pool] if several else []), *cells(queue)] for queue in queues]


def _table(queues: Sequence[QueueStats], times: Sequence[float | None]) -> str:
    head, rows = lines(queues)
    if times:
        head.append("OLDEST")
        rows = [[*row, NOTHING if age is None else duration(age)] for row, age in zip(rows, times, strict=True)]
    return aligned([head, *rows], numbers=True)


def _json(found: Stats, queues: Sequence[QueueStats], times: Sequence[float | None]) -> dict[str, Any]:
    told = [
        {
            "pool": queue.pool,
            "name": queue.name,
            "visible": queue.visible,
            "inFlight": queue.in_flight,
            "delayed": queue.delayed,
            "sentPerSecond": round(queue.sent, 3),
            "receivedPerSecond": round(queue.received, 3),
            "acknowledgedPerSecond": round(queue.acknowledged, 3),
            "deadLettered": queue.dead_lettered,
            "expired": queue.expired,
            "dropped": queue.dropped,
        }
        for queue in queues
    ]
    for queue, age in zip(told, times, strict=False):
        queue["oldestSeconds"] = None if age is None else round(age, 3)
    brokers = [
        {
            "pool": broker.pool,
            "name": broker.name,
            "answers": broker.answers,
            "cpu": None if broker.cpu is None else round(broker.cpu, 3),
            "memoryBytes": broker.memory_bytes,
        }
        for broker in found.brokers
    ]
    pools = [
        {"name": pool.pool, "storageUsedBytes": pool.storage_used, "storageLimitBytes": pool.storage_limit}
        for pool in found.pools
    ]
    return {"queues": told, "brokers": brokers, "pools": pools}
