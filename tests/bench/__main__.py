"""`python -m tests.bench`: the queue end to end beside raw Redis Streams; figures, never gates."""

import argparse
import asyncio
import contextlib
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from tests.bench import runner
from tests.bench.client import client, iterator
from tests.bench.http_batches import http_batches
from tests.bench.redis_streams import redis_streams
from tests.bench.sqs_batches import sqs_batches
from tests.bench.sqs_load import sqs_load
from tests.bench.system import running
from tests.processes import RedisServer

CONTENDERS: dict[str, runner.Contender] = {
    "raw Redis Streams, pipelined by 100": redis_streams,
    "/v1/, 100 a request": http_batches,
    "our client, a message a call": client,
    "our client, its iterator": iterator,
    "SQS, 10 a request": sqs_batches,
    "SQS, 10 a request, from Go": sqs_load(10),
    "SQS, one a request, from Go": sqs_load(1),
}
DURABILITIES = ("Fsync", "Memory")
SMOKE_MESSAGES = 300


def machine(redis: RedisServer) -> str:
    """What the figures depend on."""
    model = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, Python {platform.python_version()}, "
        f"Redis {'.'.join(map(str, redis.version))}"
    )


def bench(rounds: int, messages: int, durabilities: Sequence[str]) -> tuple[runner.Measures, str]:
    """What was measured, and on which machine."""
    with contextlib.ExitStack() as stack:
        systems = [stack.enter_context(running(durability)) for durability in durabilities]
        return asyncio.run(runner.run(CONTENDERS, systems, rounds, messages)), machine(systems[0].redis)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=20_000, help="a round, of 1 KiB each")
    parser.add_argument("--smoke", action="store_true", help="one tiny round, to see that it runs; no figures")
    arguments = parser.parse_args()
    if arguments.smoke:
        bench(1, SMOKE_MESSAGES, ["Memory"])
        print(f"{len(CONTENDERS)} contenders ran")
        return
    measures, where = bench(arguments.rounds, arguments.messages, DURABILITIES)
    print(f"{where}; {arguments.rounds} rounds of {arguments.messages:,} messages of 1 KiB; medians\n")
    print(runner.table(measures))


if __name__ == "__main__":
    main()
