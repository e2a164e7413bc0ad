"""Other programs."""

import pytest

from tools.shell import Failed, run


def test_what_does_not_end_is_ended() -> None:
    with pytest.raises(Failed, match="no end within"):
        run("sleep", "60", within=0.2)


def test_what_it_said_in_the_end_is_told() -> None:
    with pytest.raises(Failed, match=r"ended with 3:\nout\nno such host"):
        run("sh", "-c", "echo out; echo no such host >&2; exit 3")


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(Failed, match="no-such-program is not installed"):
        run("no-such-program")
