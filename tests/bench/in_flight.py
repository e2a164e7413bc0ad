"""`python -m tests.bench.in_flight`: what the broker's memory holds for messages that are in flight.

Each receive asks for so few messages that they lie in ranges of their own, which is the worst case.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil

from tests.bench.system import System, running

MESSAGES = 100_000
A_QUEUE = 110_000
"""SQS allows 120,000 in flight."""
SENT_AT_ONCE = 100
CONNECTIONS = 16
SMOKE = (300, 1)
"""Messages, and how many a receive asks for, in a run that is only to be seen to end."""


async def repeat(times: int, verb: Callable[[], Awaitable[Any]]) -> None:
    """Call it so often, over all connections at once."""
    calls = iter(range(times))

    async def work() -> None:
        for _ in calls:
            await verb()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def deliver(system: System, messages: int, batch: int) -> float:
    """Bring so many messages into flight; bytes that the broker took for each."""
    process = psutil.Process(system.broker.pid)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS), raise_for_status=True
    ) as session:

        async def post(url: str, body: Any) -> Any:
            headers = {"Content-Type": "application/json"}
            async with session.post(url, data=msgspec.json.encode(body), headers=headers) as answer:
                return msgspec.json.decode(await answer.read())

        urls = []
        for first in range(0, messages, A_QUEUE):
            url = f"{system.broker.http_url}/v1/queues/{system.new_name()}"
            await (await session.put(url, json={"visibilityTimeout": "12h"})).read()
            urls.append((f"{url}/messages", min(A_QUEUE, messages - first)))
        some = {"messages": [{"value": "x"}] * SENT_AT_ONCE}
        for url, count in urls:
            await repeat(count // SENT_AT_ONCE, partial(post, url, some))
        for url, _ in urls:
            await post(f"{url}:receive", {"limit": 1})
        before = process.memory_info().rss
        received = 0

        async def receive(url: str) -> None:
            nonlocal received
            found = await post(f"{url}:receive", {"limit": batch})
            received += len(found["messages"])

        for url, count in urls:
            await repeat(count // batch - 1, partial(receive, url))
        return (process.memory_info().rss - before) / received


def bench(messages: int, batch: int) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="quintet-bench-") as directory,
        running("Memory", Path(directory) / "system") as system,
    ):
        return asyncio.run(deliver(system, messages, batch))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.in_flight", description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--batch", type=int, default=1, help="how many a receive asks for")
    parser.add_argument("--smoke", action="store_true", help="a few messages, to see that it runs")
    arguments = parser.parse_args()
    messages, batch = SMOKE if arguments.smoke else (arguments.messages, arguments.batch)
    bytes_each = bench(messages, batch)
    print(f"{messages:,} messages in flight, {batch} a receive: {bytes_each:.0f} bytes of the broker each")


if __name__ == "__main__":
    main()
