"""Cluster: which primaries a Redis Cluster has, and which of them serves which slots.

redis-py's own client of a Cluster is not used: it asks again by itself where it cannot be told which tick was stored,
sends ASKING over another connection than the command that needs it, and opens connections without bound.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError

from quintet_broker.store.node import Command, Connection, Node, name_of

TOLD_WITHIN = 1.0
"""Seconds until another node is asked about the slots."""


class ClusterConnection(Connection):
    """The primaries of a Redis Cluster, each for its slots."""

    of_cluster = True

    def __init__(self, seeds: Iterable[tuple[str, int]], connect: Callable[[str, int], Node]) -> None:
        self._seeds = list(seeds)
        self._connect = connect
        self._nodes: dict[str, Node] = {}
        self._slots: dict[int, Node] = {}
        self._epoch = 0
        """The Cluster's, as of what is known of it."""
        self._ask_from = 0
        self._discovering = asyncio.Lock()
        self._discovered = 0

    @property
    def nodes(self) -> list[Node]:
        return list(self._nodes.values())

    def node(self, key: str) -> Node:
        slot = key_slot(key.encode())
        if slot not in self._slots:
            raise ClusterDownError(f"no node of the Redis Cluster serves slot {slot}")
        return self._slots[slot]

    async def discover(self) -> None:
        """Where a node is new, nothing is known of it: whoever needs its identity must ask for that."""
        before = self._discovered
        async with self._discovering:
            # Who waited for another that discovered need not do so too.
            if self._discovered == before:
                gone = self._learn(await self._ask_for_slots())
                self._discovered += 1
                await asyncio.gather(*(node.close() for node in gone))

    async def _ask_for_slots(self) -> list[tuple[int, int, str, int]]:
        """(first slot, last slot, host, port of the primary). Raises RedisError, OSError."""
        known = [_place(name) for name in self._nodes]
        places = list(dict.fromkeys(chain(known, self._seeds)))
        # One that has lost sight of the others may not be asked first each time.
        self._ask_from += 1
        turn = self._ask_from % len(places)
        failure: RedisError | OSError = ClusterDownError("the Redis Cluster has no node")
        for host, port in places[turn:] + places[:turn]:
            try:
                async with asyncio.timeout(TOLD_WITHIN):
                    return await self._slots_as_told_by(host, port)
            except (RedisError, OSError) as error:
                failure = error
        # Where all of it was made anew, it begins with a low one.
        self._epoch = 0
        raise failure

    async def _slots_as_told_by(self, host: str, port: int) -> list[tuple[int, int, str, int]]:
        known = self._nodes.get(name_of(host, port))
        node = known or self._connect(host, port)
        try:
            # In two words, redis-py leaves the answers as they are.
            ranges, info = await node.send([(("CLUSTER", "SLOTS"), {}), (("CLUSTER", "INFO"), {})])
        finally:
            if not known:
                await node.close()
        for answer in ranges, info:
            if isinstance(answer, RedisError):
                raise answer
        self._check(node, dict(line.split(":", 1) for line in info.decode().splitlines()))
        return [
            # A node that does not know its own address tells none.
            (first, last, (primary[0] or b"").decode() or host, primary[1])
            for first, last, primary, *_ in ranges
        ]

    def _check(self, node: Node, info: dict[str, str]) -> None:
        """Raises ClusterDownError where a node cannot know how things are."""
        epoch = int(info["cluster_current_epoch"])
        if info["cluster_state"] != "ok":
            raise ClusterDownError(f"to {node.name} the Redis Cluster is down")
        if epoch < self._epoch:
            raise ClusterDownError(f"{node.name} has not heard of the last change of the Redis Cluster yet")
        self._epoch = epoch

    def _learn(self, ranges: list[tuple[int, int, str, int]]) -> list[Node]:
        """Returns the nodes that serve no slot any more."""
        before, self._nodes, self._slots = self._nodes, {}, {}
        for first, last, host, port in ranges:
            name = name_of(host, port)
            node = self._nodes.get(name) or before.pop(name, None) or self._connect(host, port)
            self._nodes[name] = node
            self._slots.update(dict.fromkeys(range(first, last + 1), node))
        return list(before.values())

    async def _go(self, moved: MovedError) -> None:
        name = name_of(moved.host, moved.port)
        if name not in self._nodes:
            await self.discover()
        if name in self._nodes:
            # Others may hear of it later.
            self._slots[moved.slot_id] = self._nodes[name]

    async def _follow(self, commands: Sequence[Command], answers: list[Any], replicated: bool) -> None:
        for place, answer in enumerate(answers):
            if type(answer) is AskError:
                known = self._nodes.get(name_of(answer.host, answer.port))
                node = known or self._connect(answer.host, answer.port)
                node.replicas = self.nodes[0].replicas
                try:
                    _, answers[place] = await node.send([(("ASKING",), {}), commands[place]], replicated)
                finally:
                    if not known:
                        await node.close()


def _place(name: str) -> tuple[str, int]:
    host, _, port = name.rpartition(":")
    return host, int(port)
