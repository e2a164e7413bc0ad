"""Every manifest that `quintet apply` refuses is refused by the API server too, for the same field."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.installed import Cluster
from tests.cluster.kubectl import TIMEOUT, Kubectl, Refused
from tests.unit.quintet_api.test_validation import BAD, CHANGES, expected

OURS_ALONE = {
    "yaml-duplicate-key": "kubectl takes the last of two values under one key",
    "duplicate-object": "two files that declare one object are two changes of it",
    "kind-foreign": "a cluster has other kinds too",
}
"""What only local validation can see."""


IN_OTHER_WORDS = {
    "api-version-unknown": 'in version "quintet.dev/v2"',
    "label-number": "ObjectMeta.metadata.labels of type string",
    "listener-twice": "spec.listeners[2]: Duplicate value",
    "metadata-missing": "resource name may not be empty",
    "name-empty": "resource name may not be empty",
    "name-missing": "resource name may not be empty",
    "namespace-form": 'the namespace from the provided object "Shop.EU"',
    "yaml-key-not-text": "invalid map key",
    "yaml-tag": "spec.paused",
}
"""How kubectl says it where it stops before the API server sees the field, or stops at its parent.
A tag of YAML means nothing to it, but the value beside it is refused."""


def field_of(path: str) -> str:
    """`spec.listeners[1].name` and `spec.listeners.1.name` as one form, without the places in lists."""
    return re.sub(r"\[[^]]*\]|\.\d+", "", path)


def assert_told(text: str, path: Path) -> None:
    if words := IN_OTHER_WORDS.get(path.stem):
        assert words in text
        return
    wanted = expected(path)
    assert wanted
    for _, _, field, _ in wanted:
        assert field_of(field) in field_of(text), f"{field} is not in:\n{text}"


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[Kubectl]:
    """The namespace that some of them name, and the others get."""
    # An earlier run's may still be on its way.
    cluster.kubectl("delete", "namespace", "shop", "--ignore-not-found", TIMEOUT)
    cluster.kubectl("create", "namespace", "shop")
    yield cluster.kubectl.within("shop")
    cluster.kubectl.delete("namespace", "shop")


@pytest.mark.parametrize("path", [path for path in BAD if path.stem not in OURS_ALONE], ids=lambda path: path.stem)
def test_a_bad_manifest_is_refused_for_the_same_field(path: Path, shop: Kubectl) -> None:
    with pytest.raises(Refused) as refused:
        shop("apply", "-f", str(path))
    assert_told(str(refused.value).replace(str(path), ""), path)


@pytest.mark.parametrize("path", CHANGES, ids=lambda path: path.stem)
def test_a_change_of_what_is_immutable_is_refused_for_the_same_field(path: Path, shop: Kubectl) -> None:
    shop("delete", "queues,brokerpools", "--all")
    shop("apply", "-f", str(path / "old.yaml"))
    with pytest.raises(Refused) as refused:
        shop("apply", "-f", str(path / "new.yaml"))
    assert_told(str(refused.value), path)


def test_those_that_only_local_validation_sees_are_there() -> None:
    assert set(OURS_ALONE) <= {path.stem for path in BAD}
