"""kubectl as a child: it knows how to reach any cluster, and who its user is."""

import asyncio
import json
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from quintet.embedded.errors import CannotRun

WITHIN = 15
"""Seconds in which the API server must answer, and a forwarded port be open."""
AGAIN_AFTER = 0.5
"""Seconds until a forwarded port that broke is opened again."""
ENDS_WITHIN = 5.0
"""Seconds."""
_FORWARDING = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+) ->")

Manifest = dict[str, Any]


class Kubectl:
    """One namespace of one cluster; None is what kubectl takes by itself."""

    def __init__(self, context: str | None, namespace: str | None, kubeconfig: str | None) -> None:
        """Raises CannotRun where there is no kubectl."""
        program = shutil.which("kubectl")
        if program is None:
            raise CannotRun("a cluster is reached by kubectl, which is not on the PATH")
        self._context, self._namespace, self._kubeconfig = context, namespace, kubeconfig
        flags = {"--context": context, "--namespace": namespace, "--kubeconfig": kubeconfig}
        self._command = [program, *(f"{name}={value}" for name, value in flags.items() if value)]

    def within(self, namespace: str) -> "Kubectl":
        """The same cluster, another namespace."""
        return Kubectl(self._context, namespace, self._kubeconfig)

    async def current_namespace(self) -> str:
        """Raises CannotRun where there is no such context."""
        if self._namespace:
            return self._namespace
        told = await self._told("config", "view", "--minify", "--output=jsonpath={..namespace}")
        return told.decode().strip() or "default"

    async def get(self, *what: str) -> list[Manifest]:
        """`kubectl get`: the objects, without those that are not there. Raises CannotRun."""
        told = await self._told("get", *what, "--ignore-not-found", "--output=json", f"--request-timeout={WITHIN}s")
        found: Manifest = json.loads(told) if told.strip() else {"items": []}
        items: list[Manifest] = found.get("items", [found])
        return items

    async def _told(self, *arguments: str) -> bytes:
        process = await self.start(*arguments, stderr=PIPE)
        told, failure = await _all(process)
        if process.returncode:
            raise CannotRun(_reason(failure))
        return told

    @asynccontextmanager
    async def forwarded(self, target: str, port: int) -> AsyncIterator[int]:
        """A port of this machine that leads to the port of a pod, or of one behind a service.

        As long as the context is open: where it breaks it is opened again. Raises CannotRun.
        """
        forward = _Forward(self, target)
        try:
            local = await forward.open(f":{port}")
            keeping = asyncio.create_task(forward.keep(f"{local}:{port}"))
            try:
                yield local
            finally:
                keeping.cancel()
                await asyncio.wait([keeping])
        finally:
            await forward.close()

    async def start(self, *arguments: str, stderr: int) -> Process:
        """In a session of its own: Ctrl-C is for us, who still need it to end in order."""
        return await asyncio.create_subprocess_exec(
            *self._command, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=stderr, start_new_session=True
        )


async def _all(process: Process) -> tuple[bytes, bytes]:
    """What it writes until it ends."""
    try:
        return await process.communicate()
    except BaseException:
        await _end(process)
        raise


class _Forward:
    """`kubectl port-forward`."""

    def __init__(self, kubectl: Kubectl, target: str) -> None:
        self._kubectl = kubectl
        self._target = target
        self._process: Process | None = None

    async def open(self, ports: str) -> int:
        """The port of this machine. Raises CannotRun."""
        self._process = await self._kubectl.start(
            "port-forward", self._target, ports, "--address=127.0.0.1", stderr=STDOUT
        )
        try:
            async with asyncio.timeout(WITHIN):
                return await self._port(self._process)
        except TimeoutError:
            raise CannotRun(f"{self._target}: its port is not open after {WITHIN} s") from None

    @staticmethod
    async def _port(process: Process) -> int:
        assert process.stdout
        said = b""
        async for line in process.stdout:
            if found := _FORWARDING.match(line):
                return int(found[1])
            said += line
        await process.wait()
        raise CannotRun(_reason(said))

    async def keep(self, ports: str) -> None:
        """Open it again whenever it breaks."""
        while True:
            await self._drain()
            await self.close()
            await asyncio.sleep(AGAIN_AFTER)
            with suppress(CannotRun):
                await self.open(ports)

    async def _drain(self) -> None:
        """Until it ends; it writes a line for each connection, and must not wait for a reader."""
        if self._process and self._process.stdout:
            while await self._process.stdout.read(2**16):
                pass
            # To signal one that just ended would take its exit code from under the event loop.
            await self._process.wait()

    async def close(self) -> None:
        if self._process:
            process, self._process = self._process, None
            await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(ENDS_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _reason(said: bytes) -> str:
    """The last line, which is for people; before it may stand what a library logs."""
    lines = said.decode(errors="replace").strip().splitlines() or ["it says nothing"]
    return f"kubectl: {lines[-1].removeprefix('error: ')}"
