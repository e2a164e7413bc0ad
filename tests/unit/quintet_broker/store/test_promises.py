"""What is told of a Redis that does not hold what its pool promises."""

from typing import Any

import pytest

from quintet_broker.store.promises import Durability, Server, broken

INFO = {"redis_version": "7.0.15", "maxmemory_policy": "noeviction", "aof_enabled": 1}
SET_WELL = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "min-replicas-to-write": "1",
}


@pytest.mark.parametrize("durability", ["Memory", "Fsync", "Replicated"])
def test_one_that_is_set_well(durability: Durability) -> None:
    assert broken(durability, Server(INFO, SET_WELL)) == []


@pytest.mark.parametrize(
    ("durability", "info", "settings", "told"),
    [
        ("Memory", {"maxmemory_policy": "allkeys-lru"}, {}, "maxmemory-policy is allkeys-lru"),
        ("Memory", {"aof_enabled": 0}, {}, "appendonly is no"),
        ("Fsync", {}, {"appendfsync": "everysec"}, "appendfsync is everysec: durability Fsync needs always"),
        ("Fsync", {}, {"no-appendfsync-on-rewrite": "yes"}, "no-appendfsync-on-rewrite is yes"),
        ("Replicated", {}, {"min-replicas-to-write": "0"}, "min-replicas-to-write is 0"),
    ],
)
def test_what_a_setting_does_not_hold(
    durability: Durability, info: dict[str, Any], settings: dict[str, str], told: str
) -> None:
    [warning] = broken(durability, Server(INFO | info, SET_WELL | settings))
    assert told in warning


def test_what_may_not_be_read_is_told_where_it_matters() -> None:
    assert broken("Memory", Server(INFO, {})) == []
    assert "appendfsync cannot be read" in broken("Fsync", Server(INFO, {}))[0]
    assert "min-replicas-to-write cannot be read" in broken("Replicated", Server(INFO, {}))[0]


def test_other_durabilities_do_not_ask_for_it() -> None:
    settings = SET_WELL | {"appendfsync": "everysec", "min-replicas-to-write": "0"}
    assert broken("Memory", Server(INFO, settings)) == []


def test_how_many_replicas_a_write_needs() -> None:
    assert [Server(INFO, {"min-replicas-to-write": n}).replicas_needed for n in ("0", "1", "2")] == [1, 1, 2]
    assert Server(INFO, {}).replicas_needed == 1
