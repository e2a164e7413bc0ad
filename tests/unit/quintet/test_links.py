"""Which of its links a client takes."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from quintet.errors import ConnectionLost, QuintetError, Unavailable
from quintet.link import Link
from quintet.links import Links


class Opened:
    """What was opened, in place of Link.open; addresses in `refused` refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: list[str] = []
        self.refused: dict[str, QuintetError] = {}
        monkeypatch.setattr(Link, "open", self._open)

    async def _open(self, session: Any, address: str, *_: Any) -> Any:
        self.addresses.append(address)
        if error := self.refused.get(address):
            raise error
        return SimpleNamespace(address=address, receives={})


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def links(home: str) -> Links:
    session: Any = None
    return Links(session, home, 30.0)


async def test_credentials_of_https_go_nowhere_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(monkeypatch)
    secure = links("https://home")
    secure._moved("a", "http://owner")
    await turns()
    assert opened.addresses == []
    secure._moved("a", "https://owner")
    await turns()
    assert opened.addresses == ["https://owner"]


@pytest.mark.parametrize("error", [ConnectionLost(), Unavailable()])
async def test_another_broker_takes_the_place_of_home(monkeypatch: pytest.MonkeyPatch, error: QuintetError) -> None:
    opened = Opened(monkeypatch)
    made = links("http://home")
    made._moved("a", "http://owner")
    await turns()
    opened.refused["http://home"] = error
    assert (await made.of("another")).address == "http://owner"
