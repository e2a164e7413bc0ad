"""The manifests as a set: what must hold between them, and how one set differs from another."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from quintet_api import names
from quintet_api.document import FieldPath
from quintet_api.topology import TopologyStatus
from quintet_api.validation import Manifest, Problem

PREFIXES = {"Queue": "queue", "BrokerPool": "broker-pool"}
"""What stands before a name that people read: `queue/orders`."""

FIELDS: dict[str, FieldPath] = {
    "DeadLetterQueueNotFound": ("spec", "deadLetter", "queue"),
    "DataConflict": ("spec", "ordering"),
    "NameTaken": ("metadata", "name"),
}
"""What is at fault when the broker refuses an entry, by its reason."""


@dataclass(frozen=True)
class Pool:
    """The one pool that runs."""

    namespace: str = "default"
    name: str = names.DEFAULT_POOL
    durability: str = "Fsync"
    account: str = "000000000000"


def display(manifest: Manifest) -> str:
    """`queue/orders`."""
    return displayed(identifier(manifest))


def displayed(identifier: str) -> str:
    """`queue/orders` for `Queue/orders`."""
    kind, _, name = identifier.partition("/")
    return f"{PREFIXES[kind]}/{name}"


def place(manifest: Manifest) -> str:
    """`orders.yaml:1`."""
    return f"{manifest.file}:{manifest.line}"


def identifier(manifest: Manifest) -> str:
    """`Queue/orders`: sets an object apart from all others that exist at a time."""
    return f"{manifest.kind}/{manifest.name}"


def pool_of(manifests: Iterable[Manifest]) -> Pool:
    """The pool that sound manifests ask for."""
    pool = Pool()
    for manifest in manifests:
        if manifest.kind == "BrokerPool":
            spec = manifest.body["spec"]
            return Pool(manifest.namespace, manifest.name, spec["durability"], spec["account"])
        pool = Pool(manifest.namespace)
    return pool


def problems(manifests: Sequence[Manifest], running: Pool | None = None) -> list[Problem]:
    """What is wrong with manifests that are sound one by one; `running` is the pool that runs already."""
    found = [*_namespace_problems(manifests, running), *_pool_problems(manifests, running)]
    return sorted(found)


def _namespace_problems(manifests: Sequence[Manifest], running: Pool | None) -> Iterator[Problem]:
    for manifest in manifests:
        field = ("metadata", "namespace")
        if running and manifest.namespace != running.namespace:
            message = f"quintet up runs the namespace {running.namespace}: start it again for {manifest.namespace}"
            yield manifest.document.problem(field, message)
        elif manifest.namespace != manifests[0].namespace:
            first = f"{place(manifests[0])} is in {manifests[0].namespace}"
            yield manifest.document.problem(field, f"quintet up runs one namespace, and {first}")


def _pool_problems(manifests: Sequence[Manifest], running: Pool | None) -> Iterator[Problem]:
    pools = [manifest for manifest in manifests if manifest.kind == "BrokerPool"]
    there = {names.DEFAULT_POOL, *(pool.name for pool in pools)}
    for manifest in manifests:
        field, name = _pool_named(manifest)
        if name not in there:
            yield manifest.document.problem(field, f"there is no BrokerPool {name}")
        elif running and name != running.name:
            message = f"quintet up runs the broker pool {running.name}: start it again for {name}"
            yield manifest.document.problem(field, message)
        elif not running and pools and name != pools[0].name:
            first = f"{place(pools[0])} declares {pools[0].name}"
            yield manifest.document.problem(field, f"quintet up runs one broker pool, and {first}")
    for pool in pools:
        if pool.body["spec"]["storage"]["mode"] != "Embedded":
            yield pool.document.problem(("spec", "storage", "mode"), "External is not supported by quintet up yet")


def _pool_named(manifest: Manifest) -> tuple[FieldPath, str]:
    """The pool that a manifest declares or uses, and where it says so."""
    if manifest.kind == "BrokerPool":
        return ("metadata", "name"), manifest.name
    return ("spec", "brokerPool"), manifest.body["spec"]["brokerPool"]


def refusals(manifests: Iterable[Manifest], status: TopologyStatus) -> list[Problem]:
    """What the broker did not take, at the field that is at fault."""
    sources = {identifier(manifest): manifest for manifest in manifests}
    found = []
    for entry in status.entries:
        if entry.state == "Refused":
            field, message = _fault(entry.reason, entry.message)
            found.append(sources[f"{entry.kind}/{entry.name}"].document.problem(field, message))
    return sorted(found)


def _fault(reason: str, message: str) -> tuple[FieldPath, str]:
    """The broker begins a message with the field, as in `limits.overflow: …`, where a reason has several."""
    field, colon, rest = message.partition(": ")
    if colon and reason not in FIELDS:
        return ("spec", *field.removeprefix("spec.").split(".")), rest
    return FIELDS.get(reason, ()), message


def outcomes(old: Iterable[Manifest], new: Iterable[Manifest], running: Pool) -> list[tuple[str, str]]:
    """`("queue/orders", "created")`, or configured, unchanged, deleted, for all objects of both sets."""
    before = {display(manifest): manifest for manifest in old}
    after = {display(manifest): manifest for manifest in new}
    told = [(name, _outcome(before.get(name), manifest, running)) for name, manifest in after.items()]
    return told + [(name, "deleted") for name in before if name not in after]


def _outcome(before: Manifest | None, after: Manifest, running: Pool) -> str:
    if before and before.body == after.body:
        return "unchanged"
    outcome = "configured" if before else "created"
    if after.kind == "BrokerPool" and pool_of([after]) != running:
        outcome += ": durability and account change when quintet up is started again"
    return outcome
