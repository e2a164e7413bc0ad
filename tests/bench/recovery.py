"""`python -m tests.bench.recovery`: how soon a queue gives its first message after SIGKILL of its broker."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import aiohttp
import msgspec

from tests.bench.system import System, running

WAITING = (1, 1_000_000)
"""Messages."""
ROUNDS = 5
BATCH = 1_000
MESSAGE = "x" * 100
CONNECTIONS = 8
ASK_EVERY = 0.005
"""Seconds."""
SMOKE = (1, 2_000)


async def fill(session: aiohttp.ClientSession, url: str, messages: int) -> None:
    """Leave so many messages waiting."""
    left = messages

    async def send() -> None:
        nonlocal left
        while (count := min(left, BATCH)) > 0:
            left -= count
            body = msgspec.json.encode({"messages": [{"value": MESSAGE}] * count})
            await (await session.post(f"{url}/messages", data=body)).read()

    await session.put(url, json={})
    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))


async def first_message(session: aiohttp.ClientSession, url: str) -> None:
    """Until it gives one; it is hidden for so short that it is there again in the next round."""
    while True:
        try:
            async with session.post(f"{url}/messages:receive", json={"limit": 1, "visibilityTimeout": "0s"}) as answer:
                if (await answer.json())["messages"]:
                    return
        except aiohttp.ClientError:
            await asyncio.sleep(ASK_EVERY)


async def recover(system: System, messages: int, rounds: int) -> list[float]:
    """Seconds from the kill to the first message, round by round."""
    url = f"{system.broker.http_url}/v1/queues/{system.new_name()}"
    took = []
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        await fill(session, url, messages)
        for _ in range(rounds):
            began = time.monotonic()
            system.broker.kill()
            system.broker.launch()
            await first_message(session, url)
            took.append(time.monotonic() - began)
    return sorted(took)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recovery", description=__doc__)
    parser.add_argument("--waiting", type=int, nargs="+", default=WAITING, help="messages")
    parser.add_argument("--smoke", action="store_true", help="a few messages, to see that it runs")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="quintet-bench-") as directory,
        running("Memory", Path(directory) / "r") as system,
    ):
        for waiting in SMOKE if arguments.smoke else arguments.waiting:
            took = asyncio.run(recover(system, waiting, 1 if arguments.smoke else ROUNDS))
            figures = f"{took[len(took) // 2]:.2f} s ({took[0]:.2f} - {took[-1]:.2f})"
            print(f"{waiting:>12,} waiting: first message after {figures}", flush=True)


if __name__ == "__main__":
    main()
