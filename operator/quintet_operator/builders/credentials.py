"""What opens a pool: the Secret that its pods mount, and the operator reads."""

import base64
import binascii
import hashlib
import secrets
from dataclasses import astuple, dataclass, fields

from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders.metadata import Manifest, child_name, metadata

PART = "credentials"
REDIS_PASSWORD = "redis-password"
REDIS_CONFIG = "redis.conf"
MASTER_KEY = "master-key"
ADMIN_TOKEN = "admin-token"


@dataclass(frozen=True)
class Credentials:
    """Made once for a pool. Each is text that a URL and a configuration file take as it is."""

    redis_password: str
    master_key: str
    """The access keys of the pool and its queues follow from it."""
    admin_token: str
    """Bearer token of the brokers' /admin/v1/."""


def generate() -> Credentials:
    """256 random bits each, as hexadecimal digits."""
    return Credentials(*(secrets.token_hex(32) for _ in fields(Credentials)))


def from_secret(secret: Manifest) -> Credentials | None:
    """What a Secret holds; None where it is not as `secret` makes it."""
    data = secret.get("data") or {}
    try:
        found = {key: base64.b64decode(text, validate=True).decode() for key, text in data.items()}
        read = Credentials(found[REDIS_PASSWORD], found[MASTER_KEY], found[ADMIN_TOKEN])
    except (KeyError, binascii.Error, UnicodeDecodeError):
        return None
    return read if all(astuple(read)) and found.get(REDIS_CONFIG) == _redis_config(read) else None


def secret(pool: BrokerPool, credentials: Credentials) -> Manifest:
    """It stays with the volume that it opens: without an owner where the pool's policy is Retain."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(pool, PART, component=PART, owned=pool.spec.deletion_policy == "Delete"),
        "type": "Opaque",
        "data": encoded(
            {
                REDIS_PASSWORD: credentials.redis_password,
                REDIS_CONFIG: _redis_config(credentials),
                MASTER_KEY: credentials.master_key,
                ADMIN_TOKEN: credentials.admin_token,
            }
        ),
    }


def _redis_config(credentials: Credentials) -> str:
    """What is secret of it; all else stands on the command line."""
    return f"requirepass {credentials.redis_password}\n"


def secret_name(pool: BrokerPool) -> str:
    return child_name(pool.kind, pool.metadata.name, PART)


def encoded(values: dict[str, str]) -> dict[str, str]:
    """As a Secret's `data` has them."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def digest(*values: str) -> str:
    """A short hash of secret content: it tells a change, and nothing of the content."""
    return hashlib.sha256("\0".join(values).encode()).hexdigest()[:16]


def whole_digest(credentials: Credentials) -> str:
    return digest(*astuple(credentials))
