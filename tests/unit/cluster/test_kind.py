"""The pieces that a node image is made of."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.cluster.kind import go, oci, without_sys_resource
from tests.cluster.kind.cache import contents, digest
from tests.cluster.kind.errors import Unavailable


def test_a_digest_tells_what_changed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    before = digest(contents(tmp_path))
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = digest(contents(tmp_path))
    (tmp_path / "b").write_text("two")
    assert len({before, renamed, digest(contents(tmp_path))}) == 3
    assert digest(["ab", "c"]) != digest(["a", "bc"])


def test_an_archive_has_each_image_under_all_its_names(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "program").write_text("#!")
    oci.write(tmp_path / "images.tar", [oci.Image(root, "/program", ["one:1", "two:2"])])
    with tarfile.open(tmp_path / "images.tar") as archive:

        def read(name: str) -> bytes:
            member = archive.extractfile(name)
            assert member is not None
            return member.read()

        def blob(described: dict[str, str]) -> bytes:
            return read(f"blobs/{described['digest'].replace(':', '/')}")

        manifests = json.loads(read("index.json"))["manifests"]
        names = [one["annotations"]["io.containerd.image.name"] for one in manifests]
        assert names == ["one:1", "two:2"]
        manifest = json.loads(blob(manifests[0]))
        assert json.loads(blob(manifest["config"]))["config"]["Entrypoint"] == ["/program"]
        with tarfile.open(fileobj=io.BytesIO(blob(manifest["layers"][0]))) as layer:
            member = layer.getmember("./program")
            assert (member.uid, member.gid) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "file", "place"),
    [
        (["--root", "/r", "create", "--bundle", "BUNDLE", "name"], "config.json", ["process", "capabilities"]),
        (["exec", "--process", "BUNDLE/process.json", "name"], "process.json", ["capabilities"]),
    ],
)
def test_no_container_asks_for_what_the_machine_lacks(
    arguments: list[str], file: str, place: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"bounding": ["CAP_KILL", "CAP_SYS_RESOURCE"], "ambient": None}
    described: object = asked
    for name in reversed(place):
        described = {name: described}
    (tmp_path / file).write_text(json.dumps(described))
    ran: list[list[str]] = []
    monkeypatch.setattr(without_sys_resource, "_has_it", lambda: False)
    monkeypatch.setattr(os, "execvp", lambda _, words: ran.append(words))
    given = [word.replace("BUNDLE", str(tmp_path)) for word in arguments]
    without_sys_resource.main(given)
    found = json.loads((tmp_path / file).read_text())
    for name in place:
        found = found[name]
    assert found == {"bounding": ["CAP_KILL"], "ambient": []}
    assert ran == [["runc", *given]]


def test_the_runtime_is_a_program_of_its_own() -> None:
    """Docker runs a copy of it, without the checkout."""
    script = Path(without_sys_resource.__file__).read_text()
    compile(script, "runtime", "exec")
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, "--version"], capture_output=True, text=True, check=False
    )
    assert "ModuleNotFoundError" not in done.stderr


def test_a_build_that_fails_leaves_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "module"
    module.mkdir()
    (module / "main.go").write_text("package main")
    monkeypatch.setattr(go, "go", lambda: "false")
    with pytest.raises(Unavailable):
        go.build(module, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []
