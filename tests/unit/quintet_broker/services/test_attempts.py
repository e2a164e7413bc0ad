"""What is remembered of receives."""

from quintet_broker.services.attempts import EACH, KEPT, Answers


def test_an_answer_is_remembered_for_five_minutes() -> None:
    answers = Answers()
    answers.keep((1, "a"), b"first", 1000)
    assert answers.find((1, "a"), 1000 + KEPT - 1) == b"first"
    assert answers.find((1, "a"), 1000 + KEPT) is None
    assert answers.find((2, "a"), 1000) is answers.find((1, "b"), 1000) is None
    answers.keep((1, "a"), b"second", 2000)
    assert answers.find((1, "a"), 1000 + KEPT) == b"second"


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    answers = Answers(most=3 * EACH + 10)
    for number in range(4):
        answers.keep((number, "a"), b"xxx", number)
    assert [answers.find((number, "a"), 4) for number in range(4)] == [None, b"xxx", b"xxx", b"xxx"]
    # What is kept again is the newest, and its room is counted once.
    answers.keep((1, "a"), b"yyyy", 5)
    answers.keep((4, "a"), b"zzz", 6)
    assert [answers.find((number, "a"), 6) for number in range(5)] == [None, b"yyyy", None, b"xxx", b"zzz"]
    answers.keep((5, "a"), b"x" * (3 * EACH), 7)
    assert [answers.find((number, "a"), 7) for number in range(6)] == [None] * 6


def test_what_is_too_old_takes_no_room() -> None:
    answers = Answers(most=2 * EACH + 10)
    answers.keep((1, "a"), b"x" * 9, 0)
    answers.keep((2, "a"), b"x", KEPT)
    answers.keep((3, "a"), b"x" * 9, KEPT + 1)
    assert answers.find((2, "a"), KEPT + 1) == b"x"


def test_small_answers_take_room_too() -> None:
    answers = Answers(most=100 * EACH)
    for number in range(1000):
        answers.keep((number, "a"), b"", 0)
    assert sum(answers.find((number, "a"), 0) is not None for number in range(1000)) == 100
