"""The pieces that a node image is made of."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.cluster.kind import docker, go, oci, without_sys_resource
from tools.shell import Failed


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


def test_the_runtime_needs_nothing_of_the_checkout(tmp_path: Path) -> None:
    """Neither its modules nor its Python: Docker runs on when it is deleted."""
    (tmp_path / "runc").symlink_to("/bin/echo")
    runtime = tmp_path / "runtime"
    runtime.write_text(docker._runtime())
    runtime.chmod(0o755)
    interpreter = Path(runtime.read_text().splitlines()[0].removeprefix("#!"))
    assert interpreter.is_file()
    assert not interpreter.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix
    done = subprocess.run(
        [runtime, "list"], env={"PATH": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "list\n", done.stderr


def test_only_a_docker_that_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number in a file that outlived its Docker may be anybody's."""
    with subprocess.Popen(["sleep", "60"]) as other:
        monkeypatch.setattr(docker, "PROCESS", tmp_path / "docker.pid")
        monkeypatch.setattr(docker, "OWN", {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
        docker.PROCESS.write_text(str(other.pid))
        docker.stop()
        ended = other.poll()
        other.kill()
    assert ended is None


def test_a_build_that_fails_leaves_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "module"
    module.mkdir()
    (module / "main.go").write_text("package main")
    monkeypatch.setattr(go, "go", lambda: "false")
    with pytest.raises(Failed):
        go.build(module, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []
