"""`python -m tests.bench.recovery`: how soon a broker that was killed delivers again, with many messages waiting."""

import argparse
import asyncio
import time

import aiohttp

from tests.bench.queues import Queues, queues
from tests.bench.system import System, running

WAITING = (1, 1_000_000)
IN_FLIGHT = 10_000
ROUNDS = 5
WITHIN = 60.0
"""Seconds."""
SMOKE = ((1, 300), 10, 1)


async def recover(system: System, some: Queues) -> tuple[float, float]:
    """Kill the broker; seconds until the first message comes from the one that is started in its place, and how many
    of them it computed."""
    await asyncio.to_thread(system.broker.kill)
    began = time.perf_counter()
    await asyncio.to_thread(system.broker.launch)
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                if await some.receive(1):
                    return time.perf_counter() - began, system.cpu()["broker"]
            except aiohttp.ClientError:
                await asyncio.sleep(0.01)


async def load(system: System) -> float:
    """Kill Redis; seconds until it has read its data again."""
    await asyncio.to_thread(system.redis.kill)
    began = time.perf_counter()
    await asyncio.to_thread(system.redis.start)
    return time.perf_counter() - began


async def bench(system: System, waiting: int, in_flight: int, rounds: int) -> str:
    async with queues(system, visibilityTimeout="12h") as some:
        await some.fill(waiting + in_flight)
        for _ in range(in_flight // 10):
            await some.receive(10)
        await some.send(rounds)
        seconds, computed = zip(*[await recover(system, some) for _ in range(rounds)], strict=True)
        redis = await load(system)
        return f"| {waiting:,} | {min(seconds):.2f} - {max(seconds):.2f} | {max(computed):.2f} | {redis:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recovery", description=__doc__)
    parser.add_argument("--waiting", type=int, nargs="+", default=WAITING, help="messages")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--smoke", action="store_true", help="few messages, to see that it runs")
    arguments = parser.parse_args()
    waiting, in_flight, rounds = SMOKE if arguments.smoke else (arguments.waiting, IN_FLIGHT, arguments.rounds)
    print("| messages waiting | seconds to the first message | of them computed | seconds that Redis loads |")
    print("|---|---|---|---|")
    for count in waiting:
        with running() as system:
            print(asyncio.run(bench(system, count, in_flight, rounds)), flush=True)


if __name__ == "__main__":
    main()
