"""What a Redis must be set to, so that it holds what a pool promises. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Durability = Literal["Memory", "Fsync", "Replicated"]
"""What a confirm promises: docs/engine.md says it."""
SETTINGS = ("appendonly", "appendfsync", "no-appendfsync-on-rewrite", "min-replicas-to-write")
"""Read where CONFIG GET is allowed."""


class Server(Struct):
    """What one Redis says of itself."""

    info: Mapping[str, Any]
    settings: Mapping[str, str]
    """Those of SETTINGS that may be read."""

    @property
    def version(self) -> tuple[int, ...]:
        return version_of(self.info)

    @property
    def identity(self) -> str:
        """Of this Redis between two starts, and of the history that it continues."""
        return f"{self.info['run_id']}:{self.info['master_replid']}"

    @property
    def replicas_needed(self) -> int:
        """How many must have a write until it is Replicated."""
        return max(1, int(self.settings.get("min-replicas-to-write", 1)))


def version_of(info: Mapping[str, Any]) -> tuple[int, ...]:
    """Of a Redis, by its INFO."""
    return tuple(int(part) for part in info["redis_version"].split("."))


def broken(durability: Durability, server: Server) -> list[str]:
    """What that Redis does not hold, a sentence each."""
    found = [*_of_eviction(server), *_of_log(server)]
    if durability == "Fsync":
        found += _of_fsync(server)
    if durability == "Replicated":
        found += _of_replicas(server)
    return found


def _of_eviction(server: Server) -> list[str]:
    policy = server.info["maxmemory_policy"]
    if policy == "noeviction":
        return []
    return [f"maxmemory-policy is {policy}: messages may be evicted; set it to noeviction."]


def _of_log(server: Server) -> list[str]:
    if server.info["aof_enabled"]:
        return []
    return ["appendonly is no: Redis forgets all messages when it restarts; set it to yes."]


def _of_fsync(server: Server) -> list[str]:
    settings = server.settings
    if "appendfsync" not in settings:
        return ["appendfsync cannot be read, since CONFIG GET is not allowed: durability Fsync needs always."]
    found = []
    if settings["appendfsync"] != "always":
        found.append(f"appendfsync is {settings['appendfsync']}: durability Fsync needs always.")
    if settings.get("no-appendfsync-on-rewrite") == "yes":
        found.append("no-appendfsync-on-rewrite is yes: nothing is synced during a rewrite; set it to no.")
    return found


def _of_replicas(server: Server) -> list[str]:
    if "min-replicas-to-write" not in server.settings:
        return ["min-replicas-to-write cannot be read, since CONFIG GET is not allowed: set it to 1 at least."]
    if server.settings["min-replicas-to-write"] == "0":
        return ["min-replicas-to-write is 0: a primary that is cut off would go on writing; set it to 1 at least."]
    return []
