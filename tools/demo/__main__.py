"""A queue from a manifest, a file through it record by record, and a broker killed on the way.

`python -m tools.demo [--keep]`: boto3 and our own client each send a file of this machine, both receive it, and
the broker is killed while each of them sends. At the end both copies are put together again and compared with the
file. Exits with 1 if anything was lost.
"""

import argparse
import asyncio
import hashlib
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import quintet
from tools.demo.account import Account, records_of_machine
from tools.demo.clients import MAX_RECEIVES, Boto3, Quintet
from tools.demo.system import COMMAND, MANIFESTS, ROOT, STATE, System, running

PATIENCE = 60.0
"""Seconds after which the demo gives up."""
LOG = (STATE / "up.log").relative_to(ROOT)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave the system running")
    keep = parser.parse_args().keep
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, signal.default_int_handler)
    try:
        return demo(keep)
    except KeyboardInterrupt:
        say("\nInterrupted; nothing was left running.")
        return 130
    except TimeoutError:
        say(f"\nGave up after {PATIENCE:.0f} s; the log is {LOG}.")
        return 1


def demo(keep: bool) -> int:
    say("Quintet: a queue from a manifest, a file through it, a broker killed on the way\n")
    began = time.monotonic()
    with running(keep) as system:
        system.wait_until_ready()
        row("manifest", f"{(MANIFESTS / 'queue.yaml').relative_to(ROOT)}: Queue orders, Queue orders-dead-letter")
        row("running", f"Redis and a broker as local processes, ready in {time.monotonic() - began:.1f} s")
        row("endpoints", f"{system.url} (SQS, /v1/), {system.ready['endpoints']['admin']} (probes, metrics)")
        passed = asyncio.run(run(system))
    show_next(system, keep)
    return 0 if passed else 1


async def run(system: System) -> bool:
    """Send, kill, receive, compare; whether all is as it should be."""
    file, records = records_of_machine()
    row("file", f"{file}: {len(records):,} records, {sum(map(len, records)):,} bytes")
    account = Account(records)
    boto3 = Boto3(system.url, account, PATIENCE)
    async with asyncio.timeout(PATIENCE), quintet.connect(system.url) as client:
        own = Quintet(client, account)
        began = time.monotonic()
        with boto3.receiving():
            receiving = asyncio.create_task(own.receive())
            await send(system, account, boto3.name, boto3.manner, lambda: asyncio.to_thread(boto3.send, records))
            await send(system, account, own.name, own.manner, lambda: own.send(records))
            await until(account.is_complete, receiving)
            await own.until_empty()
            receiving.cancel()
            await asyncio.wait([receiving])
        took = time.monotonic() - began
        dead_lettered = await own.dead_letter(b"a record that no consumer wants")
    return show(account, took, dead_lettered)


async def send(
    system: System, account: Account, sender: str, manner: str, sending: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Send all records with one client, and kill the broker when it is half through."""
    half = len(account.records) // 2
    killed = system.broker()
    assert killed is not None
    began = time.monotonic()
    task = asyncio.ensure_future(sending())
    await until(lambda: account.confirmed_of(sender) >= half, task)
    at, before = time.monotonic(), account.confirmed_of(sender)
    killed.kill()
    await until(lambda: system.broker() not in (None, killed), task)
    # What is confirmed from now on, the new broker confirmed.
    known = account.confirmed_of(sender)
    await until(lambda: account.confirmed_of(sender) > known, task)
    away = time.monotonic() - at
    await task
    rate = len(account.records) / (time.monotonic() - began - away)
    row(f"{sender} sent", f"{account.confirmed_of(sender):,} records, {rate:,.0f} a second, {manner}")
    row("", f"broker (process {killed.pid}) killed by SIGKILL after {before:,}; back {away:.1f} s later")


async def until(holds: Callable[[], bool], task: "asyncio.Future[None]") -> None:
    """Wait for a condition, or for the end of what brings it about; raises what that raised."""
    while not holds() and not task.done():  # noqa: ASYNC110 - threads bring it about too
        await asyncio.sleep(0.002)
    if task.done():
        await task


def show(account: Account, took: float, dead_lettered: bool) -> bool:
    whole = b"".join(account.records)
    same = all(account.put_together(sender) == whole for sender in (Boto3.name, Quintet.name))
    digest = hashlib.sha256(whole).hexdigest()[:16]
    say("")
    row("sent", f"{len(account.confirmed):,} records, each confirmed")
    row("received", f"{len(account.received):,} records, each acknowledged, within {took:.1f} s of the first send")
    row("lost", f"{account.lost:,}")
    row("duplicates", f"{account.duplicates:,} sent twice in doubt, {account.redelivered:,} delivered again")
    row("file", f"both copies {'are the same as the file' if same else 'DIFFER from the file'} (SHA-256 {digest}…)")
    dead = "is in orders-dead-letter" if dead_lettered else "IS NOT in orders-dead-letter"
    row("dead letter", f"a record given back {MAX_RECEIVES} times {dead}")
    return same and dead_lettered and account.lost == 0


def show_next(system: System, keep: bool) -> None:
    command, where = COMMAND.relative_to(ROOT), ""
    if keep:
        where = f" --state-dir {STATE.relative_to(ROOT)}"
        say(f"\nLeft running as process {system.process.pid}; its log is {LOG}. Next:")
    else:
        say("\nNothing was left running (make demo KEEP=1 leaves it). Next, a system of your own:")
        say(f"  {command} up -f {MANIFESTS.relative_to(ROOT)} &")
    say(f"  {command} send{where} orders 'two coffees'")
    say(f"  {command} receive{where} orders")
    say(f"  {command} get{where} queues")
    if keep:
        say(f"  kill {system.process.pid}    # ends it")
    say("README.md has the same with boto3, curl and Python.")


def row(name: str, text: str) -> None:
    say(f"  {name:<13}{text}")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
