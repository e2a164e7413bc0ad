"""Compares what the watches told with what is, by whole lists: when they begin, and from time to time."""

import asyncio
import contextlib
import logging

from quintet_operator.builders.metadata import Manifest
from quintet_operator.cluster import KINDS, ApiError, Cluster
from quintet_operator.dispatch import Dispatch
from quintet_operator.index import Index, Key, key, version
from quintet_operator.work_queue import WorkQueue

EVERY = 600.0
"""Seconds."""
LOOK_AGAIN = 0.5
"""Seconds."""

logger = logging.getLogger(__name__)


class Resync:
    """Of all watched kinds, each with the label selector of its watch."""

    def __init__(
        self, index: Index, cluster: Cluster, dispatch: Dispatch, queue: WorkQueue[Key], selectors: dict[str, str]
    ) -> None:
        self._index = index
        self._cluster = cluster
        self._dispatch = dispatch
        self._queue = queue
        self._selectors = selectors
        self.waits_for = "the first lists"
        """What the index lacks; empty when it is complete."""

    async def until_listable(self) -> None:
        """kopf passes over a kind that is not there, and ends for one that may not be listed; so wait before."""
        while True:
            try:
                for kind, selector in self._selectors.items():
                    await self._cluster.list(kind, selector=selector, limit=1)
                return
            except ApiError as error:
                self.waits_for = error.message
                logger.warning("Not all that is needed can be listed: %s", error.message)
                await asyncio.sleep(10 * LOOK_AGAIN)

    async def until_complete(self) -> None:
        """Until the watches told of everything that is there."""
        for kind, selector in self._selectors.items():
            while True:
                try:
                    await self._until_told(kind, selector)
                    break
                except ApiError as error:
                    self.waits_for = error.message
                    await asyncio.sleep(LOOK_AGAIN)
        self._dispatch.listed.clear()
        self.waits_for = ""

    async def _until_told(self, kind: str, selector: str) -> None:
        """What a first list has, in that state or a later one, unless it is gone by then. Raises ApiError."""
        wanted = await self._list(kind, selector)
        while wanted := [one for one in wanted if not self._has(one)]:
            self.waits_for = f"the watch of {kind}: {len(wanted)} objects are missing"
            await asyncio.sleep(LOOK_AGAIN)
            there = {one["metadata"]["uid"] for one in await self._list(kind, selector)}
            wanted = [one for one in wanted if one["metadata"]["uid"] in there]

    async def run(self) -> None:
        """From time to time, and when a watch began anew. Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dispatch.listed.wait(), EVERY)
                # It tells what is there; then what is not can be found.
                await asyncio.sleep(10 * LOOK_AGAIN)
            self._dispatch.listed.clear()
            try:
                for kind, selector in self._selectors.items():
                    await self._repair(kind, selector)
            except ApiError as error:
                logger.warning("The resync is left for the next time: %s", error.message)
            for kind in ("BrokerPool", "Queue"):
                for manifest in list(self._index.of_kind(kind)):
                    self._queue.add(key(manifest))

    async def _repair(self, kind: str, selector: str) -> None:
        """Take over what is, and drop what is not any more: a watch that began anew tells of no deletion."""
        before = list(self._index.of_kind(kind))
        there = await self._list(kind, selector)
        for manifest in there:
            known = self._index.get(key(manifest))
            if known is None or version(known) < version(manifest):
                self._dispatch.told(manifest, deleted=False)
        uids = {manifest["metadata"]["uid"] for manifest in there}
        for manifest in before:
            if manifest["metadata"]["uid"] not in uids:
                logger.warning("%s was deleted, and no watch told it", key(manifest))
                self._dispatch.told(manifest, deleted=True)

    async def _list(self, kind: str, selector: str) -> list[Manifest]:
        """As the watches tell it, with kind and version."""
        form = {"kind": kind, "apiVersion": KINDS[kind].api_version}
        return [form | manifest for manifest in await self._cluster.list(kind, selector=selector)]

    def _has(self, manifest: Manifest) -> bool:
        if manifest["kind"] == "Lease":
            return self._dispatch.lease_seen_at is not None
        known = self._index.get(key(manifest))
        return known is not None and version(known) >= version(manifest)
