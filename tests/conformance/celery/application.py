"""A Celery application whose broker is SQS at `QUINTET_ENDPOINT`, run by the Celery that suites/requirements.txt names.

`QUINTET_TRANSPORT` has further options of the transport, in JSON. What tasks do is told in the file `QUINTET_TOLD`, one
JSON array a line: [what, of whom, seconds since the epoch].
"""

import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery import Celery

TOLD = Path(os.environ["QUINTET_TOLD"])
GO_ON = TOLD.with_name("go-on")

app = Celery("application", broker=f"sqs://anybody:anything@{urlsplit(os.environ['QUINTET_ENDPOINT']).netloc}")
app.conf.broker_transport_options = {
    "is_secure": False,
    "region": "us-east-1",
    "wait_time_seconds": 2,
    "polling_interval": 0.1,
} | json.loads(os.environ["QUINTET_TRANSPORT"])
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 1


def _tell(what: str, whom: int) -> None:
    with TOLD.open("a") as file:
        file.write(json.dumps([what, whom, time.time()]) + "\n")


def _work(number: int) -> None:
    _tell("worked", number)


def _fail_twice(task: Any, number: int) -> None:
    _tell("tried", task.request.retries)
    if task.request.retries < 2:
        raise task.retry(countdown=0, max_retries=2)
    _tell("worked", number)


def _hold(number: int) -> None:
    """Does not end before the file GO_ON is there."""
    _tell("began", number)
    while not GO_ON.exists():
        time.sleep(0.05)
    _tell("worked", number)


work = app.task(_work, name="work")
fail_twice = app.task(_fail_twice, name="fail_twice", bind=True)
hold = app.task(_hold, name="hold", acks_late=True)
