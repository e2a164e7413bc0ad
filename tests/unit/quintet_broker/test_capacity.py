import resource
from pathlib import Path

import pytest

from quintet_broker import capacity

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("wanted", "files", "memory", "found"),
    [
        (10_000, 1_048_576, None, 10_000),
        (10_000, resource.RLIM_INFINITY, None, 10_000),
        (10_000, 4096, None, 4096 - capacity.RESERVED_FILES),
        (10_000, 256, None, 128),
        (10, 4096, None, 10),
        (10_000, 1_048_576, 512 * MIB, 5461),
        (10_000, 1_048_576, 4096 * MIB, 10_000),
    ],
)
def test_files_and_memory_bound_connections(wanted: int, files: int, memory: int | None, found: int) -> None:
    assert capacity.within(wanted, files, memory) == found


def test_a_process_opens_as_many_files_as_it_may() -> None:
    assert capacity.connections(10) == 10
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard


@pytest.mark.parametrize(("memory", "found"), [("max", 1000), (str(3 * 500), 500), (str(3 * 2000), 1000)])
def test_deduplication_ids_take_a_third_of_the_memory_at_most(
    memory: str, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(memory)
    monkeypatch.setattr(capacity, "_MEMORY", tmp_path / "memory.max")
    assert capacity.remembered(1000) == found
