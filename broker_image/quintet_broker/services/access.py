"""Who may do what: access keys, derived from the pool's master key, and what each may use."""

from collections.abc import Callable
from typing import Literal

from quintet_api.credentials import KeyId, parse_key_id, secret_key
from quintet_broker.errors import AccessDenied, UnknownKey

Verb = Literal["send", "receive", "redrive", "manage"]
"""receive covers acknowledge, release and extend; manage covers create, change, delete and purge."""


class Access:
    """Checks access keys of one pool. With `enabled` False every caller may do everything.

    A pool's key may do everything in the pool. A queue's key may send to and receive from its queue, and receive
    and redrive from the queue's dead-letter queue; nothing else.
    """

    def __init__(
        self,
        *,
        enabled: bool,
        master_key: bytes,
        namespace: str,
        pool: str,
        dead_letter_queue: Callable[[str], str | None],
    ) -> None:
        self.enabled = enabled
        self._master_key = master_key
        self._namespace = namespace
        self._pool = pool
        self._dead_letter_queue = dead_letter_queue

    def secret(self, key_id: str) -> str:
        """The secret key that belongs to a key id. Raises UnknownKey."""
        self._parse(key_id)
        return secret_key(self._master_key, key_id)

    def check(self, key_id: str | None, verb: Verb, queue: str | None) -> None:
        """Raises AccessDenied unless the key (None: no key was given) may do `verb` on `queue` (None: the pool)."""
        if not self.enabled:
            return
        if key_id is None:
            raise AccessDenied
        key = self._parse(key_id)
        if key.kind == "BrokerPool" and key.name == self._pool:
            return
        if key.kind != "Queue" or queue is None or verb == "manage":
            raise AccessDenied
        if key.name != queue and (verb == "send" or self._dead_letter_queue(key.name) != queue):
            raise AccessDenied

    def _parse(self, key_id: str) -> KeyId:
        try:
            key = parse_key_id(key_id)
        except ValueError as error:
            raise UnknownKey from error
        if key.namespace != self._namespace:
            raise UnknownKey
        return key
