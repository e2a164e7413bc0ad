"""What the chart sets for all pools."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Defaults:
    """Images, and how they are pulled."""

    broker_image: str
    """Of pools that name none."""
    redis_image: str
    image_pull_policy: str
    """Always, IfNotPresent or Never."""
    image_pull_secrets: tuple[str, ...] = ()
    """Names of Secrets in each pool's namespace."""
