"""What the Secret of an external Redis says. Pure."""

import base64
from dataclasses import dataclass, field

from quintet_operator.builders import redis_url
from quintet_operator.builders.metadata import Manifest

URL = "url"
TLS_KEYS = ("ca.crt", "tls.crt", "tls.key")
"""As Secrets of the type kubernetes.io/tls name them: whom brokers trust, and by what they show who they are."""


@dataclass(frozen=True)
class ExternalRedis:
    """Where it is, and what TLS needs beyond the authorities that everybody trusts."""

    url: str
    tls: dict[str, str] = field(default_factory=dict)
    """By key, as far as the Secret has them: PEM."""

    @property
    def values(self) -> list[str]:
        """All that the Secret says."""
        return [self.url, *(f"{key}={text}" for key, text in self.tls.items())]

    @property
    def fault(self) -> str:
        """A sentence that says what is wrong, and repeats nothing of the Secret; empty where nothing is."""
        return redis_url.fault(self.url) or self._fault_of_tls()

    def _fault_of_tls(self) -> str:
        if self.tls and not self.url.startswith("rediss"):
            return "It goes without TLS, for which the Secret has keys: write rediss in place of redis."
        if ("tls.crt" in self.tls) != ("tls.key" in self.tls):
            return "Of tls.crt and tls.key, one is there without the other."
        return ""


def read(secret: Manifest) -> ExternalRedis | None:
    """None where it has no `url`."""
    data = secret.get("data") or {}
    found = {key: _decoded(data[key]) for key in (URL, *TLS_KEYS) if key in data}
    told = {key: text for key, text in found.items() if text}
    return ExternalRedis(told.pop(URL), told) if URL in told else None


def _decoded(value: str) -> str:
    """Empty where it is no text."""
    try:
        return base64.b64decode(value, validate=True).decode().strip()
    except ValueError:
        return ""
