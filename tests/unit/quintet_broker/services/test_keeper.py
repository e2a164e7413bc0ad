"""The keeper, without a store."""

import asyncio
import gc
import warnings

import pytest

from quintet_broker.engine.engine import Engine
from quintet_broker.services.catalogue import Catalogue
from quintet_broker.services.keeper import Keeper
from quintet_broker.store.redis import Store


async def test_who_goes_while_others_change_something_leaves_nothing_behind() -> None:
    engine = Engine(Store("redis://127.0.0.1:1", "test"))
    keeper = Keeper(engine, Catalogue(engine), "default")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        async with keeper._changing:
            change = asyncio.create_task(keeper.delete_queue("orders"))
            await asyncio.sleep(0)
            change.cancel()
            with pytest.raises(asyncio.CancelledError):
                await change
        del change
        gc.collect()
    assert [str(one.message) for one in told] == []
