"""Message ↔ JSON: bytes that are UTF-8 are text, others base64 in the field that says so."""

import base64
import binascii
from typing import Any

from msgspec import UNSET, UnsetType

from quintet_broker.engine.requests import Progress
from quintet_broker.errors import InvalidArgument
from quintet_broker.protocols.http import codec
from quintet_broker.services import messages, queue


def new_message(message: codec.NewMessage, place: int) -> messages.NewMessage:
    """Raises InvalidArgument, naming the field; `place` is the message's in its request."""
    at = f"messages[{place}]"
    value = _bytes(message.value, message.value_base64, f"{at}.value")
    if value is None:
        raise InvalidArgument(f"{at}: give value or valueBase64.")
    texts = [(name, text.encode()) for name, text in message.headers.items()]
    others = [(name, _unpacked(text, f"{at}.headersBase64")) for name, text in message.headers_base64.items()]
    return messages.NewMessage(
        value=value,
        key=_bytes(message.key, message.key_base64, f"{at}.key"),
        headers=(*texts, *others),
        delay=codec.seconds(message.delay, f"{at}.delay"),
        deduplication_id=None if message.deduplication_id is UNSET else message.deduplication_id,
        priority=None if message.priority is UNSET else message.priority,
        expiry=codec.seconds(message.expiry, f"{at}.expiry"),
    )


def message(found: messages.Message) -> codec.Message:
    """As it is delivered."""
    return codec.Message(
        **_content(found),
        receipt=found.receipt,
        first_received_at=found.first_received_at,
        deliveries=found.deliveries,
    )


def peeked(found: messages.Peeked) -> codec.Peeked:
    return codec.Peeked([_peeked(one) for one in found.messages], found.next)


def tailed(found: messages.Tailed) -> codec.Tailed:
    return codec.Tailed([codec.Content(**_content(one)) for one in found.messages], found.next, found.missed)


def _peeked(found: messages.Message) -> codec.PeekedMessage:
    return codec.PeekedMessage(
        **_content(found),
        state="inFlight" if found.is_in_flight else "visible",
        deliveries=found.deliveries,
        first_received_at=found.first_received_at or UNSET,
    )


def _content(found: messages.Message) -> dict[str, Any]:
    value, value_base64 = _text(found.value)
    key, key_base64 = _text(found.key) if found.key is not None else (UNSET, UNSET)
    texts, others = {}, {}
    for name, content in found.headers:
        text, packed = _text(content)
        if text is not UNSET:
            texts[name] = text
        elif packed is not UNSET:
            others[name] = packed
    return {
        "id": found.id,
        "sent_at": found.sent_at,
        "value": value,
        "value_base64": value_base64,
        "key": key,
        "key_base64": key_base64,
        "headers": texts,
        "headers_base64": others,
        "priority": UNSET if found.priority is None else found.priority,
        "expires_at": UNSET if found.expires_at is None else found.expires_at,
        "dead_letter": _dead_letter(found.dead_letter) if found.dead_letter else UNSET,
        "sequence": UNSET if found.sequence is None else found.sequence,
        "deduplication_id": found.deduplication_id or UNSET,
    }


def progress(found: Progress) -> codec.Progress:
    return codec.Progress(found.running, found.moved, found.left, found.rate, found.started_at)


def _dead_letter(found: messages.DeadLetter) -> codec.DeadLetter:
    return codec.DeadLetter(found.source, found.reason, found.receives, found.at)


async def info(found: queue.Queue) -> codec.QueueInfo:
    """The queue with its counts."""
    counts = await found.counts()
    owners = [route.owner for route in found.spread.routes]
    return codec.QueueInfo(
        name=found.name,
        origin=found.origin,
        spec=found.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        counts=codec.Counts(counts.visible, counts.in_flight, counts.delayed),
        active_consumer=await found.active_consumer(),
        shards=[codec.Shard(owner.name, owner.http or None) if owner else codec.Shard(None, None) for owner in owners],
        created_at=found.created_at * 1000,
        modified_at=found.modified_at * 1000,
    )


def _bytes(text: str | UnsetType, packed: str | UnsetType, field: str) -> bytes | None:
    if text is not UNSET and packed is not UNSET:
        raise InvalidArgument(f"{field}: give it as text or as base64, not both.")
    if packed is not UNSET:
        return _unpacked(packed, f"{field}Base64")
    return None if text is UNSET else text.encode()


def _unpacked(packed: str, field: str) -> bytes:
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgument(f"{field}: this is not base64.") from error


def _text(content: bytes) -> tuple[str | UnsetType, str | UnsetType]:
    """(text, UNSET) or, for what is not UTF-8, (UNSET, base64)."""
    try:
        return content.decode(), UNSET
    except UnicodeDecodeError:
        return UNSET, base64.b64encode(content).decode()
