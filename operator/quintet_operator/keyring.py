"""The credentials of pools: made once, remembered, and put back as they were."""

from quintet_api.broker_pool import BrokerPool
from quintet_operator.apply import Applied, Applier, controller, whose
from quintet_operator.builders import credentials
from quintet_operator.builders.credentials import Credentials
from quintet_operator.builders.metadata import Manifest
from quintet_operator.index import Index, Key


class Keyring:
    """By pool. A Secret that was lost while its content was known comes back with that content."""

    def __init__(self, index: Index, applier: Applier) -> None:
        self._index = index
        self._applier = applier
        self._known: dict[str, Credentials] = {}
        """By the pool's uid."""

    def of(self, pool: BrokerPool) -> Credentials | None:
        """None where the pool's reconcile has not made them yet."""
        found = self._index.get(Key("Secret", pool.metadata.namespace, credentials.secret_name(pool)))
        return self._held(pool, found) or self._known.get(pool.metadata.uid)

    async def ensure(self, pool: BrokerPool, applied: Applied) -> Credentials | None:
        """Those of the pool's Secret, made where it is not there; `applied` tells why there are none.

        Raises ApiError.
        """
        found = await self._applier.find(credentials.secret(pool, _NOTHING))
        held = self._held(pool, found)
        content = held or self._known.get(pool.metadata.uid) or credentials.generate()
        secret = credentials.secret(pool, content)
        # One that is whole stays as it is: to write what was read would undo what changed in between.
        whole = held and found and _as_wanted(found, secret)
        if not whole and await self._applier.apply(pool, secret, applied, adopt=True) is None:
            return None
        self._known[pool.metadata.uid] = content
        return content

    def prune(self) -> None:
        """Forget those of pools that are gone."""
        there = {pool["metadata"]["uid"] for pool in self._index.of_kind("BrokerPool")}
        self._known = {uid: known for uid, known in self._known.items() if uid in there}

    def _held(self, pool: BrokerPool, found: Manifest | None) -> Credentials | None:
        ours = found is not None and whose(pool, found, adopt=True) == "ours"
        return credentials.from_secret(found) if ours and found else None


_NOTHING = Credentials("", "", "")


def _as_wanted(found: Manifest, wanted: Manifest) -> bool:
    """Whether labels and owner are right; the owner is the one that the pool's deletionPolicy asks for."""
    labels = found["metadata"].get("labels") or {}
    labelled = labels | wanted["metadata"]["labels"] == labels
    return labelled and controller(found).get("uid") == controller(wanted).get("uid")
