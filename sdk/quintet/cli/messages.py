"""`quintet send` and `receive`, by way of the client."""

from __future__ import annotations

import asyncio
import io
import secrets
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from quintet.cli.forms import FORMS, FORMS_HELP, write
from quintet.cli.where import Where, seconds, where_options, with_queue

if TYPE_CHECKING:
    from quintet import Message, Queue

MESSAGE_MAX = 2**20
"""Bytes of the largest message that any queue takes."""
TOO_LARGE = f"is larger than the {MESSAGE_MAX} bytes that any queue takes"
READ = 2**16
"""Bytes that are read at a time."""
SEND = 1000
"""Messages that are sent at a time, at most."""
RECEIVE = 100
"""Messages that are received at a time, at most."""


def _headers(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for value in values:
        name, equals, found[name] = value.partition("=")
        if not name or not equals:
            raise click.BadParameter("must be NAME=VALUE")
    return found


@click.command()
@click.argument("queue")
@click.argument("text", required=False)
@click.option("--file", type=click.File("rb"), help="Send what this file holds; - for standard input.")
@click.option("--lines", is_flag=True, help="Make each line a message of its own.")
@click.option("--key", help="Messages of one key belong together.")
@click.option("--header", "headers", multiple=True, callback=_headers, metavar="NAME=VALUE", help="Can be repeated.")
@click.option("--delay", callback=seconds, metavar="DURATION", help="How long until it can be received, as in 5s.")
@click.option("--priority", type=click.IntRange(1, 10), help="Higher ones are delivered first, those without one last.")
@click.option("--expiry", callback=seconds, metavar="DURATION", help="For how long it may be delivered, as in 1h.")
@where_options
def send(
    queue: str,
    text: str | None,
    file: io.BufferedReader | None,
    lines: bool,
    key: str | None,
    headers: dict[str, str],
    delay: float | None,
    priority: int | None,
    expiry: float | None,
    where: Where,
) -> None:
    """Send TEXT, or what a file or standard input holds."""
    if text is not None and (file or lines):
        raise click.UsageError("give TEXT, or --file and --lines, not both")
    stream: Any = file or sys.stdin.buffer

    async def work(target: Queue) -> int:
        from quintet import NewMessage

        count = 0
        async for values in _values(text, stream, lines):
            await target.send_batch([NewMessage(value, key, headers, delay, priority, expiry) for value in values])
            count += len(values)
        return count

    count = with_queue(where, queue, work)
    click.echo(f"queue/{queue}: {count} message{'' if count == 1 else 's'} sent")


async def _values(text: str | None, stream: io.BufferedReader, lines: bool) -> AsyncIterator[list[bytes]]:
    """What to send, in the portions in which it comes."""
    if text is not None:
        yield [text.encode(errors="surrogateescape")]
    elif not lines:
        value = await asyncio.to_thread(stream.read, MESSAGE_MAX + 1)
        if len(value) > MESSAGE_MAX:
            raise click.ClickException(f"the message {TOO_LARGE}")
        yield [value]
    else:
        async for whole in _whole_lines(stream):
            for first in range(0, len(whole), SEND):
                yield whole[first : first + SEND]


async def _whole_lines(stream: io.BufferedReader) -> AsyncIterator[list[bytes]]:
    rest = b""
    while read := await asyncio.to_thread(stream.read1, READ):
        *whole, rest = (rest + read).split(b"\n")
        yield whole
        if len(rest) > MESSAGE_MAX:
            raise click.ClickException(f"a line {TOO_LARGE}")
    if rest:
        yield [rest]


@click.command(short_help="Receive messages, print and acknowledge them.")
@click.argument("queue")
@click.option("--limit", type=click.IntRange(1), default=1, show_default=True, help="How many messages, at most.")
@click.option(
    "--wait",
    callback=seconds,
    metavar="DURATION",
    help="How long to wait for a message, as in 5s.  [default: the queue's]",
)
@click.option("--selector", metavar="CEL", help="Only messages for which it is true, as in \"headers.region == 'eu'\".")
@click.option("--consumer", help="Its name, where one consumer is served at a time.  [default: a random one]")
@click.option("--no-ack", is_flag=True, help="Release the messages instead of acknowledging them.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(list(FORMS)),
    default="text",
    show_default=True,
    help=FORMS_HELP,
)
@where_options
def receive(
    queue: str,
    limit: int,
    wait: float | None,
    selector: str | None,
    consumer: str | None,
    no_ack: bool,
    output: str,
    where: Where,
) -> None:
    """Receive messages, write them to standard output and, once they are written, acknowledge them.

    What a pipe has taken is written, though its reader may stop early: use --limit. Messages that could not be written
    are released.
    """

    name = consumer or f"receive-{secrets.token_hex(8)}"

    async def work(target: Queue) -> int:
        held: list[Message] = []
        left, portion = limit, 1
        try:
            while left and (
                messages := await target.receive_batch(min(left, portion), wait=wait, selector=selector, consumer=name)
            ):
                held += messages
                left -= len(messages)
                # A reader that stops soon has taken few messages more than it read, and one that goes on waits little.
                portion = min(2 * portion, RECEIVE)
                written: list[Message] = []
                try:
                    for message in messages:
                        write(FORMS[output](message))
                        written.append(message)
                finally:
                    if not no_ack:
                        del held[: len(written)]
                        await asyncio.gather(*(message.acknowledge() for message in written))
        finally:
            released = [message.release() for message in held]
            await asyncio.gather(*released, target.close_consumer(name), return_exceptions=True)
        return limit - left

    if not with_queue(where, queue, work):
        click.echo(f"queue/{queue}: no message", err=True)
