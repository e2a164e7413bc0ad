"""`python -m tests.bench.curves`: rate and latency against the number of queues, of consumers, of messages that wait.

Each point is measured on a broker and a Redis of its own.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.bench.flow import flow
from tests.bench.latencies import Latencies
from tests.bench.queues import queues
from tests.bench.runner import measure
from tests.bench.system import System, running

MESSAGES = 20_000
BATCH = 10
"""Messages a request."""
USUAL = 16
"""Producers, and consumers, where their number is not what is looked at."""


@dataclass(frozen=True)
class Point:
    """What is looked at."""

    queues: int = 1
    consumers: int = USUAL
    waiting: int = 0
    """Messages."""


CURVES = {
    "queues": [Point(queues=count) for count in (1, 10, 100, 1_000)],
    "consumers": [Point(consumers=count) for count in (1, 10, 50, 200)],
    "waiting": [Point(waiting=count) for count in (0, 100_000, 1_000_000, 5_000_000)],
}
SMOKE = {"queues": [Point(queues=3)], "consumers": [Point(consumers=3)], "waiting": [Point(waiting=300)]}
HEADING = """\
| {} | messages/s | a send: p50 ms | p99 ms | longest ms \
| a receive with its acknowledgement: p50 ms | p99 ms | longest ms | broker CPU s / 10,000 | Redis CPU s / 10,000 \
| broker MB | Redis MB |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


@dataclass
class Timed:
    """A verb, and how long its calls took."""

    verb: Callable[..., Awaitable[Any]]
    took: Latencies = field(default_factory=Latencies)

    async def __call__(self, *arguments: Any) -> Any:
        began = time.perf_counter()
        found = await self.verb(*arguments)
        self.took.add(time.perf_counter() - began)
        return found


async def row(system: System, messages: int, point: Point) -> str:
    async with queues(system, point.queues, connections=USUAL + point.consumers) as some:
        await some.fill(point.waiting)
        send, settle = Timed(some.send), Timed(partial(some.settle, BATCH))
        bring = partial(
            flow,
            batch=BATCH,
            send=send,
            settle=settle,
            producers=USUAL,
            consumers=point.consumers,
            exact=not point.waiting,
        )
        found = await measure(bring, system, messages)
        held = system.memory()
        return (
            f"{found.rate:,.0f} | {send.took.row()} | {settle.took.row()} "
            f"| {found.cpu['broker']:.2f} | {found.cpu['Redis']:.2f} | {held['broker']:,.0f} | {held['Redis']:,.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.curves", description=__doc__)
    parser.add_argument("--curves", nargs="+", choices=CURVES, default=CURVES)
    parser.add_argument("--messages", type=int, default=MESSAGES, help="for each point")
    parser.add_argument("--smoke", action="store_true", help="a few points, to see that it runs")
    arguments = parser.parse_args()
    messages, curves = (100, SMOKE) if arguments.smoke else (arguments.messages, CURVES)
    for name in arguments.curves:
        print(HEADING.format(name))
        for point in curves[name]:
            with running() as system:
                print(f"| {getattr(point, name):,} | {asyncio.run(row(system, messages, point))}", flush=True)
        print()


if __name__ == "__main__":
    main()
