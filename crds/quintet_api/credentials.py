"""Access keys: a key id names an object, its secret key follows from the pool's master key."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache

LETTERS = {"Queue": "Q", "BrokerPool": "P"}
"""First part of a key id, by kind. A pool's key may make and use run-time objects."""
KEPT = 1024
"""Keys that are known already when a request comes: each request is signed."""

_KINDS = {letter: kind for kind, letter in LETTERS.items()}
_LABEL = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_KEY_ID = re.compile(rf"([A-Z])\.({_LABEL})\.({_LABEL})\.([1-9][0-9]{{0,8}})")


@dataclass(frozen=True)
class KeyId:
    """What a key id says."""

    kind: str
    namespace: str
    name: str
    rotation: int
    """1 for an object's first key, one more at each rotation."""


def key_id(kind: str, namespace: str, name: str, rotation: int = 1) -> str:
    """`Q.<namespace>.<name>.<rotation>` for a Queue, `P.…` for a BrokerPool."""
    return f"{LETTERS[kind]}.{namespace}.{name}.{rotation}"


@lru_cache(maxsize=KEPT)
def parse_key_id(text: str) -> KeyId:
    """Raises ValueError where the text is not a key id."""
    match = _KEY_ID.fullmatch(text)
    kind = _KINDS.get(match[1]) if match else None
    if match is None or kind is None:
        raise ValueError(f"not an access key id: {text[:100]!r}")
    return KeyId(kind, match[2], match[3], int(match[4]))


def holder(key: KeyId) -> str:
    """Whose key it is: a key id without its rotation."""
    return f"{LETTERS[key.kind]}.{key.namespace}.{key.name}"


@lru_cache(maxsize=KEPT)
def secret_key(master_key: bytes, key_id: str) -> str:
    """base64url(HMAC-SHA256(master key, key id)), without padding: 43 characters."""
    digest = hmac.digest(master_key, key_id.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
