"""The broker's settings: the environment, read once."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from quintet_api.environment import read
from quintet_api.hosts import reached
from quintet_broker.store.address import secured
from quintet_broker.store.promises import Durability


class Settings(Struct, frozen=True):
    """Each field is read from the variable QUINTET_<FIELD>."""

    redis_url: str
    """redis://host:port/0, unix:///path/to/socket, or Sentinels or a Cluster: store/connection.py has all forms."""
    prefix: str
    """Sets a pool's keys apart from others in the same Redis: the pool's uid."""
    durability: Durability = "Fsync"
    """What a confirm promises; Redis must be set to it."""
    redis_tls_directory: str = ""
    """Folder with ca.crt, tls.crt and tls.key, as far as rediss:// needs more than the authorities of the machine."""
    namespace: str = "default"
    pool: str = "default"
    pod_name: str = "broker-0"
    host: str = "127.0.0.1"
    http_port: int = 9400
    admin_port: int = 9401
    peer_port: int = 9402
    """Where the other brokers of the pool reach this one."""
    peer_address: str = ""
    """host:port under which they do; empty: host and peer_port."""
    http_address: str = ""
    """URL under which clients reach exactly this broker; empty: host and http_port."""
    connections: int = 10_000
    """Of clients at once, at most; fewer where files or memory are scarce."""
    deduplication_bytes: int = 1024**3
    """Of memory, for the deduplication ids of all queues, about; less where memory is scarce."""
    lease: float = 3.0
    """Seconds after which others take over from a broker that is not heard of."""
    account_id: str = "000000000000"
    auth: bool = False
    """Whether clients must sign (AWS faces) or send Basic credentials (/v1/)."""
    master_key_file: str = ""
    """File with the pool's master key; access keys are derived from it."""
    admin_token_file: str = ""
    """File with the bearer token of /admin/v1/; without it /admin/v1/ is closed."""

    @property
    def redis(self) -> str:
        """Its URL, with what TLS needs."""
        return secured(self.redis_url, Path(self.redis_tls_directory)) if self.redis_tls_directory else self.redis_url

    @property
    def peer(self) -> str:
        """host:port for other brokers."""
        return self.peer_address or f"{reached(self.host)}:{self.peer_port}"

    @property
    def http(self) -> str:
        """URL for clients."""
        return self.http_address or f"http://{reached(self.host)}:{self.http_port}"

    @property
    def master_key(self) -> bytes:
        return Path(self.master_key_file).read_bytes().strip() if self.master_key_file else b""

    @property
    def admin_token(self) -> str:
        return Path(self.admin_token_file).read_text().strip() if self.admin_token_file else ""


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SystemExit with the field's name where one is missing or unreadable."""
    return read(Settings, "broker", environment)
