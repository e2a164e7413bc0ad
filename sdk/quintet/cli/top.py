"""`quintet top`: queues and brokers, live."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from quintet.cli.failures import run
from quintet.cli.layout import aligned
from quintet.cli.stats import every_option, lines, looks
from quintet.cli.where import Where, where_options

if TYPE_CHECKING:
    from quintet.cli.metrics import BrokerStats, PoolStats, QueueStats, Stats

ORDERS: dict[str, Callable[[QueueStats], Any]] = {
    "visible": lambda queue: -(queue.visible or 0),
    "in-flight": lambda queue: -(queue.in_flight or 0),
    "sent": lambda queue: -queue.sent,
    "received": lambda queue: -queue.received,
    "acked": lambda queue: -queue.acknowledged,
    "dead": lambda queue: -queue.dead_lettered,
    "name": lambda queue: queue.name,
}
KEYS = {name[0]: name for name in ORDERS}
"""What a key sorts by."""
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The terminal's other screen, without a cursor; and back."""
HOME, REST_OF_LINE, REST = "\x1b[H", "\x1b[K", "\x1b[J"
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


@click.command(short_help="Show queues and brokers live.")
@every_option
@click.option("--sort", type=click.Choice(list(ORDERS)), default="visible", show_default=True, help="By what.")
@click.option("--once", is_flag=True, help="Print it once; so it is where there is no terminal.")
@where_options
def top(every: float, sort: str, once: bool, where: Where) -> None:
    """Show queues live: what they hold and what goes through them, with their brokers above.

    Keys sort: v visible, i in flight, s sent, r received, a acked, d dead, n name. q quits.
    """

    async def work() -> None:
        if once or not (sys.stdout.isatty() and sys.stdin.isatty()):
            async with aclosing(looks(where.system(), every)) as found:
                click.echo("\n".join(page(await anext(found), sort)))
                return
        await _live(where, every, sort)

    run(work())


def page(found: Stats, sort: str, height: int | None = None) -> list[str]:
    """Its lines: pools and brokers, an empty one, the table; no more than `height`."""
    queues = sorted(found.queues, key=ORDERS[sort])
    head, rows = lines(queues)
    above = [*map(_pool, found.pools), *map(_broker, found.brokers), ""]
    return [*above, *aligned([head, *rows], numbers=True).splitlines()][:height]


def _pool(pool: PoolStats) -> str:
    if pool.storage_used is None:
        return f"broker-pool/{pool.pool}"
    limit = f" of {megabytes(pool.storage_limit)}" if pool.storage_limit else ""
    return f"broker-pool/{pool.pool}   storage {megabytes(pool.storage_used)}{limit}"


def _broker(broker: BrokerStats) -> str:
    if not broker.answers:
        return f"  {broker.name}   does not answer"
    cpu = "" if broker.cpu is None else f"   CPU {100 * broker.cpu:.0f} %"
    memory = "" if broker.memory_bytes is None else f"   memory {megabytes(broker.memory_bytes)}"
    return f"  {broker.name}{cpu}{memory}"


def megabytes(value: int) -> str:
    return f"{value / 2**20:.0f} MiB"


@dataclass
class _Screen:
    """What is drawn, and how it is sorted."""

    sort: str
    found: Stats | None = None

    def draw(self) -> None:
        width, height = shutil.get_terminal_size()
        told = [f"quintet top   by {self.sort}; sort by {' '.join(KEYS)}, quit by q"]
        if self.found:
            told += page(self.found, self.sort, height - 1)
        cut = [f"{BOLD}{told[0][:width]}{PLAIN}", *(line[:width] for line in told[1:])]
        sys.stdout.write(HOME + "\n".join(line + REST_OF_LINE for line in cut) + REST)
        sys.stdout.flush()


async def _live(where: Where, every: float, sort: str) -> None:
    """Until q, or Ctrl-C."""
    screen = _Screen(sort)

    async def follow() -> None:
        async with aclosing(looks(where.system(), every)) as found:
            async for screen.found in found:
                screen.draw()

    following = asyncio.create_task(follow())

    def pressed(key: str) -> None:
        if key == "q":
            following.cancel()
        elif key in KEYS:
            screen.sort = KEYS[key]
            screen.draw()

    with _terminal(pressed):
        screen.draw()
        try:
            await asyncio.wait([following])
        finally:
            following.cancel()
            await asyncio.wait([following])
    if not following.cancelled():
        following.result()


@contextmanager
def _terminal(pressed: Callable[[str], None]) -> Iterator[None]:
    """The other screen, and keys as they are pressed; all is as it was in the end."""
    import termios
    import tty

    keyboard, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)

    def read() -> None:
        for key in os.read(keyboard, 64).decode(errors="replace"):
            pressed(key)

    loop.add_reader(keyboard, read)
    sys.stdout.write(ENTER)
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
        sys.stdout.write(LEAVE)
        sys.stdout.flush()
