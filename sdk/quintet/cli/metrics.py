"""What the brokers' metrics tell, and what became of it from one look to the next."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import aiohttp
from msgspec import Struct, field

from quintet.cli.system import Broker

ANSWERS_WITHIN = 5.0
"""Seconds."""
_SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z]+)="([^"]*)"')


class Metrics(Struct):
    """Of one broker at one time."""

    at: float
    """Seconds, of a clock that never goes back."""
    held: dict[tuple[str, str], int] = field(default_factory=dict)
    """Messages, by queue and state, of what it owns."""
    totals: dict[tuple[str, str], int] = field(default_factory=dict)
    """By queue and what happened, since it started."""
    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    storage_used: int | None = None
    storage_limit: int | None = None


class QueueStats(NamedTuple):
    """A queue of a pool. Counts of messages are None where no broker has them."""

    pool: str
    name: str
    visible: int | None
    in_flight: int | None
    delayed: int | None
    sent: float
    """Messages a second; so too `received` and `acknowledged`."""
    received: float
    acknowledged: float
    dead_lettered: int
    """Since the brokers started; so too `expired` and `dropped`."""
    expired: int
    dropped: int


class BrokerStats(NamedTuple):
    pool: str
    name: str
    answers: bool
    cpu: float | None
    """Cores."""
    memory_bytes: int | None


class PoolStats(NamedTuple):
    """A pool's Redis."""

    pool: str
    storage_used: int | None
    """Bytes."""
    storage_limit: int | None
    """Bytes; 0 for none."""


class Stats(NamedTuple):
    queues: list[QueueStats]
    brokers: list[BrokerStats]
    pools: list[PoolStats]


Look = Mapping[Broker, Metrics | None]
"""What each broker told; None of one that did not answer."""


async def look(session: aiohttp.ClientSession, brokers: Sequence[Broker]) -> Look:
    """Ask all of them."""
    return dict(zip(brokers, await asyncio.gather(*(_ask(session, broker) for broker in brokers)), strict=True))


async def _ask(session: aiohttp.ClientSession, broker: Broker) -> Metrics | None:
    try:
        limit = aiohttp.ClientTimeout(ANSWERS_WITHIN)
        async with session.get(f"{broker.admin}/metrics", timeout=limit) as response:
            return parse(await response.text(), time.monotonic()) if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError):
        return None


def parse(text: str, at: float) -> Metrics:
    """Metrics in Prometheus's text format; others than those that are wanted are passed over."""
    found = Metrics(at)
    for line in text.splitlines():
        if sample := _SAMPLE.fullmatch(line):
            name, value = sample[1], float(sample[3])
            labels = dict(_LABEL.findall(sample[2] or ""))
            queue = labels.get("name", "")
            if name == "quintet_messages":
                found.held[queue, labels["state"]] = int(value)
            elif name.startswith("quintet_messages_") and name.endswith("_total"):
                what = name.removeprefix("quintet_messages_").removesuffix("_total")
                found.totals[queue, what] = int(value)
            elif name == "process_cpu_seconds_total":
                found.cpu_seconds = value
            elif name == "process_resident_memory_bytes":
                found.memory_bytes = int(value)
            elif name == "quintet_storage_used_bytes":
                found.storage_used = int(value)
            elif name == "quintet_storage_limit_bytes":
                found.storage_limit = int(value)
    return found


def compare(before: Look, now: Look) -> Stats:
    """How things are now, with rates since before. A broker that started between counts from its start."""
    held: dict[tuple[str, str, str], int] = defaultdict(int)
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    rates: dict[tuple[str, str, str], float] = defaultdict(float)
    queues: set[tuple[str, str]] = set()
    for broker, found in now.items():
        if found is None:
            continue
        old = before.get(broker)
        for (queue, state), count in found.held.items():
            held[broker.pool, queue, state] += count
        for (queue, what), count in found.totals.items():
            queues.add((broker.pool, queue))
            totals[broker.pool, queue, what] += count
            if old:
                earlier = old.totals.get((queue, what), 0)
                more = count - earlier if count >= earlier else count
                rates[broker.pool, queue, what] += more / max(found.at - old.at, 1e-9)
    return Stats(
        [
            QueueStats(
                pool,
                queue,
                visible=held.get((pool, queue, "visible")),
                in_flight=held.get((pool, queue, "in_flight")),
                delayed=held.get((pool, queue, "delayed")),
                sent=rates[pool, queue, "sent"],
                received=rates[pool, queue, "received"],
                acknowledged=rates[pool, queue, "acknowledged"],
                dead_lettered=totals[pool, queue, "dead_lettered"],
                expired=totals[pool, queue, "expired"],
                dropped=totals[pool, queue, "dropped"],
            )
            for pool, queue in sorted(queues)
        ],
        [_broker(broker, before.get(broker), found) for broker, found in now.items()],
        [_pool(pool, now) for pool in sorted({broker.pool for broker in now})],
    )


def _broker(broker: Broker, before: Metrics | None, now: Metrics | None) -> BrokerStats:
    if now is None:
        return BrokerStats(broker.pool, broker.name, False, None, None)
    cpu = None
    if before and before.cpu_seconds is not None and now.cpu_seconds is not None:
        cpu = max(0.0, now.cpu_seconds - before.cpu_seconds) / max(now.at - before.at, 1e-9)
    return BrokerStats(broker.pool, broker.name, True, cpu, now.memory_bytes)


def _pool(pool: str, now: Look) -> PoolStats:
    """All its brokers tell of the same Redis."""
    told = next((found for broker, found in now.items() if found and broker.pool == pool), None)
    return PoolStats(pool, told.storage_used, told.storage_limit) if told else PoolStats(pool, None, None)
