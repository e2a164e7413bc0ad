"""What is asked about bringing dead letters back."""

from msgspec import Struct

from quintet_broker.engine.requests.request import Request


class Progress(Struct, frozen=True, array_like=True):
    """How far a redrive has come."""

    running: bool = False
    moved: int = 0
    left: int = 0
    """How many records are still to be looked at."""
    rate: float | None = None
    started_at: int | None = None
    """Milliseconds since 1970; None where there was none yet."""
    asked: int = 0
    """How many records were to be looked at."""
    target: int | None = None
    """Number of the shard to which all records go."""
    stopped: bool = False
    """Whether it was ended before its time."""


class StartRedrive(Request[Progress]):
    """Bring up to `limit` records, of those that are visible now, to where they came from, or all to one shard."""

    answer_type = Progress

    def __init__(self, at: int, target: int | None, rate: float | None, limit: int | None) -> None:
        super().__init__(at)
        self.target = target
        self.rate = rate
        """Records a second."""
        self.limit = limit


class StopRedrive(Request[Progress]):
    """Let no more records go."""

    answer_type = Progress


class TellRedrives(Request[list[Progress]]):
    """Tell how far the last ones have come, the newest first."""

    answer_type = list[Progress]
