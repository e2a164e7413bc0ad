"""Batches: messages that travel as one RecordBatch v2 of Kafka, so that brokers store and deliver them as they came.

Layout: https://kafka.apache.org/documentation/#recordbatch
"""

from collections.abc import Sequence

import google_crc32c
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from quintet.message import Plain

_CRC = slice(17, 21)
_CRC_FROM = 21
_NO_PRODUCER = -1
_UNBOUNDED = 1 << 31
_LARGE = 4 * 1024 * 1024
"""Bytes: more than a frame has, unless it is asked for."""

# glibc takes the memory of each block of 128 KiB and more from the kernel, page by page, which costs more than to fill
# it, until a larger one was freed once: mallopt(3), M_MMAP_THRESHOLD.
bytes(_LARGE)


def encode(records: Sequence[Plain]) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=_NO_PRODUCER,
        producer_epoch=_NO_PRODUCER,
        base_sequence=_NO_PRODUCER,
        batch_size=_UNBOUNDED,
    )
    for place, (value, key, headers) in enumerate(records):
        builder.append(place, 0, key, value, headers)
    return bytes(builder.build())


def decode(batch: bytes) -> list[Plain]:
    """Raises ValueError where it is damaged."""
    if int.from_bytes(batch[_CRC]) != google_crc32c.value(batch[_CRC_FROM:]):
        raise ValueError("a batch is damaged: its CRC-32C does not match")
    try:
        return [(record.value or b"", record.key, record.headers) for record in DefaultRecordBatch(batch)]
    except CorruptRecordException as error:
        raise ValueError(f"a batch is damaged: {error}") from error
