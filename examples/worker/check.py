"""Sends tasks, and runs a worker until they are done; exits with an error where something is not as it should be.

Where the queues are, and with which key, stands in the environment: AWS_ENDPOINT_URL_SQS, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY.
"""

import subprocess
import sys
import threading
from pathlib import Path

from shop import brew, wrap

import quintet.sync

WITHIN = 60.0
"""Seconds."""
COMMAND = [sys.executable, "-m", "quintet.worker", "shop:worker"]


def main() -> None:
    with quintet.sync.connect() as client:
        client.queue("tasks").send_batch([brew.message("coffees", cups=2), wrap.message("a cup of smoke")])
        worker = subprocess.Popen(COMMAND, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True)
        late = threading.Timer(WITHIN, worker.kill)
        late.start()
        assert worker.stdout
        done = worker.stdout.readline()
        print(done.strip())
        [refused] = client.queue("tasks-dead-letter").receive_batch(wait=20)
        refused.acknowledge()
        print("refused:", refused.text)
        worker.terminate()
        code = worker.wait()
        late.cancel()
    assert done == "wrapped: 2 coffees\n", done
    assert code == 0, code


if __name__ == "__main__":
    main()
