"""How messages are written to standard output."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

if TYPE_CHECKING:
    from quintet import Message, Seen

HEAD = ("ID", "SENT", "STATE", "DELIVERIES", "KEY", "HEADERS", "VALUE")
CELL = 60
"""Characters that a table shows of a key, of headers and of a value."""


def _text(message: Message | Seen) -> bytes:
    return message.value + b"\n"


def _raw(message: Message | Seen) -> bytes:
    return message.value


def _json(message: Message | Seen) -> bytes:
    fields: dict[str, Any] = {"id": message.id, "sentAt": message.sent_at}
    if message.deliveries is not None:
        fields["deliveries"] = message.deliveries
    try:
        fields["value"] = message.text
    except UnicodeDecodeError:
        fields["valueBase64"] = base64.b64encode(message.value).decode()
    others = {
        "state": getattr(message, "state", None),
        "key": message.key,
        "headers": message.headers,
        "priority": message.priority,
        "expiresAt": message.expires_at,
        "deadLetter": asdict(message.dead_letter) if message.dead_letter else None,
    }
    return json.dumps(fields | {name: value for name, value in others.items() if value}).encode() + b"\n"


FORMS: dict[str, Callable[[Message | Seen], bytes]] = {"text": _text, "json": _json, "raw": _raw}
FORMS_HELP = "text: a line each; json: an object with key, headers and more, a line each; raw: the bytes alone."


def row(message: Seen) -> Sequence[str]:
    """Its cells under HEAD: a line, without what a terminal would take for commands."""
    try:
        value = message.text
    except UnicodeDecodeError:
        value = f"<{len(message.value)} bytes>"
    headers = " ".join(f"{name}={content}" for name, content in message.headers.items())
    return (
        message.id,
        _time(message.sent_at),
        message.state or "",
        str(message.deliveries),
        *(_cell(text) for text in (message.key or "", headers, value)),
    )


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cell(text: str) -> str:
    """Some of it, on one line."""
    told = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text[: CELL + 1])
    return told if len(told) <= CELL else told[: CELL - 1] + "…"


def write(data: bytes) -> None:
    """At once, so that what a pipe took is known."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
