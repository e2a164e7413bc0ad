"""`python -m tests.bench.soak`: half an hour at 70 % of the peak, while Redis rewrites its log again and again.

The peak is measured just before, by the same clients.
"""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from tests.bench.flow import Done, flow
from tests.bench.latencies import Latencies
from tests.bench.numbered import Numbered
from tests.bench.queues import FILLERS, Queues, queues, repeat
from tests.bench.runner import measure
from tests.bench.system import System, running
from tests.bench.watch import Watch

BATCH = 100
"""Messages a request."""
USUAL = 16
"""Producers, and consumers."""
PEAK_MESSAGES = 600_000
BACKLOG = 300_000
"""Messages that wait in another queue, so that there is something to rewrite."""
MINUTE = 60.0
"""Seconds of a row."""
SETTLED_WITHIN = 60.0
"""Seconds after the last send."""
SMOKE = (1_000, 300, 1.0)
"""Messages of the peak, messages that wait, and seconds of a row, in a run that is only to be seen to end."""


async def soak(system: System, share: float, seconds: float, peak: int, backlog: int, minute: float) -> None:
    """Print what it came to."""
    async with queues(system, connections=FILLERS) as other, queues(system, connections=2 * USUAL) as some:
        waiting = Numbered(other, BATCH)
        await repeat(backlog // BATCH, lambda: waiting.send(BATCH), FILLERS)
        traffic = Numbered(some, BATCH)
        found = await measure(partial(bring, traffic, traffic.send, None), system, peak)
        rate = share * found.rate
        print(f"Peak: {found.rate:,.0f} messages/s. {100 * share:.0f} % of it, {rate:,.0f}, for {seconds:,.0f} s:\n")
        traffic.took = Latencies()
        watch = Watch(system, traffic, minute)
        async with asyncio.TaskGroup() as group:
            group.create_task(watch.run())
            whole = partial(bring, traffic, traffic.paced(rate), seconds + SETTLED_WITHIN)
            cost = await measure(whole, system, round(rate * seconds))
            left = await drain(some, traffic)
            watch.ended = True
        print(
            f"\n| | p50 ms | p99 ms | longest ms |\n|---|---|---|---|\n"
            f"| during a rewrite | {watch.rewriting.row()} |\n| between | {watch.between.row()} |\n\n"
            f"{watch.rewrites} rewrites, the longest fork {1000 * watch.longest_fork:.1f} ms; "
            f"CPU s / 10,000: broker {cost.cpu['broker']:.2f}, Redis {cost.cpu['Redis']:.2f}\n"
            f"{len(traffic.deliveries):,} messages, lost {traffic.lost}, doubled {traffic.doubled}, left {left}"
        )


async def bring(traffic: Numbered, send: Callable[[int], Awaitable[None]], within: float | None, count: int) -> Done:
    """So many messages all the way, or what of them goes it within so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await flow(count, BATCH, send, traffic.settle, USUAL, USUAL, exact=False)
    return Done(count)


async def drain(some: Queues, traffic: Numbered) -> int:
    """Receive what is there, if anything; how many messages are left."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLED_WITHIN):
            while await some.waiting():
                await traffic.settle()
    return await some.waiting()


def conditions(durability: str) -> str:
    cores = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
    return f"Cores {cores}, niceness {os.getpriority(os.PRIO_PROCESS, 0)}, durability {durability}."


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--share", type=float, default=0.7, help="of the peak")
    parser.add_argument("--durability", choices=["Memory", "Fsync"], default="Fsync")
    parser.add_argument("--smoke", action="store_true", help="for seconds, to see that it runs")
    arguments = parser.parse_args()
    durability, share = arguments.durability, arguments.share
    print(conditions(durability))
    with running(durability) as system:
        if arguments.smoke:
            asyncio.run(soak(system, share, 2 * SMOKE[-1], *SMOKE))
        else:
            asyncio.run(soak(system, share, 60 * arguments.minutes, PEAK_MESSAGES, BACKLOG, MINUTE))


if __name__ == "__main__":
    main()
