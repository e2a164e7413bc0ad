"""`python -m tests.bench.idle`: what queues cost that nobody uses, while the broker is connected."""

import argparse
import asyncio
from typing import Any

import aiohttp

from tests.bench.system import System, running

QUEUES = 5_000
SECONDS = 30.0
AT_ONCE = 50
"""Requests under way."""
SMOKE = (20, 0.5)
"""Queues and seconds of a run that is only to be seen to end."""


def document(queues: int) -> dict[str, Any]:
    """A topology of so many queues."""
    entries = [
        {"kind": "Queue", "name": f"idle-{number}", "uid": f"idle-{number}", "spec": {}} for number in range(queues)
    ]
    return {"schemaVersion": 1, "revision": [1, 1], "entries": entries}


async def declare(system: System, queues: int) -> None:
    """Make the queues, and use each of them once."""
    token = {"Authorization": f"Bearer {system.broker.admin_token}"}
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, raise_for_status=True) as session:

        async def use(name: str) -> None:
            url = f"{system.broker.http_url}/v1/queues/{name}/messages"
            await (await session.post(url, json={"messages": [{"value": "x"}]})).read()

        topology = document(queues)
        await session.put(f"{system.broker.admin_url}/admin/v1/topology", json=topology, headers=token)
        await asyncio.gather(*(use(entry["name"]) for entry in topology["entries"]))


async def idle(system: System, queues: int, seconds: float) -> float:
    """Share of a core that the broker takes."""
    await declare(system, queues)
    # What was read ahead is let go in the first seconds.
    await asyncio.sleep(seconds / 10)
    before = system.cpu()["broker"]
    await asyncio.sleep(seconds)
    after = system.cpu()["broker"]
    return (after - before) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.idle", description=__doc__)
    parser.add_argument("--queues", type=int, default=QUEUES)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for which they are watched")
    parser.add_argument("--smoke", action="store_true", help="a few queues for a moment, to see that it runs")
    arguments = parser.parse_args()
    queues, seconds = SMOKE if arguments.smoke else (arguments.queues, arguments.seconds)
    with running() as system:
        share = asyncio.run(idle(system, queues, seconds))
    print(f"{queues:,} idle queues take {100 * share:.2f} % of a core")


if __name__ == "__main__":
    main()
