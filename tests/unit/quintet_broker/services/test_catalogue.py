"""What a broker knows to exist."""

import asyncio
from typing import cast

from quintet_broker.engine.engine import Engine
from quintet_broker.services.catalogue import Catalogue
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Pool


class CountingStore:
    """Has nothing, at version 1."""

    loads = 0

    def now(self) -> int:
        return 0

    async def pool_version(self) -> int:
        await asyncio.sleep(0)
        return 1

    async def pool(self) -> Pool:
        self.loads += 1
        await asyncio.sleep(0)
        return Pool(1, {}, None)


async def test_all_that_look_at_the_same_time_need_one_load() -> None:
    store = CountingStore()
    catalogue = Catalogue(Engine(cast(Store, store)))
    await asyncio.gather(*(catalogue.look() for _ in range(50)))
    assert (catalogue.version, store.loads) == (1, 1)
