"""Plan: a tick as the script reads it that applies it."""

from typing import Any

import msgpack
from msgspec import structs

from quintet_broker.store.keys import Keys
from quintet_broker.store.tick import Tick


def plan(tick: Tick, of: Keys) -> tuple[list[str], list[bytes]]:
    """The keys and arguments of `tick_v1.lua`, which tells what they are."""
    shard = tick.shard
    keys = [of.meta(shard), of.cursor(shard), of.delayed(shard), of.sequences(shard)]
    places: dict[tuple[int, ...], int] = {}

    def segment(log: int, base: int) -> int:
        """The place of its key among all, from 1 on."""
        if (log, base) not in places:
            keys.append(of.segment(shard, log, base))
            places[log, base] = len(keys)
        return places[log, base]

    def bucket(number: int) -> int:
        keys.append(of.bucket(shard, number))
        return len(keys)

    appends: list[int | str] = []
    for append in tick.appends:
        appends += segment(append.log, append.segment), f"{append.next_offset}-0"
    parts = [
        ["epoch", "tick", *[f"tail:{log}" for log in tick.tails]],
        [str(number) for number in (tick.epoch, tick.number - 1, *tick.tails.values())],
        [structs.astuple(source) for source in tick.sources],
        [bucket(number) for number in tick.forget],
        [bucket(tick.remember.bucket), tick.remember.entries, tick.remember.keep] if tick.remember else [],
        [segment(*place) for place in tick.renew],
        appends,
        [*_pairs(tick.meta), "tick", tick.number, "writer", tick.epoch],
        _dropped(tick.meta),
        _pairs(tick.cursor),
        _dropped(tick.cursor),
        tick.clear_delayed,
        [part for pair in tick.delay for part in pair],
        tick.undelay,
        tick.drop_sources,
        [segment(*place) for place in tick.unlink],
    ]
    # Redis's cmsgpack knows strings only, no bytes.
    return keys, [msgpack.packb(parts, use_bin_type=False), *[append.data for append in tick.appends]]


def _pairs(fields: dict[str, Any]) -> list[Any]:
    return [part for pair in fields.items() if pair[1] is not None for part in pair]


def _dropped(fields: dict[str, Any]) -> list[str]:
    return [field for field, value in fields.items() if value is None]
