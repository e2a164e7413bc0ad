"""`quintet purge` and `redrive`: a queue as a whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from quintet.cli.where import Where, where_options, with_queue

if TYPE_CHECKING:
    from quintet import Queue

LOOK_EVERY = 0.1
"""Seconds between looks at a redrive."""


@click.command()
@click.argument("queue")
@where_options
def purge(queue: str, where: Where) -> None:
    """Drop every message of a queue."""

    async def work(target: Queue) -> None:
        await target.purge()

    with_queue(where, queue, work, whole_pool=True)
    click.echo(f"queue/{queue} purged")


@click.command(short_help="Bring dead letters back to the queues that they came from.")
@click.argument("queue")
@click.option("--to", metavar="QUEUE", help="Bring all of them to this queue instead.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Messages a second, at most.")
@click.option("--limit", type=click.IntRange(1), help="How many messages, at most.  [default: all that are visible]")
@click.option("--no-wait", is_flag=True, help="Do not wait until they are back.")
@click.option("--stop", is_flag=True, help="Stop a redrive that is under way.")
@where_options
def redrive(
    queue: str,
    to: str | None,
    rate: float | None,
    limit: int | None,
    no_wait: bool,
    stop: bool,
    where: Where,
) -> None:
    """Bring the messages of a dead-letter queue back to the queues that they came from.

    The broker goes on by itself, also after Ctrl-C.
    """
    if stop and (to or rate or limit):
        raise click.UsageError("give --stop alone")

    async def work(target: Queue) -> tuple[int, bool]:
        if stop:
            found = await target.stop_redrive()
        else:
            found = await target.redrive(to and to.removeprefix("queue/"), rate=rate, limit=limit)
        while found.running and not no_wait:
            await asyncio.sleep(LOOK_EVERY)
            found = await target.redrive_progress()
        return found.moved, found.running

    moved, running = with_queue(where, queue, work, whole_pool=True)
    click.echo(f"queue/{queue}: {moved} message{'' if moved == 1 else 's'} moved{', and going on' if running else ''}")
