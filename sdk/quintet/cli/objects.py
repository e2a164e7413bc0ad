"""`quintet apply`, `get`, `describe` and `delete`: objects, with the words of kubectl."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from quintet.cli.failures import told_failures
from quintet.cli.sources import absolute, as_given, files_option
from quintet.cli.where import Where, where_options
from quintet.embedded.errors import CannotRun, Refused

if TYPE_CHECKING:
    from quintet.cli.running import Running

KINDS = {
    name: kind
    for kind, names in {
        "Queue": ("queue", "queues", "qtq"),
        "BrokerPool": ("brokerpool", "brokerpools", "broker-pool", "qtbp"),
    }.items()
    for name in names
}
"""By the names that people type."""
ALL = ("all", "quintet")


@click.command()
@files_option(required=True)
@where_options
def apply(sources: tuple[str, ...], where: Where) -> None:
    """Create or change objects; they stay until they are deleted.

    Returns when they run. What comes from the files of `quintet up -f` belongs to them and is refused here.
    """
    with told_failures():
        _change(where.running("apply"), "apply", sources)


@click.command(short_help="Delete what was applied, and queues that clients made.")
@click.argument("what", nargs=-1, metavar="[queue NAME...]")
@files_option(required=False)
@where_options
def delete(what: tuple[str, ...], sources: tuple[str, ...], where: Where) -> None:
    """Delete objects that were applied, and queues that clients made.

    Either by name, or those that manifests name: quintet delete queue orders, quintet delete -f orders.yaml.
    """
    kind, names = _kind_and_names(what)
    if bool(names) == bool(sources):
        raise click.UsageError("name what to delete: `queue NAME`, or -f FILE")
    with told_failures():
        _change(where.running("delete"), "delete", sources, names=[f"{kind}/{name}" for name in names])


def _change(running: Running, verb: str, sources: Sequence[str], **asked: list[str]) -> None:
    with absolute(sources) as paths:
        try:
            outcomes = running.change(verb, paths=list(paths), **asked)
        except Refused as error:
            raise Refused(as_given(problem, paths) for problem in error.problems) from error
    for name, outcome in outcomes:
        click.echo(f"{name} {outcome}")


@click.command()
@click.argument("what", nargs=-1, metavar="[queues|brokerpools|all] [NAME...]")
@click.option("-o", "--output", type=click.Choice(["wide", "json", "yaml", "name"]), help="Instead of a table.")
@where_options
def get(what: tuple[str, ...], output: str | None, where: Where) -> None:
    """Show objects: all, those of a kind, or by name.

    READY is whether a message would go through. -o wide tells also where each object comes from: a file and line,
    `apply`, or `run time` for what a client made.
    """
    kind, names = _kind_and_names(what or ("all",))
    with told_failures():
        found = _select(where.running("get").objects(), kind, names)
        if output in ("json", "yaml"):
            one = found[0] if len(names) == 1 else {"apiVersion": "v1", "kind": "List", "items": found}
            click.echo(_text(one, output))
        elif output == "name":
            for each in found:
                click.echo(_name(each))
        elif found:
            click.echo(_tables(found, kind, wide=output == "wide"))
        else:
            click.echo("No objects found.", err=True)


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="queue NAME...")
@where_options
def describe(what: tuple[str, ...], where: Where) -> None:
    """Show all of an object, a line for each field."""
    kind, names = _kind_and_names(what)
    with told_failures():
        from quintet.cli.table import described

        found = _select(where.running("describe").objects(), kind, names)
        click.echo("\n\n".join("\n".join(described(_flat(one))) for one in found))


def _kind_and_names(what: Sequence[str]) -> tuple[str | None, list[str]]:
    """Of `queue orders`, `queue/orders` or `all`; no kind for all."""
    if not what:
        return None, []
    kind, slash, name = what[0].partition("/")
    names = [name, *what[1:]] if slash else list(what[1:])
    if kind in ALL and not names:
        return None, []
    if kind not in KINDS:
        raise click.UsageError(f"{kind!r} is no kind that is known here: queues|brokerpools" + "|all" * (not names))
    return KINDS[kind], names


def _select(objects: list[dict[str, Any]], kind: str | None, names: Sequence[str]) -> list[dict[str, Any]]:
    """Raises CannotRun where a name is not there."""
    of_kind = [one for one in objects if kind in (None, one["kind"])]
    by_name = {one["metadata"]["name"]: one for one in of_kind}
    for name in names:
        if name not in by_name:
            raise CannotRun(f"{str(kind).lower()}/{name}: is not there")
    return [by_name[name] for name in names] if names else of_kind


def _name(one: dict[str, Any]) -> str:
    from quintet.embedded.declared import PREFIXES

    return f"{PREFIXES[one['kind']]}/{one['metadata']['name']}"


def _tables(objects: list[dict[str, Any]], kind: str | None, *, wide: bool) -> str:
    from quintet.cli.table import table
    from quintet.embedded.declared import PREFIXES
    from quintet_api.broker_pool import BrokerPool
    from quintet_api.queue import Queue

    made = []
    for definition in (Queue.definition, BrokerPool.definition):
        of_kind = [one for one in objects if one["kind"] == definition.kind]
        if of_kind:
            prefix = "" if kind else f"{PREFIXES[definition.kind]}/"
            made.append(table(definition, of_kind, wide=wide, prefix=prefix))
    return "\n\n".join(made)


def _text(value: dict[str, Any], output: str) -> str:
    if output == "json":
        return json.dumps(value, indent=2)
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False)).rstrip()


def _flat(one: dict[str, Any]) -> dict[str, Any]:
    """What people look for first stands first."""
    from quintet.embedded.objects import SOURCE

    metadata, status = dict(one["metadata"]), dict(one["status"])
    [ready] = status.pop("conditions")
    source = metadata["annotations"].pop(SOURCE)
    first = {"name": metadata.pop("name"), "namespace": metadata.pop("namespace"), "kind": one["kind"]}
    return first | {"ready": ready["status"], "source": source} | metadata | {"spec": one["spec"]} | status
