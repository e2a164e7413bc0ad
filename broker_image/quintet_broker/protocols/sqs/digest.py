"""MD5 digests by which SQS's clients check what was stored and what they received.

Source: "Calculating the MD5 message digest for message attributes" in
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

import hashlib
import struct
from collections.abc import Mapping

from quintet_broker.protocols.sqs.codec import MessageAttribute

_LENGTH = struct.Struct(">I")
_STRING, _BINARY = b"\x01", b"\x02"


def of_body(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def of_attributes(attributes: Mapping[str, MessageAttribute]) -> str | None:
    """Of attributes; None if there are none."""
    if not attributes:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        digest.update(_sized(name.encode()) + _sized(attribute.data_type.encode()))
        if attribute.binary_value is not None:
            digest.update(_BINARY + _sized(attribute.binary_value))
        else:
            digest.update(_STRING + _sized((attribute.string_value or "").encode()))
    return digest.hexdigest()


def _sized(part: bytes) -> bytes:
    return _LENGTH.pack(len(part)) + part
