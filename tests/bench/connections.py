"""`python -m tests.bench.connections`: what connections cost that say nothing, and what others notice of them."""

import argparse
import asyncio
import resource
import statistics
import time

import aiohttp
import psutil

from tests.bench.system import System, running
from tests.integration.hostile.sockets import many, request

CONNECTIONS = 4_500
"""Of each kind."""
ROUNDS = 300
SMOKE = (20, 3)
"""Connections and rounds of a run that is only to be seen to end."""


async def latency(system: System, rounds: int) -> float:
    """Milliseconds, the median, in which one message is sent, received and acknowledged."""
    queue = f"{system.broker.http_url}/v1/queues/one"
    took = []
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        await session.put(queue, json={})
        for _ in range(rounds):
            began = time.perf_counter()
            await (await session.post(f"{queue}/messages", json={"messages": [{"value": "x"}]})).read()
            found = await (await session.post(f"{queue}/messages:receive", json={"wait": "10s"})).json()
            receipts = [message["receipt"] for message in found["messages"]]
            await (await session.post(f"{queue}/messages:acknowledge", json={"receipts": receipts})).read()
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


async def measure(system: System, count: int, rounds: int) -> None:
    process = psutil.Process(system.broker.pid)
    print(f"without: a message in {await latency(system, rounds):.2f} ms")
    before = process.memory_info().rss
    async with many(count, system.broker) as answered:
        for socket in answered:
            await socket.write(request("GET", "/v1/queues/none"))
            assert await socket.status() == 404
        between = process.memory_info().rss
        print(f"{count} of HTTP: {(between - before) / count / 1024:.1f} KiB each")
        async with many(count, system.broker, websocket=True):
            after = process.memory_info().rss
            print(f"{count} WebSockets: {(after - between) / count / 1024:.1f} KiB each")
            print(f"with all of them: a message in {await latency(system, rounds):.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.connections", description=__doc__)
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="of each kind")
    parser.add_argument("--smoke", action="store_true", help="a few connections, to see that it runs")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    arguments = parser.parse_args()
    count, rounds = SMOKE if arguments.smoke else (arguments.connections, ROUNDS)
    with running() as system:
        asyncio.run(measure(system, count, rounds))


if __name__ == "__main__":
    main()
