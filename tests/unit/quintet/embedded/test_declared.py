from pathlib import Path

import pytest

from quintet.embedded import declared
from quintet.embedded.declared import Pool
from quintet_api.topology import EntryStatus, TopologyStatus
from quintet_api.validation import Manifest, load

QUEUE = "{apiVersion: quintet.dev/v1, kind: Queue, metadata: {name: %s}, spec: {paused: %s}}\n"
POOL = """apiVersion: quintet.dev/v1
kind: BrokerPool
metadata:
  name: quick
  namespace: shop
spec:
  durability: Memory
  account: "123456789012"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.yaml"


def read(file: Path, text: str) -> list[Manifest]:
    file.write_text(text)
    loaded = load([file])
    assert not loaded.problems
    return loaded.manifests


def test_the_pool_is_the_declared_one_or_the_default(file: Path) -> None:
    assert declared.pool_of([]) == Pool("default", "default", "Fsync", "000000000000")
    assert declared.pool_of(read(file, POOL)) == Pool("shop", "quick", "Memory", "123456789012")
    assert declared.pool_of(read(file, QUEUE % ("a", "true"))) == Pool()


def test_names_for_people(file: Path) -> None:
    [pool] = read(file, POOL)
    assert (declared.display(pool), declared.identifier(pool)) == ("broker-pool/quick", "BrokerPool/quick")
    assert declared.place(pool) == f"{file}:1"


def test_outcomes_tell_how_two_sets_differ(file: Path) -> None:
    old = read(file, "---\n".join(QUEUE % (name, "true") for name in ("same", "changed", "gone")))
    new = read(file, "---\n".join([QUEUE % ("new", "true"), QUEUE % ("changed", "false"), QUEUE % ("same", "true")]))
    assert declared.outcomes(old, new, Pool()) == [
        ("queue/new", "created"),
        ("queue/changed", "configured"),
        ("queue/same", "unchanged"),
        ("queue/gone", "deleted"),
    ]


def test_what_takes_effect_later_is_said(file: Path) -> None:
    manifests = read(file, POOL)
    [(_, later)] = declared.outcomes([], manifests, Pool("shop", "quick"))
    assert later == "created: durability and account change when quintet up is started again"
    assert declared.outcomes([], manifests, declared.pool_of(manifests)) == [("broker-pool/quick", "created")]


@pytest.mark.parametrize(
    ("reason", "message", "place", "told"),
    [
        ("Unsupported", "ordering: Fifo is not supported yet.", 6, "spec.ordering: Fifo is not supported yet."),
        ("Unsupported", "limits.overflow: no.", 8, "spec.limits.overflow: no."),
        ("InvalidArgument", "spec.limits.overflow: no.", 8, "spec.limits.overflow: no."),
        ("DeadLetterQueueNotFound", "It is not there: b.", 10, "spec.deadLetter.queue: It is not there: b."),
        ("NameTaken", "It was made.", 4, "metadata.name: It was made."),
        ("DataConflict", "Messages were kept.", 6, "spec.ordering: Messages were kept."),
        ("Unknown", "Something.", 1, "Something."),
    ],
)
def test_a_refusal_of_the_broker_is_told_at_its_field(
    file: Path, reason: str, message: str, place: int, told: str
) -> None:
    manifests = read(
        file,
        "apiVersion: quintet.dev/v1\nkind: Queue\nmetadata:\n  name: a\nspec:\n  ordering: Standard\n"
        "  limits:\n    overflow: Reject\n  deadLetter:\n    queue: b\n",
    )
    entry = EntryStatus(kind="Queue", name="a", uid="u", state="Refused", reason=reason, message=message)
    status = TopologyStatus(revision=(0, 1), pods=[], entries=[entry])
    assert [str(one) for one in declared.refusals(manifests, status)] == [f"{file}:{place}: {told}"]


def test_another_namespace_than_the_running_one_is_refused(file: Path) -> None:
    [problem] = declared.problems(read(file, POOL), Pool("default", "quick"))
    assert (problem.line, problem.field) == (5, "metadata.namespace")
    assert problem.message == "quintet up runs the namespace default: start it again for shop"
