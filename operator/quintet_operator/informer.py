"""Runs kopf, whose watches feed the index."""

import asyncio
from collections.abc import Callable
from typing import Any

import kopf

from quintet_api import names
from quintet_operator.cluster import KINDS
from quintet_operator.dispatch import Dispatch
from quintet_operator.handlers import WATCHED, registry, selector

STOP_WITHIN = 2.0
"""Seconds."""


def settings() -> kopf.OperatorSettings:
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    # No watch of namespaces and CustomResourceDefinitions: the right to do so is not needed, then.
    made.scanning.disabled = True
    made.peering.standalone = True
    made.networking.request_timeout = 60.0
    made.networking.connect_timeout = 5.0
    # A connection that died without a word is noticed after `inactivity_timeout`, 70 seconds, in which the API
    # server sends a bookmark at least. These make it sooner where it says a word and no more.
    made.watching.connect_timeout = 5.0
    # kopf sends it as it is, and the API server reads a whole number.
    made.watching.server_timeout = 300
    made.watching.client_timeout = 330.0
    made.queueing.exit_timeout = 0.5
    for kind in map(KINDS.__getitem__, WATCHED):
        if text := selector(kind.kind):
            made.watching.label_selectors[kind.group_version_plural] = text
    return made


async def watch(dispatch: Dispatch, on_started: Callable[[], None]) -> None:
    """Until cancelled. Raises what ended a watch, such as a right that was taken away.

    Not kopf.run or kopf.operator: they take all tasks of the process for theirs, and cancel them in the end.
    """
    # Unless it is told, kopf asks for the name of the process's user, and fails where the image knows none.
    identity: Any = names.MANAGER
    tasks = await kopf.spawn_tasks(
        registry=registry(dispatch), settings=settings(), identity=identity, standalone=True, clusterwide=True
    )
    # kopf has taken the signals for itself by now.
    on_started()
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError(f"A part of kopf ended: {', '.join(task.get_name() for task in done)}.")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=STOP_WITHIN)
