"""OpenTelemetry costs nothing where the program does not use it."""

import subprocess
import sys

CODE = """
import sys, quintet
client = quintet.connect("http://localhost")
assert type(client.queue("before")) is quintet.Queue
assert not any(name.startswith("opentelemetry") for name in sys.modules)
import opentelemetry.trace
assert type(client.queue("after")) is not quintet.Queue
"""


def test_it_is_not_loaded_by_the_client() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
