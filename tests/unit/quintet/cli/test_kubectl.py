"""kubectl as a child, played by a script."""

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from quintet.cli import kubectl
from quintet.cli.kubectl import Kubectl
from quintet.embedded.errors import CannotRun

FORWARDS = """
echo "Forwarding from 127.0.0.1:${port%%:*} -> 9400"
echo "Handling connection for 41234"
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program `kubectl`, which tells `calls` how it is called; a test writes what it does then."""
    file = tmp_path / "kubectl"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return file


def does(script: Path, what: str) -> None:
    """What is being written cannot be run: the new one takes the place of the old."""
    new = script.with_suffix(".new")
    new.write_text(f'#!/bin/sh\necho "$@" >> {script.parent}/calls\n{what}\n')
    new.chmod(new.stat().st_mode | stat.S_IXUSR)
    new.replace(script)


def calls(script: Path) -> list[str]:
    return (script.parent / "calls").read_text().splitlines()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - as the script tells it
            await asyncio.sleep(0.01)


def pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


async def test_get_returns_objects(script: Path) -> None:
    does(script, """echo '{"kind": "Pod"}'""")
    assert await Kubectl("there", "shop", None).get("pods/a") == [{"kind": "Pod"}]
    [call] = calls(script)
    assert call.startswith("--context=there --namespace=shop get pods/a --ignore-not-found --output=json")
    does(script, """echo '{"kind": "List", "items": [1, 2]}'""")
    assert len(await Kubectl(None, None, None).get("pods")) == 2
    does(script, "")
    assert await Kubectl(None, None, None).get("pods/none") == []


async def test_a_failure_is_its_last_line(script: Path) -> None:
    does(script, "echo E1126 memcache.go:265 noise >&2; echo 'error: context \"nope\" does not exist' >&2; exit 1")
    with pytest.raises(CannotRun, match=r'^kubectl: context "nope" does not exist$'):
        await Kubectl("nope", None, None).get("pods")
    with pytest.raises(CannotRun, match=r'^kubectl: context "nope" does not exist$'):
        async with Kubectl("nope", None, None).forwarded("service/a", 9400):
            pass


async def test_a_port_that_breaks_is_opened_again_where_it_was(
    script: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kubectl, "AGAIN_AFTER", 0.0)
    does(script, f"port=41234 {FORWARDS}")
    async with Kubectl(None, None, None).forwarded("service/a", 9400) as port:
        assert port == 41234
        await until(lambda: len(calls(script)) >= 3)
        does(script, "exit 1")
        await until(lambda: len(calls(script)) >= 6)
    first, again, *_ = calls(script)
    assert first == "port-forward service/a :9400 --address=127.0.0.1"
    assert again == "port-forward service/a 41234:9400 --address=127.0.0.1"
    # asyncio warns where a child had ended before it was told to end.
    assert not [record for record in caplog.records if record.name != "asyncio"]


async def test_a_port_is_closed_in_the_end(script: Path) -> None:
    told = script.parent / "pid"
    does(script, f"port=41234 {FORWARDS}\necho $$ > {told}\nexec sleep 600")
    async with Kubectl(None, None, None).forwarded("pod/a", 9401):
        await until(lambda: pids(told))
    assert not psutil.pid_exists(pids(told)[0])


def test_without_kubectl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match="kubectl, which is not on the PATH"):
        Kubectl(None, None, None)
