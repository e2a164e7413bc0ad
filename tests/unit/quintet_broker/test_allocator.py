"""The pages that the kernel hands out for what is copied again and again."""

import platform
import subprocess
import sys

import pytest

from quintet_broker.allocator import LARGE

COPIES = 200
COPY = 256 * 1024
PAGE = 4096

COPY_AND_COUNT = f"""
import resource
from quintet_broker.allocator import keep_freed
keep_freed()
batch = bytes({COPY})
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({COPIES}):
    bytes(bytearray(batch))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another libc than glibc allocates in its own way")
def test_copies_of_batches_take_memory_that_is_there() -> None:
    done = subprocess.run([sys.executable, "-c", COPY_AND_COUNT], capture_output=True, text=True, check=True)
    assert COPY < LARGE
    assert int(done.stdout) < 10 * COPY // PAGE
