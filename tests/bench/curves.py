"""`python -m tests.bench.curves`: the rate against the number of queues, of consumers, and of messages that wait."""

import argparse
import asyncio
from functools import partial

from tests.bench.flow import flow
from tests.bench.queues import queues
from tests.bench.runner import Measure, measure
from tests.bench.system import System, running

QUEUES = (1, 10, 100, 1_000)
CONSUMERS = (1, 10, 50, 200)
BACKLOG = (0, 10_000, 100_000, 1_000_000)
MESSAGES = 20_000
BATCH = 10
"""Messages a request."""
USUAL = 16
"""Producers, and consumers, where their number is not what is looked at."""
SMOKE = ((1, 3), (1, 3), (0, 300))


async def rate(system: System, messages: int, count: int = 1, consumers: int = USUAL, backlog: int = 0) -> Measure:
    async with queues(system, count, connections=USUAL + consumers) as some:
        await some.fill(backlog)
        bring = partial(
            flow,
            batch=BATCH,
            send=some.send,
            settle=partial(some.settle, BATCH),
            producers=USUAL,
            consumers=consumers,
            exact=not backlog,
        )
        return await measure(bring, system, messages)


async def curves(
    system: System, messages: int, counts: tuple[int, ...], consumers: tuple[int, ...], backlogs: tuple[int, ...]
) -> str:
    """Three tables in Markdown."""
    tables = []
    for name, field, values in (
        ("queues", "count", counts),
        ("consumers", "consumers", consumers),
        ("waiting messages", "backlog", backlogs),
    ):
        lines = [f"| {name} | messages/s | broker CPU s / 10,000 | Redis CPU s / 10,000 |", "|---|---|---|---|"]
        for value in values:
            found = await rate(system, messages, **{field: value})
            lines.append(f"| {value:,} | {found.rate:,.0f} | {found.broker_cpu:.2f} | {found.redis_cpu:.2f} |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.curves", description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES, help="for each point")
    parser.add_argument("--smoke", action="store_true", help="a few points, to see that it runs")
    arguments = parser.parse_args()
    messages, points = (100, SMOKE) if arguments.smoke else (arguments.messages, (QUEUES, CONSUMERS, BACKLOG))
    with running() as system:
        print(asyncio.run(curves(system, messages, *points)))


if __name__ == "__main__":
    main()
