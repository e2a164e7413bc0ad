"""Worker: handlers for queues, with retries, heartbeats and an orderly end. See docs/worker.md."""

from quintet.worker.calls import Interrupted
from quintet.worker.consumer import Health
from quintet.worker.outcome import Backoff, Reject, Retry
from quintet.worker.tasks import Task, Tasks, UnknownTask
from quintet.worker.worker import Worker

__all__ = ["Backoff", "Health", "Interrupted", "Reject", "Retry", "Task", "Tasks", "UnknownTask", "Worker"]
