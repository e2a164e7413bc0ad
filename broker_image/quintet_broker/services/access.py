"""Who may do what: access keys, derived from the pool's master key, and what each may use."""

from collections.abc import Callable, Sequence

from quintet_api.credentials import KeyId, holder, parse_key_id, secret_key
from quintet_broker.errors import AccessDenied, UnknownKey
from quintet_broker.services.permissions import GRANTABLE, Rule, Verb, judge

OF_ITS_QUEUE = GRANTABLE - {"purge"} | {"redrive"}
OF_ITS_DEAD_LETTERS = OF_ITS_QUEUE - {"send"}
"""What a queue's key may do with its queue, and with that queue's dead-letter queue."""
OF_REDRIVE: tuple[Verb, ...] = ("receive", "acknowledge")
"""What a redrive does with its source: whoever is forbidden one of these must not have it done by a redrive."""


class Access:
    """Checks access keys of one pool. With `enabled` False every caller may do everything.

    A pool's key may do everything in the pool. A queue's key may send to and receive from its queue, and receive
    and redrive from the queue's dead-letter queue. A queue's rules allow other keys more, or forbid what they speak of,
    to the pool's key too; but that one may always change them.
    """

    def __init__(
        self,
        *,
        enabled: bool,
        master_key: bytes,
        namespace: str,
        pool: str,
        dead_letter_queue: Callable[[str], str | None],
        rules: Callable[[str], Sequence[Rule]],
    ) -> None:
        """`dead_letter_queue` and `rules` tell those of a queue, by its name."""
        self.enabled = enabled
        self._master_key = master_key
        self._namespace = namespace
        self._pool = pool
        self._dead_letter_queue = dead_letter_queue
        self._rules = rules

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
        judged = None
        if queue is not None and verb in GRANTABLE and (rules := self._rules(queue)):
            judged = judge(rules, holder(key), verb)
        if judged is None:
            judged = self._may(key, verb, queue)
        if not judged:
            raise AccessDenied
        if verb == "redrive":
            for part in OF_REDRIVE:
                self.check(key_id, part, queue)

    def _may(self, key: KeyId, verb: Verb, queue: str | None) -> bool:
        """Whether a key may do that where no rule speaks of it."""
        if key.kind == "BrokerPool":
            return key.name == self._pool
        if key.name == queue:
            return verb in OF_ITS_QUEUE
        return queue is not None and verb in OF_ITS_DEAD_LETTERS and self._dead_letter_queue(key.name) == queue

    def _parse(self, key_id: str) -> KeyId:
        try:
            key = parse_key_id(key_id)
        except ValueError as error:
            raise UnknownKey from error
        if key.namespace != self._namespace:
            raise UnknownKey
        return key
