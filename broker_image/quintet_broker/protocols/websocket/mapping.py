"""Message ↔ frame: bytes are bytes, times of clients are milliseconds."""

from quintet_broker.errors import BrokerError
from quintet_broker.protocols import problems
from quintet_broker.protocols.websocket import codec
from quintet_broker.services import messages


def new_message(record: codec.NewRecord) -> messages.NewMessage:
    if record.delay is record.expiry is record.priority is None and record.deduplication_id is None:
        # Most are so.
        return messages.NewMessage(record.value, record.key, record.headers)
    return messages.NewMessage(
        record.value,
        record.key,
        record.headers,
        _seconds(record.delay),
        record.priority,
        _seconds(record.expiry),
        record.deduplication_id,
    )


def delivered(found: messages.Message) -> codec.Delivered:
    return codec.Delivered(
        found.id,
        found.receipt,
        found.value,
        found.key,
        found.headers,
        found.sent_at,
        found.first_received_at,
        found.deliveries,
        found.priority,
        found.expires_at,
        found.sequence,
        found.deduplication_id,
        _dead_letter(found.dead_letter),
    )


def _dead_letter(found: messages.DeadLetter | None) -> codec.DeadLetter | None:
    return codec.DeadLetter(found.source, found.reason, found.receives, found.at) if found else None


def together(batch: messages.Batch) -> codec.Together:
    return codec.Together(
        batch.handle,
        batch.first_id.to_bytes(16),
        batch.count,
        batch.deliveries,
        batch.sent_at,
        batch.first_received_at,
        batch.data,
        batch.first_sequence,
    )


def results(found: list[BrokerError | None]) -> list[tuple[str, int, str] | None]:
    if not any(found):
        return []
    return [_told(error) if error else None for error in found]


def refused(request: int, error: BrokerError) -> codec.Refused:
    return codec.Refused(request, *_told(error))


def _told(error: BrokerError) -> tuple[str, int, str]:
    return problems.name(error), problems.status(error), error.message


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
