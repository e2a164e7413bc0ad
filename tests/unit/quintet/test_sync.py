"""Threads that wait while another closes the client."""

import asyncio
from typing import Any

import quintet
import quintet.sync
from tests.unit.quintet.fake_broker import FakeBroker, speaking

WITHIN = 60.0


async def test_close_ends_what_other_threads_wait_for() -> None:
    heard = asyncio.Semaphore(0)

    async def speak(broker: FakeBroker) -> None:
        while await broker.hear():
            heard.release()

    async with speaking(speak) as url:
        client = quintet.sync.connect(url, timeout=0.2)
        await asyncio.to_thread(client.__enter__)
        queue = client.queue("a")

        def wait() -> Any:
            return queue.receive_batch(wait=20)

        threads = [asyncio.ensure_future(asyncio.to_thread(wait)) for _ in range(2)]
        async with asyncio.timeout(WITHIN):
            for _ in threads:
                await heard.acquire()
            # From several at once, too.
            await asyncio.gather(*(asyncio.to_thread(client.close) for _ in range(3)))
            results = await asyncio.gather(*threads, return_exceptions=True)
        assert [type(result) for result in results] == [quintet.ClientClosed] * 2
