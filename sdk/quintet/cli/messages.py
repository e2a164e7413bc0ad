"""`quintet send`, `receive` and `purge`: the messages of a queue, by way of the client."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec.structs import asdict

from quintet.cli.running import Running, state_option, told_failures

if TYPE_CHECKING:
    from quintet import Message, Queue

Result = TypeVar("Result")

TIMEOUT = 10.0
"""Seconds for which a command tries again what fails in passing, beside its wait."""
MESSAGE_MAX = 2**20
"""Bytes of the largest message that any queue takes."""
TOO_LARGE = f"is larger than the {MESSAGE_MAX} bytes that any queue takes"
READ = 2**16
"""Bytes that are read at a time."""
SEND = 1000
"""Messages that are sent at a time, at most."""
LOOK_EVERY = 0.1
"""Seconds between looks at a redrive."""
RECEIVE = 100
"""Messages that are received at a time, at most."""


def _seconds(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """`5s` as 5.0."""
    with told_failures():
        from quintet_api.common import parse_duration
    try:
        return None if value is None else parse_duration(value).total_seconds()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error)) from error


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
@click.option("--delay", callback=_seconds, metavar="DURATION", help="How long until it can be received, as in 5s.")
@click.option("--priority", type=click.IntRange(1, 10), help="Higher ones are delivered first, those without one last.")
@click.option("--expiry", callback=_seconds, metavar="DURATION", help="For how long it may be delivered, as in 1h.")
@state_option
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
    state_dir: Path,
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

    count = _with_queue(state_dir, queue, work)
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


def _text(message: Message) -> bytes:
    return message.value + b"\n"


def _raw(message: Message) -> bytes:
    return message.value


def _json(message: Message) -> bytes:
    fields: dict[str, Any] = {"id": message.id, "sentAt": message.sent_at, "deliveries": message.deliveries}
    try:
        fields["value"] = message.text
    except UnicodeDecodeError:
        fields["valueBase64"] = base64.b64encode(message.value).decode()
    others = {
        "key": message.key,
        "headers": message.headers,
        "priority": message.priority,
        "expiresAt": message.expires_at,
        "deadLetter": asdict(message.dead_letter) if message.dead_letter else None,
    }
    return json.dumps(fields | {name: value for name, value in others.items() if value}).encode() + b"\n"


FORMS: dict[str, Callable[[Message], bytes]] = {"text": _text, "json": _json, "raw": _raw}


@click.command(short_help="Receive messages, print and acknowledge them.")
@click.argument("queue")
@click.option("--limit", type=click.IntRange(1), default=1, show_default=True, help="How many messages, at most.")
@click.option(
    "--wait",
    callback=_seconds,
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
    help="text: a line each; json: an object with key, headers and more, a line each; raw: the bytes alone.",
)
@state_option
def receive(
    queue: str,
    limit: int,
    wait: float | None,
    selector: str | None,
    consumer: str | None,
    no_ack: bool,
    output: str,
    state_dir: Path,
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
                        _write(FORMS[output](message))
                        written.append(message)
                finally:
                    if not no_ack:
                        del held[: len(written)]
                        await asyncio.gather(*(message.acknowledge() for message in written))
        finally:
            released = [message.release() for message in held]
            await asyncio.gather(*released, target.close_consumer(name), return_exceptions=True)
        return limit - left

    if not _with_queue(state_dir, queue, work):
        click.echo(f"queue/{queue}: no message", err=True)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@click.command()
@click.argument("queue")
@state_option
def purge(queue: str, state_dir: Path) -> None:
    """Drop every message of a queue."""

    async def work(target: Queue) -> None:
        await target.purge()

    _with_queue(state_dir, queue, work)
    click.echo(f"queue/{queue} purged")


@click.command(short_help="Bring dead letters back to the queues that they came from.")
@click.argument("queue")
@click.option("--to", metavar="QUEUE", help="Bring all of them to this queue instead.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Messages a second, at most.")
@click.option("--limit", type=click.IntRange(1), help="How many messages, at most.  [default: all that are visible]")
@click.option("--no-wait", is_flag=True, help="Do not wait until they are back.")
@click.option("--stop", is_flag=True, help="Stop a redrive that is under way.")
@state_option
def redrive(
    queue: str,
    to: str | None,
    rate: float | None,
    limit: int | None,
    no_wait: bool,
    stop: bool,
    state_dir: Path,
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

    moved, running = _with_queue(state_dir, queue, work)
    click.echo(f"queue/{queue}: {moved} message{'' if moved == 1 else 's'} moved{', and going on' if running else ''}")


def _with_queue(state_directory: Path, name: str, work: Callable[[Queue], Awaitable[Result]]) -> Result:
    async def run(running: Running) -> Result:
        from quintet import connect

        key = running.pool_key
        url = running.ready["endpoints"]["http"]
        async with connect(url, key_id=key["accessKeyId"], secret=key["secretAccessKey"], timeout=TIMEOUT) as client:
            return await work(client.queue(name.removeprefix("queue/")))

    with told_failures():
        return asyncio.run(run(Running(state_directory)))
