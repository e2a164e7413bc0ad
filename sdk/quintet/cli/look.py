"""`quintet peek` and `tail`: messages that are looked at, and stay as they are."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import click

from quintet.cli.forms import FORMS, FORMS_HELP, HEAD, row, write
from quintet.cli.layout import aligned
from quintet.cli.where import Where, seconds, where_options, with_queue

if TYPE_CHECKING:
    from quintet import Queue, Seen

LOOK_EVERY = 0.25
"""Seconds between the looks of a tail that finds nothing more."""
PAGE = 1000
"""Messages of one look, at most."""


@click.command(short_help="Look at messages without receiving them.")
@click.argument("queue")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="How many messages, at most.")
@click.option("--all", "everything", is_flag=True, help="All messages, however many there are.")
@click.option("--from", "start", metavar="PLACE", help="Go on where an earlier look ended, as it told.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", *FORMS]),
    default="table",
    show_default=True,
    help=f"table: what a line has room for. {FORMS_HELP}",
)
@where_options
def peek(queue: str, limit: int, everything: bool, start: str | None, output: str, where: Where) -> None:
    """Look at messages that wait or are in flight: those of the highest priority first, then the oldest.

    They stay as they are, for others to receive. Delayed ones are not shown.
    """

    async def work(target: Queue) -> tuple[int, str | None]:
        shown, place = 0, start
        while everything or shown < limit:
            found = await target.peek(PAGE if everything else min(PAGE, limit - shown), start=place)
            _show(found.messages, output, with_head=not shown)
            shown += len(found.messages)
            place = found.next
            if place is None:
                break
        return shown, place

    shown, place = with_queue(where, queue, work)
    if not shown and not place:
        click.echo(f"{_name(queue)}: no message", err=True)
    elif place:
        click.echo(f"{_name(queue)}: there may be more: --from {place}", err=True)


def _show(messages: list[Seen], output: str, *, with_head: bool) -> None:
    if output != "table":
        write(b"".join(map(FORMS[output], messages)))
    elif messages:
        write(aligned([*([HEAD] if with_head else []), *map(row, messages)]).encode() + b"\n")


@click.command(short_help="Follow messages as they come, without receiving them.")
@click.argument("queue")
@click.option("-f", "--follow/--no-follow", default=True, show_default=True, help="Whether to wait for more.")
@click.option("--since", callback=seconds, metavar="DURATION", help="Begin with what came so long ago, as in 10m.")
@click.option("--limit", type=click.IntRange(1), help="End after so many messages.")
@click.option("-o", "--output", type=click.Choice(list(FORMS)), default="text", show_default=True, help=FORMS_HELP)
@where_options
def tail(queue: str, follow: bool, since: float | None, limit: int | None, output: str, where: Where) -> None:
    """Show messages as they come, until Ctrl-C; whoever receives them gets them as before.

    Those that consumers settled are shown too, if they are still stored: a queue is looked at four times a second, and
    what is gone by then is counted on standard error.
    """
    if not follow and since is None:
        raise click.UsageError("--no-follow shows what there is already: give --since")
    begin = None if since is None else max(1, round((time.time() - since) * 1000))

    async def work(target: Queue) -> None:
        left, place = limit, None
        while left is None or left > 0:
            page = PAGE if left is None else min(PAGE, left)
            found = await target.tail(page, start=place, since=begin)
            write(b"".join(map(FORMS[output], found.messages)))
            if found.missed:
                click.echo(f"{_name(queue)}: about {found.missed} messages went by unseen", err=True)
            left = None if left is None else left - len(found.messages)
            if len(found.messages) < page and place is not None:
                if not follow:
                    return
                await asyncio.sleep(LOOK_EVERY)
            place = found.next

    with_queue(where, queue, work)


def _name(queue: str) -> str:
    return f"queue/{queue.removeprefix('queue/')}"
