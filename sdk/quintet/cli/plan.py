"""`quintet plan`: the children that the operator would make of manifests, and what would change in a cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quintet.cli.differences import differences, removals
from quintet.cli.failures import run
from quintet.cli.sources import absolute, as_given, files_option
from quintet.cli.where import Where, where_options
from quintet.embedded.errors import CannotRun, Refused

if TYPE_CHECKING:
    from quintet.cli.kubectl import Kubectl
    from quintet_api.validation import Manifest
    from quintet_operator.plan import Planned

OURS = "queues.quintet.dev,brokerpools.quintet.dev"
CHILDREN = "services,serviceaccounts,networkpolicies,poddisruptionbudgets,statefulsets"
BY_OPERATOR = "--selector=app.kubernetes.io/managed-by=quintet"

Object = dict[str, Any]


@click.command(short_help="Show what the operator would make of manifests.")
@files_option(required=True)
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), help="Whole objects instead of their names.")
@where_options
def plan(sources: tuple[str, ...], output: str | None, where: Where) -> None:
    """Show the objects that the operator would make of manifests; nothing is applied.

    With --context beside what the cluster has: what would be created, changed, deleted, or stay as it is. What is wrong
    with a manifest is told as `apply` tells it. The content of Secrets is not shown.
    """

    async def work() -> str:
        from quintet_operator.plan import plan as planned_of

        kubectl = where.kubectl() if where.is_cluster else None
        namespace = await kubectl.current_namespace() if kubectl else "default"
        with absolute(sources) as paths:
            manifests = _load(paths, namespace)
            there = await _there(kubectl, manifests) if kubectl else []
            # What is immutable must agree with what is there.
            manifests = _load(paths, namespace, there)
        planned = planned_of(manifests, there)
        if output:
            return _whole(planned, output)
        return "\n".join(_lines(planned, there) if kubectl else _names(planned))

    click.echo(run(work()))


def _load(paths: dict[str, str], namespace: str, there: Sequence[Object] = ()) -> list[Object]:
    """Sound manifests with all defaults and a namespace. Raises Refused."""
    from quintet_api.validation import load

    loaded = load(map(Path, paths), old=[one for found in there for one in _old(found, namespace)])
    if loaded.problems:
        raise Refused(as_given(str(problem), paths) for problem in loaded.problems)
    return [one.body | {"metadata": {"namespace": namespace, **one.body["metadata"]}} for one in loaded.manifests]


def _old(found: Object, namespace: str) -> Iterator[Manifest]:
    """An object that is there, as a manifest names it: with its namespace or, where it is the current one, without."""
    from quintet_api.document import Document
    from quintet_api.validation import Manifest

    name, here = found["metadata"]["name"], found["metadata"]["namespace"]
    document = Document("", 0, found, {})
    yield Manifest("", 0, found["kind"], here, name, found, document)
    if here == namespace:
        yield Manifest("", 0, found["kind"], "default", name, found, document)


async def _there(kubectl: Kubectl, manifests: Sequence[Object]) -> list[Object]:
    """All that matters of the namespaces of the manifests. Raises CannotRun."""
    namespaces = sorted({one["metadata"]["namespace"] for one in manifests})
    found = await asyncio.gather(*(_in_namespace(kubectl.within(name), manifests) for name in namespaces))
    return [one for some in found for one in some]


async def _in_namespace(kubectl: Kubectl, manifests: Sequence[Object]) -> list[Object]:
    ours, children = await asyncio.gather(kubectl.get(OURS), kubectl.get(CHILDREN, BY_OPERATOR))
    external = {
        one["spec"]["storage"]["external"]["secretRef"]["name"]
        for one in [*manifests, *ours]
        if one["kind"] == "BrokerPool" and one["spec"]["storage"].get("external")
    }
    try:
        asked = [kubectl.get("secrets", BY_OPERATOR), *(kubectl.get(f"secrets/{name}") for name in sorted(external))]
        secrets = [one for some in await asyncio.gather(*asked) for one in some]
    except CannotRun as error:
        click.echo(f"Secrets count as unknown: {error}", err=True)
        secrets = []
    return [*ours, *children, *secrets]


def _whole(planned: Iterable[Planned], output: str) -> str:
    from quintet_operator.plan import without_secrets

    children = [without_secrets(child) for one in planned for child in one.children]
    if output == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": children}, indent=2)
    import yaml

    return str(yaml.safe_dump_all(children, sort_keys=False)).rstrip()


def _names(planned: Iterable[Planned]) -> Iterator[str]:
    for one in planned:
        yield f"{_name(one.manifest)}{_made(one)}"
        if one.note:
            yield f"  {one.note}"
        yield from (f"  {_name(child)}" for child in one.children)


def _lines(planned: Iterable[Planned], there: Iterable[Object]) -> Iterator[str]:
    """With what would become of each."""
    from quintet_operator.plan import place

    found = {place(one): one for one in there}
    for one in planned:
        held = found.get(place(one.manifest))
        yield from _compared(one.manifest, held, made=_made(one))
        if one.note:
            yield f"  {one.note}"
        for child in one.children:
            yield from (f"  {line}" for line in _compared(child, found.get(place(child))))
        yield from (f"  {_name(child)}   delete" for child in one.obsolete)


def _compared(wanted: Object, held: Object | None, made: str = "") -> Iterator[str]:
    from quintet_operator.plan import UNKNOWN

    if held is None:
        yield f"{_name(wanted)}   create{made}"
        return
    is_secret = wanted["kind"] == "Secret"
    compared = {part: value for part, value in wanted.items() if part != "status"}
    changes = list(differences(compared, held, (UNKNOWN,)))
    if wanted["kind"] in ("Queue", "BrokerPool"):
        changes += removals(wanted["spec"], held.get("spec") or {}, "spec")
    yield f"{_name(wanted)}   {'change' if changes else 'unchanged'}{made}"
    yield from (f"    {change.path if is_secret else change}" for change in changes)


def _name(one: Object) -> str:
    from quintet.embedded.declared import PREFIXES

    return f"{PREFIXES.get(one['kind'], one['kind'].lower())}/{one['metadata']['name']}"


def _made(one: Planned) -> str:
    return "   (made by the operator: nobody declares it)" if one.is_made else ""
