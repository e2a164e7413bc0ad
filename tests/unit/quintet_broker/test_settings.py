"""The broker's environment."""

from pathlib import Path

import pytest

from quintet_broker.settings import Settings, from_environment

LEAST = {"QUINTET_REDIS_URL": "redis://localhost", "QUINTET_PREFIX": "pool"}


def test_each_field_is_a_variable(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"secret\n")
    more = {"QUINTET_HTTP_PORT": "80", "QUINTET_AUTH": "true", "QUINTET_MASTER_KEY_FILE": str(tmp_path / "key")}
    settings = from_environment(LEAST | more | {"PATH": "/bin"})
    assert (settings.http_port, settings.auth, settings.master_key) == (80, True, b"secret")


def test_defaults_hold_for_what_is_not_set() -> None:
    assert from_environment(LEAST) == Settings("redis://localhost", "pool")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "redis_url"),
        (LEAST | {"QUINTET_HTTP_PORT": "many"}, "http_port"),
        (LEAST | {"QUINTET_AUTH": "no way"}, "auth"),
        (LEAST | {"QUINTET_DURABILITY": "Forever"}, "durability"),
    ],
)
def test_what_is_missing_or_unreadable_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SystemExit, match=named):
        from_environment(environment)
