"""What ends `quintet up`, or a request to it."""

from collections.abc import Iterable


class CannotRun(Exception):
    """Why it cannot start or go on, and what to do about it."""


class Refused(Exception):
    """What is wrong, a line each; nothing was changed."""

    def __init__(self, problems: Iterable[object]) -> None:
        self.problems = [str(problem) for problem in problems]
        super().__init__("\n".join(self.problems))
