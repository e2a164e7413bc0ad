"""Members: the live brokers of a pool, as Redis keeps them; each holds a lease there that it renews."""

from typing import Any

from msgspec import Struct
from redis.exceptions import RedisError

from quintet_broker.errors import NameInUse, Unavailable
from quintet_broker.store.connection import connection
from quintet_broker.store.keys import POOL, Keys
from quintet_broker.store.promises import version_of
from quintet_broker.store.redis import script

TIMEOUT = 1.0
"""Seconds after which an answer counts as lost: a lease is to be renewed well before it ends."""


class Beat(Struct):
    """The pool as a broker found it when it renewed its lease, or ended it."""

    generation: int
    """One more with each change of who is there."""
    version: int
    """One more with each change of what exists in the pool."""
    members: dict[str, tuple[int, bytes]]
    """By name: its incarnation, and what others should know of it."""


class Members:
    """Used by one event loop. Scripts are sent whole: it is little, and rare."""

    def __init__(self, url: str, prefix: str) -> None:
        """Raises BadUrl."""
        self._keys = Keys(prefix)
        self._connection = connection(url, connections=1, timeout=TIMEOUT)
        self._beat = self._leave = ""

    async def beat(self, name: str, incarnation: int, lease: int, told: bytes, generation: int) -> Beat:
        """Renew a broker's lease, for so many milliseconds; take out those whose lease has ended.

        Raises Unavailable, NameInUse where a later incarnation runs under that name.
        """
        await self._connect()
        replaced, *found = await self._run(self._beat, name, incarnation, lease, told, generation)
        if replaced:
            raise NameInUse(f"Another broker runs as {name} in this pool.")
        return _beat(*found)

    async def leave(self, name: str, incarnation: int, *, stays_alone: bool) -> Beat:
        """End a broker's lease now, unless it has none any more, or it `stays_alone` and no other is there.

        Raises Unavailable.
        """
        await self._connect()
        return _beat(*await self._run(self._leave, name, incarnation, int(stays_alone)))

    async def close(self) -> None:
        await self._connection.close()

    async def _connect(self) -> None:
        """Find the Redis, unless the one that is known answered last."""
        if self._beat:
            return
        try:
            await self._connection.discover()
            info = await self._connection.node(self._keys.pods).redis.info("server")
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis cannot be used: {error}") from error
        self._beat, self._leave = (script(name, version_of(info)) for name in ("beat_v1", "leave_v1"))

    async def _run(self, text: str, *arguments: Any) -> Any:
        keys = (self._keys.pods, self._keys.meta(POOL))
        try:
            [answer] = await self._connection.run(
                keys[0], lambda pipe, _: pipe.eval(text, len(keys), *keys, *arguments)
            )
        except (RedisError, OSError) as error:
            self._beat = ""
            raise Unavailable(f"Redis does not answer: {error}") from error
        return answer


def _beat(generation: int, version: int, pods: list[bytes]) -> Beat:
    return Beat(generation, version, {pods[at].decode(): _parse(pods[at + 1]) for at in range(0, len(pods), 2)})


def _parse(pod: bytes) -> tuple[int, bytes]:
    incarnation, _, told = pod.split(b":", 2)
    return int(incarnation), told
