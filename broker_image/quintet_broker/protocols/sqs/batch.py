"""What the batch operations have in common."""

import re
from collections.abc import Sequence
from typing import Protocol

from quintet_broker.errors import BrokerError
from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.sqs import codec, errors

MOST = 10

LONGEST_ID = 80
"""Characters."""

_IDS = re.compile("[A-Za-z0-9_-]+")


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
    ids = [entry.id for entry in entries]
    lengths = {len(one) for one in ids}
    if not (min(lengths) > 0 and max(lengths) <= LONGEST_ID and _IDS.fullmatch("".join(ids))):
        raise AwsError(
            errors.BATCH_ID_INVALID,
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            "It can be at most 80 letters long.",
        )
    if len(set(ids)) < len(ids):
        repeated = next(one for place, one in enumerate(ids) if one in ids[:place])
        raise AwsError(errors.BATCH_IDS_NOT_DISTINCT, f"Id {repeated} repeated.")


def refused(entry: Entry, error: AwsError | BrokerError) -> codec.BatchError:
    """Why one part was not done."""
    if isinstance(error, BrokerError):
        error = errors.translated(error)
    return codec.BatchError(entry.id, error.kind.fault == "Sender", error.kind.code, error.message)


def settled(entries: Sequence[Entry], results: Sequence[AwsError | BrokerError | None]) -> codec.BatchResult:
    """The answer to a batch whose parts answer nothing."""
    if not any(results):
        return codec.BatchResult([codec.Entry(entry.id) for entry in entries])
    outcomes = list(zip(entries, results, strict=True))
    return codec.BatchResult(
        [codec.Entry(entry.id) for entry, error in outcomes if error is None],
        [refused(entry, error) for entry, error in outcomes if error is not None],
    )
