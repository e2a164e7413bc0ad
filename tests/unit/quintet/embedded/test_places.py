"""Which ports the brokers of `quintet up` get."""

import socket

import pytest

from quintet.embedded.errors import CannotRun
from quintet.embedded.places import LAST_PORT, Place, places

HOST = "127.0.0.1"


def ports(found: list[Place]) -> list[int]:
    return [port for place in found for port in (place.http_port, place.admin_port, place.peer_port)]


def free_row(length: int) -> int:
    """The first of so many free ports in a row, below those that the system gives away."""
    for first in range(20_000, 30_000, length):
        try:
            for port in range(first, first + length):
                with socket.socket() as tried:
                    tried.bind((HOST, port))
        except OSError:
            continue
        return first
    raise AssertionError("so many ports in a row are not free")


def test_the_first_broker_has_what_is_asked_for_and_the_others_what_follows() -> None:
    first = free_row(9)
    found = places(HOST, first, first + 1, 3)
    assert [place.name for place in found] == ["broker-0", "broker-1", "broker-2"]
    assert ports(found) == list(range(first, first + 9))


def test_the_larger_port_is_followed_and_what_is_in_use_is_passed_over() -> None:
    first = free_row(9)
    with socket.socket() as taken:
        taken.bind((HOST, first + 3))
        taken.listen()
        assert ports(places(HOST, first + 2, first, 2)) == [first + port for port in (2, 0, 4, 5, 6, 7)]


@pytest.mark.parametrize("asked", [(0, 0), (0, 20_001), (20_001, 0)])
def test_where_one_is_free_to_choose_all_others_are(asked: tuple[int, int]) -> None:
    found = ports(places(HOST, *asked, 32))
    assert len(set(found)) == len(found) == 96
    assert all(port == wanted for port, wanted in zip(found, asked, strict=False) if wanted)


def test_after_the_last_port_any_free_ones_follow() -> None:
    found = ports(places(HOST, LAST_PORT - 1, LAST_PORT - 2, 2))
    assert LAST_PORT in found
    assert len(set(found)) == 6


def test_a_port_in_use_is_told_with_its_option() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotRun, match=f"port {port} of 127.0.0.1 is in use: choose another with --admin-port"):
            places(HOST, 0, port, 3)


def test_what_listens_everywhere_is_reached_on_loopback() -> None:
    assert Place("broker-0", "0.0.0.0", 1, 2, 3).http == "http://127.0.0.1:1"
    assert Place("broker-0", "::", 1, 2, 3).admin == "http://[::1]:2"
    assert Place("broker-0", "10.0.0.7", 1, 2, 3).peer == "10.0.0.7:3"
