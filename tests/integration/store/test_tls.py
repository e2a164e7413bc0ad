"""A Redis that is reached by TLS alone, and asks brokers who they are."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet_broker.errors import Unavailable
from quintet_broker.store.address import secured
from quintet_broker.store.redis import Store
from tests import certificates
from tests.processes import RedisServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates.make(tmp_path, ["IP:127.0.0.1"])
    return tmp_path


@asynccontextmanager
async def by_tls(redis: RedisServer, folder: Path) -> AsyncIterator[str]:
    """The URL of what stands before that Redis, and lets in who has a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.crt")
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_unix_connection(redis.socket)
        await asyncio.gather(pass_on(reader, questions), pass_on(answers, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"rediss://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while read := await reader.read(65536):
            writer.write(read)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def test_a_store_by_tls_with_the_files_of_a_folder(redis_server: RedisServer, folder: Path) -> None:
    async with by_tls(redis_server, folder) as url:
        store = Store(secured(url, folder), "tls")
        await store.connect()
        await store.close()


@pytest.mark.parametrize("missing", [("ca.crt",), ("tls.crt", "tls.key")], ids=["authority", "certificate"])
async def test_what_is_missing_keeps_it_out(redis_server: RedisServer, folder: Path, missing: tuple[str, ...]) -> None:
    async with by_tls(redis_server, folder) as url:
        for name in missing:
            (folder / name).unlink()
        store = Store(secured(url, folder), "tls")
        with pytest.raises(Unavailable):
            await store.connect()
        await store.close()
