"""The operator's settings: the environment, read once."""

import os
from collections.abc import Mapping

from msgspec import Struct

from quintet_api.environment import read
from quintet_operator.builders.defaults import Defaults


class Settings(Struct, frozen=True):
    """Each field is read from the variable QUINTET_<FIELD>."""

    broker_image: str
    redis_image: str
    namespace: str
    """Where the operator runs, and its Lease is."""
    pod_name: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: str = ""
    """Names, with commas between them."""
    lease_name: str = "quintet-operator"
    lease_seconds: int = 15
    """For how long a leader that says nothing more keeps others out."""
    port: int = 8080
    """/healthz, /readyz and /metrics."""
    log_level: str = "INFO"

    @property
    def defaults(self) -> Defaults:
        secrets = tuple(filter(None, (name.strip() for name in self.image_pull_secrets.split(","))))
        return Defaults(self.broker_image, self.redis_image, self.image_pull_policy, secrets)


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SystemExit with the field's name where one is missing or unreadable."""
    return read(Settings, "operator", environment)
