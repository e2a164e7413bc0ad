"""`python -m tests.bench.in_flight`: what the broker's memory holds for messages that are in flight.

Each receive asks for so few messages that they lie in ranges of their own, which is the worst case.
"""

import argparse
import asyncio

import psutil

from tests.bench.queues import queues, repeat
from tests.bench.system import System, running

MESSAGES = 100_000
A_QUEUE = 110_000
"""SQS allows 120,000 in flight."""
CONNECTIONS = 16
SMOKE = (300, 1)
"""Messages, and how many a receive asks for, in a run that is only to be seen to end."""


async def deliver(system: System, messages: int, batch: int) -> float:
    """Bring so many messages into flight; bytes that the broker took for each."""
    process = psutil.Process(system.broker.pid)
    count = -(-messages // A_QUEUE)
    async with queues(system, count, CONNECTIONS, value="x", visibilityTimeout="12h") as some:
        await some.fill(messages)
        for _ in range(count):
            await some.receive(1)
        before = process.memory_info().rss
        received: list[int] = []

        async def receive() -> None:
            received.append(len(await some.receive(batch)))

        await repeat(messages // batch - count, receive, CONNECTIONS)
        return (process.memory_info().rss - before) / sum(received)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.in_flight", description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--batch", type=int, default=1, help="how many a receive asks for")
    parser.add_argument("--smoke", action="store_true", help="a few messages, to see that it runs")
    arguments = parser.parse_args()
    messages, batch = SMOKE if arguments.smoke else (arguments.messages, arguments.batch)
    with running() as system:
        bytes_each = asyncio.run(deliver(system, messages, batch))
    print(f"{messages:,} messages in flight, {batch} a receive: {bytes_each:.0f} bytes of the broker each")


if __name__ == "__main__":
    main()
