"""One Redis, Sentinels and a Cluster, each once for all tests of the store."""

from collections.abc import Iterator

import pytest

from tests.processes import RedisServer
from tests.redis_sets import ClusterSet, RedisSet, SentinelSet

SETS: dict[str, type[RedisSet]] = {"sentinel": SentinelSet, "cluster": ClusterSet}


@pytest.fixture(scope="session", params=["one", *SETS])
def redis_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> Iterator[str]:
    if request.param == "one":
        yield redis_server.url
        return
    redises = SETS[request.param](tmp_path_factory.mktemp(request.param))
    try:
        redises.start()
        yield redises.url
    finally:
        redises.kill()
