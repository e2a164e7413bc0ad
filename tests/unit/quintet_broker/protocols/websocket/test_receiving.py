"""What the receives of one connection hold together."""

import asyncio

from quintet_broker.protocols.websocket.receiving import HELD_BYTES, Room


async def test_room_that_is_freed_while_others_give_back_is_seen() -> None:
    room = Room()
    assert room.take(HELD_BYTES)
    assert not room.take(1)
    room.free(HELD_BYTES)
    async with asyncio.timeout(5):
        await room.some_freed()
    assert room.take(1)
