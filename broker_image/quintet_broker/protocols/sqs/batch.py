"""What the batch operations have in common."""

import re
from collections.abc import Sequence
from typing import Protocol

from quintet_broker.errors import BrokerError
from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.sqs import codec, errors

MOST = 10

_ID = re.compile("[A-Za-z0-9_-]{1,80}")


class Entry(Protocol):
    """One part of a batch."""

    id: str


def check(entries: Sequence[Entry], name: str) -> None:
    """`name` is what the query protocol calls an entry. Raises AwsError."""
    if not entries:
        raise AwsError(errors.BATCH_EMPTY, f"There should be at least one {name} in the request.")
    if len(entries) > MOST:
        raise AwsError(
            errors.BATCH_TOO_MANY,
            f"Maximum number of entries per request are {MOST}. You have sent {len(entries)}.",
        )
    seen: set[str] = set()
    for entry in entries:
        if not _ID.fullmatch(entry.id):
            raise AwsError(
                errors.BATCH_ID_INVALID,
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long.",
            )
        if entry.id in seen:
            raise AwsError(errors.BATCH_IDS_NOT_DISTINCT, f"Id {entry.id} repeated.")
        seen.add(entry.id)


def refused(entry: Entry, error: AwsError | BrokerError) -> codec.BatchError:
    """Why one part was not done."""
    if isinstance(error, BrokerError):
        error = errors.translated(error)
    return codec.BatchError(entry.id, error.kind.fault == "Sender", error.kind.code, error.message)


def settled(entries: Sequence[Entry], results: Sequence[AwsError | BrokerError | None]) -> codec.BatchResult:
    """The answer to a batch whose parts answer nothing."""
    outcomes = list(zip(entries, results, strict=True))
    return codec.BatchResult(
        [codec.Entry(entry.id) for entry, error in outcomes if error is None],
        [refused(entry, error) for entry, error in outcomes if error is not None],
    )
