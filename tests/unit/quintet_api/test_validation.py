"""Manifests by hand: each file in bad/ and changes/ says in its first lines what must be refused, and where."""

import re
import time
from pathlib import Path

import pytest

from quintet_api import validation

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").iterdir())
CHANGES = sorted((HERE / "changes").iterdir())
GOOD = sorted((HERE / "good").iterdir())

EXPECTATION = re.compile(r"# expect (\d+) (\S+): (.+)")


def expected(path: Path) -> list[tuple[str, int, str, str]]:
    """File, line, field and a part of the message of each problem."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return sorted(
        (str(file), int(match[1]), match[2].removeprefix("-"), match[3])
        for file in files
        for line in file.read_text().splitlines()
        if (match := EXPECTATION.fullmatch(line))
    )


def assert_refused(problems: list[validation.Problem], path: Path) -> None:
    wanted = expected(path)
    assert wanted
    assert [(p.file, p.line, p.field) for p in problems] == [want[:3] for want in wanted]
    for problem, want in zip(problems, wanted, strict=True):
        assert want[3] in problem.message


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_manifest_is_refused_with_file_line_and_field(path: Path) -> None:
    loaded = validation.load([path])
    assert_refused(loaded.problems, path)


@pytest.mark.parametrize("path", CHANGES, ids=lambda path: path.name)
def test_a_change_of_what_is_immutable_is_refused(path: Path) -> None:
    old = validation.load([path / "old.yaml"])
    assert not old.problems
    assert not validation.load([path / "new.yaml"]).problems
    assert_refused(validation.load([path / "new.yaml"], old=old.manifests).problems, path)


@pytest.mark.parametrize("path", [*GOOD, *CHANGES], ids=lambda path: path.stem)
def test_the_same_manifest_again_is_no_change(path: Path) -> None:
    file = path / "old.yaml" if path.is_dir() else path
    first = validation.load([file])
    assert not first.problems
    assert validation.load([file], old=first.manifests) == first


def test_a_volume_may_grow(tmp_path: Path) -> None:
    sizes = ("8Gi", "8193Mi")
    for size in sizes:
        text = (HERE / "changes/volume-shrinks/old.yaml").read_text().replace("16Gi", size)
        (tmp_path / f"{size}.yaml").write_text(text)
    small, large = (validation.load([tmp_path / f"{size}.yaml"]) for size in sizes)
    assert not validation.load([tmp_path / "8193Mi.yaml"], old=small.manifests).problems
    assert validation.load([tmp_path / "8Gi.yaml"], old=large.manifests).problems


def test_the_defaults_of_the_crd_are_filled_in() -> None:
    queue, pool = validation.load([HERE / "good/smallest.yaml"]).manifests
    assert (queue.kind, queue.namespace, queue.name, queue.line) == ("Queue", "default", "orders", 1)
    assert queue.body == {
        "apiVersion": "quintet.dev/v1",
        "kind": "Queue",
        "metadata": {"name": "orders"},
        "spec": {
            "ordering": "Standard",
            "deduplication": {"scope": "Queue", "contentBased": False},
            "shards": 1,
            "consumers": "Shared",
            "brokerPool": "default",
            "visibilityTimeout": "30s",
            "deliveryDelay": "0s",
            "messageRetention": "96h",
            "maxMessageSize": "1Mi",
            "receiveWaitTime": "0s",
            "limits": {"inFlight": 120000, "overflow": "Reject"},
            "deletionPolicy": "Retain",
            "paused": False,
        },
    }
    assert pool.body["spec"]["storage"]["persistence"] == {"size": "8Gi"}
    assert pool.body["spec"]["listeners"] == [{"name": "internal", "type": "Internal"}]


def test_null_counts_as_absent(tmp_path: Path) -> None:
    (tmp_path / "queue.yaml").write_text(
        "{apiVersion: quintet.dev/v1, kind: Queue, metadata: {name: a},"
        " spec: {paused: null, deadLetter: null, limits: {messages: null}}}"
    )
    loaded = validation.load([tmp_path])
    assert not loaded.problems
    assert loaded.manifests[0].body["spec"]["paused"] is False
    assert "deadLetter" not in loaded.manifests[0].body["spec"]


def test_anchors_and_merges_are_read_as_yaml_means_them() -> None:
    first, second = validation.load([HERE / "good/anchors.yaml"]).manifests
    assert (first.body["spec"]["visibilityTimeout"], first.body["spec"]["deliveryDelay"]) == ("1m", "6s")
    assert second.body["spec"]["deadLetter"] == {"queue": "dead", "maxReceives": 3, "expired": False}


def test_a_sound_manifest_beside_a_bad_one_is_kept() -> None:
    loaded = validation.load([HERE / "bad/second-document.yaml"])
    assert [manifest.name for manifest in loaded.manifests] == ["orders"]
    assert [problem.field for problem in loaded.problems] == ["spec.visibilityTimeout"]


def test_what_stands_before_a_syntax_error_is_validated_too(tmp_path: Path) -> None:
    (tmp_path / "queue.yaml").write_text("kind: Queue\n---\na: [\n")
    fields = [(problem.line, problem.field) for problem in validation.load([tmp_path]).problems]
    assert fields == [(1, "apiVersion"), (4, "")]


def test_one_name_in_two_namespaces_is_no_duplicate() -> None:
    loaded = validation.load([HERE / "good/smallest.yaml", HERE / "good/other-namespace.yaml"])
    assert not loaded.problems


def test_a_directory_is_its_manifests_alone(tmp_path: Path) -> None:
    for name in ("b.yml", "a.json", "notes.txt", ".hidden.yaml"):
        queue = f'{{"apiVersion": "quintet.dev/v1", "kind": "Queue", "metadata": {{"name": "{name[0]}"}}}}'
        (tmp_path / name).write_text(queue if name[0] in "ab" else "not: a manifest")
    assert [manifest.name for manifest in validation.load([tmp_path]).manifests] == ["a", "b"]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"a: \xff\n")
    (tmp_path / "null.yaml").write_bytes(b"a: 1\nb: \0\n")
    problems = validation.load([tmp_path / "absent.yaml", tmp_path]).problems
    assert str(problems[0]) == f"{tmp_path / 'absent.yaml'}: No such file or directory"
    assert [Path(problem.file).name for problem in problems[1:]] == ["binary.yaml", "null.yaml"]


def test_a_document_that_aliases_blow_up_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    (tmp_path / "cycle.yaml").write_text("a: &a [*a]")
    began = time.process_time()
    problems = validation.load([tmp_path]).problems
    assert ["too many values" in problem.message for problem in problems] == [True, True]
    assert time.process_time() - began < 10


def test_a_problem_reads_as_file_line_field_and_message() -> None:
    problem = validation.Problem("a.yaml", 3, "spec.paused", "must be true or false, not 'no'")
    assert str(problem) == "a.yaml:3: spec.paused: must be true or false, not 'no'"
    assert str(validation.Problem("a.yaml", 0, "", "is a directory")) == "a.yaml: is a directory"
