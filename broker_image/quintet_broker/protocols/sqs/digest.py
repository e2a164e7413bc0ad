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


LATELY = 8192
"""Messages."""


class Digests:
    """Those of bodies that were sent here lately, by the ids of their messages: most are received soon, and to hash a
    body takes as long as the half of what else is done for it."""

    def __init__(self) -> None:
        self._lately: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def keep(self, message_id: str, digest: str) -> None:
        if len(self._lately) >= LATELY:
            self._lately, self._before = {}, self._lately
        self._lately[message_id] = digest

    def take(self, message_id: str) -> str | None:
        """Once: whoever receives a message again is late already."""
        return self._lately.pop(message_id, None) or self._before.pop(message_id, None)


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
