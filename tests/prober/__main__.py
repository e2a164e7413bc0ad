"""`python -m tests.prober --url URL --queue NAME`: probe a running system, print the verdict; exit 1 on a fault."""

import argparse
import asyncio
import contextlib
import sys

import quintet
from tests.prober.ports import Port, QuintetPort, SqsPort
from tests.prober.prober import Load, Prober

TELL_EVERY = 0.2
"""Seconds."""


async def probe(arguments: argparse.Namespace) -> int:
    url, queue, key_id, secret = arguments.url, arguments.queue, arguments.key_id, arguments.secret
    load = Load(arguments.producers, arguments.consumers, rate=arguments.rate)
    async with contextlib.AsyncExitStack() as stack:
        port: Port
        if arguments.sqs:
            port = stack.enter_context(SqsPort(url, queue, key_id or "any", secret or "any"))
        else:
            client = await stack.enter_async_context(quintet.connect(url, key_id=key_id, secret=secret))
            port = QuintetPort(client.queue(queue), ordered=arguments.ordered)
        prober = await stack.enter_async_context(Prober([port], load))
        if arguments.seconds is None:
            await told_to_finish(prober)
        else:
            await asyncio.sleep(arguments.seconds)
        verdict = await prober.finish()
    print(verdict)
    return 1 if verdict.faults(idempotent=not arguments.sqs) else 0


async def told_to_finish(prober: Prober) -> None:
    """Until standard input ends. Prints meanwhile how many messages made the whole way, so that one can wait for it."""
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not ended.done():
        print(f"acknowledged {prober.ledger.acknowledged}", flush=True)
        await asyncio.wait([ended], timeout=TELL_EVERY)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.prober", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--queue", required=True)
    parser.add_argument("--sqs", action="store_true", help="by boto3 instead of our client")
    parser.add_argument("--key-id", help="of an access key, where the broker wants one")
    parser.add_argument("--secret")
    parser.add_argument("--seconds", type=float, help="default: until standard input ends")
    parser.add_argument("--producers", type=int, default=4)
    parser.add_argument("--consumers", type=int, default=4)
    parser.add_argument("--rate", type=float, help="messages a second of each producer; default: flat out")
    parser.add_argument("--ordered", action="store_true", help="the queue promises order by key")
    sys.exit(asyncio.run(probe(parser.parse_args())))


if __name__ == "__main__":
    main()
