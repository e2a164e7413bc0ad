"""Runs the contenders in turn, round by round, so that whatever else the machine does meets them all alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from tests.bench.flow import Run
from tests.bench.system import System

Contender = Callable[[System], AbstractAsyncContextManager[Run]]


class Missing(Exception):
    """What a contender needs is not there; the message says what."""


@dataclass(frozen=True)
class Measure:
    """One run."""

    rate: float
    """Messages a second."""
    broker_cpu: float
    """Seconds for 10,000 messages."""
    redis_cpu: float
    """Seconds for 10,000 messages."""


Measures = dict[tuple[str, str], list[Measure]]
"""By contender's name and durability."""


async def run(contenders: dict[str, Contender], systems: Sequence[System], rounds: int, messages: int) -> Measures:
    measures: Measures = {(name, system.durability): [] for name in contenders for system in systems}
    left_out: set[str] = set()
    for _ in range(rounds):
        for system in systems:
            for name in [name for name in contenders if name not in left_out]:
                try:
                    async with contenders[name](system) as bring:
                        measures[name, system.durability].append(await measure(bring, system, messages))
                except Missing as error:
                    print(f"{name}: left out: {error}")
                    left_out.add(name)
    return {what: runs for what, runs in measures.items() if runs}


async def measure(bring: Run, system: System, messages: int) -> Measure:
    broker_before, redis_before = system.cpu()
    began = time.perf_counter()
    await bring(messages)
    took = time.perf_counter() - began
    broker, redis = system.cpu()
    share = 10_000 / messages
    return Measure(messages / took, (broker - broker_before) * share, (redis - redis_before) * share)


def table(measures: Measures) -> str:
    """Medians in Markdown, with the lowest and highest rate."""
    lines = [
        "| | durability | messages/s | lowest - highest | broker CPU s / 10,000 | Redis CPU s / 10,000 |",
        "|---|---|---|---|---|---|",
    ]
    for (name, durability), runs in measures.items():
        rates = [measure.rate for measure in runs]
        broker = statistics.median(measure.broker_cpu for measure in runs)
        redis = statistics.median(measure.redis_cpu for measure in runs)
        lines.append(
            f"| {name} | {durability} | {statistics.median(rates):,.0f} | {min(rates):,.0f} - {max(rates):,.0f} "
            f"| {broker:.2f} | {redis:.2f} |"
        )
    return "\n".join(lines)
