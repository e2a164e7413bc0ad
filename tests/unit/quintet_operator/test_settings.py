"""The environment, read once."""

import pytest

from quintet_operator.settings import from_environment

LEAST = {
    "QUINTET_BROKER_IMAGE": "quintet:1",
    "QUINTET_REDIS_IMAGE": "redis:7",
    "QUINTET_NAMESPACE": "quintet-system",
    "QUINTET_POD_NAME": "quintet-operator-0",
}


def test_the_least_is_enough() -> None:
    settings = from_environment(LEAST)
    assert settings.lease_seconds == 15
    assert settings.defaults.image_pull_secrets == ()


def test_numbers_and_names_are_read() -> None:
    settings = from_environment(LEAST | {"QUINTET_PORT": "9000", "QUINTET_IMAGE_PULL_SECRETS": "a, b"})
    assert settings.port == 9000
    assert settings.defaults.image_pull_secrets == ("a", "b")


@pytest.mark.parametrize("name", LEAST)
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(SystemExit, match=name.removeprefix("QUINTET_").lower()):
        from_environment({key: value for key, value in LEAST.items() if key != name})


def test_what_is_no_number_is_named() -> None:
    with pytest.raises(SystemExit, match="port"):
        from_environment(LEAST | {"QUINTET_PORT": "http"})
