"""Plan: the commands of Redis that apply a tick."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgpack
from msgspec import structs

from quintet_broker.store.keys import Keys
from quintet_broker.store.tick import Append, Tick

LARGE = 16 * 1024
"""Bytes of a tick's appends from which on they go around the script. Of each argument it gets, Lua makes a string whose
bytes Redis hashes one by one: a third of all that it computed. A transaction takes as long as 12 KiB of them."""

Command = tuple[Any, ...]


class Plan(NamedTuple):
    """Of one tick."""

    keys: list[str]
    arguments: list[bytes]
    """Of `tick_v1.lua`, which tells what they are."""
    behind: list[Command]
    """What belongs into one transaction with the script, behind it. They do nothing where the script did nothing."""


def plan(tick: Tick, of: Keys) -> Plan:
    shard = tick.shard
    keys = [of.meta(shard), of.cursor(shard), of.delayed(shard), of.sequences(shard)]
    places: dict[str, int] = {}

    def place(key: str) -> int:
        """Among all keys, from 1 on."""
        if key not in places:
            keys.append(key)
            places[key] = len(keys)
        return places[key]

    def segment(log: int, base: int) -> int:
        return place(of.segment(shard, log, base))

    def bucket(number: int) -> int:
        return place(of.bucket(shard, number))

    goes_around = _goes_around(tick)
    inside = [] if goes_around else tick.appends
    opens = _segments(tick.appends) if goes_around else []
    parts = [
        ["epoch", "tick", *[f"tail:{log}" for log in tick.tails]],
        [str(number) for number in (tick.epoch, tick.number - 1, *tick.tails.values())],
        [structs.astuple(source) for source in tick.sources],
        [bucket(number) for number in tick.forget],
        [bucket(tick.remember.bucket), tick.remember.entries, tick.remember.keep] if tick.remember else [],
        [segment(*which) for which in tick.renew],
        [part for append in inside for part in (segment(append.log, append.segment), _entry(append))],
        [part for which in opens for part in (segment(*which), place(of.opened(shard, *which)))],
        [*_pairs(tick.meta), "tick", tick.number, "writer", tick.epoch],
        _dropped(tick.meta),
        _pairs(tick.cursor),
        _dropped(tick.cursor),
        tick.clear_delayed,
        [part for pair in tick.delay for part in pair],
        tick.undelay,
        tick.drop_sources,
        [segment(*which) for which in tick.unlink],
    ]
    # Redis's cmsgpack knows strings only, no bytes.
    arguments = [msgpack.packb(parts, use_bin_type=False), *[append.data for append in inside]]
    return Plan(keys, arguments, _around(tick, of) if goes_around else [])


def _goes_around(tick: Tick) -> bool:
    """Whether its appends do. A full Redis takes them by scripts alone, and what goes at once is not to come back."""
    return (
        sum([len(append.data) for append in tick.appends]) >= LARGE
        and tick.grows
        and not any(which in tick.unlink for which in _segments(tick.appends))
    )


def _around(tick: Tick, of: Keys) -> list[Command]:
    """Its appends, where they go around the script."""
    appends: list[Command] = [
        ("XADD", of.opened(tick.shard, append.log, append.segment), "NOMKSTREAM", _entry(append), "b", append.data)
        for append in tick.appends
    ]
    closes = [
        ("RENAME", of.opened(tick.shard, *which), of.segment(tick.shard, *which)) for which in _segments(tick.appends)
    ]
    return [*appends, *closes]


def _segments(appends: Sequence[Append]) -> list[tuple[int, int]]:
    """(log, base) of each that is appended to."""
    return list(dict.fromkeys([(append.log, append.segment) for append in appends]))


def _entry(append: Append) -> str:
    return f"{append.next_offset}-0"


def _pairs(fields: dict[str, Any]) -> list[Any]:
    return [part for pair in fields.items() if pair[1] is not None for part in pair]


def _dropped(fields: dict[str, Any]) -> list[str]:
    return [field for field, value in fields.items() if value is None]
