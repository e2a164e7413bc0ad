"""Which system a command works on: the one that `quintet up` runs here, or one in a cluster."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from quintet.cli.failures import run, told_failures
from quintet.embedded.errors import CannotRun
from quintet.embedded.state import default_directory

if TYPE_CHECKING:
    from quintet import Queue
    from quintet.cli.kubectl import Kubectl
    from quintet.cli.running import Running
    from quintet.cli.system import System

Command = Callable[..., Any]
Result = TypeVar("Result")

state_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_directory,
    envvar="QUINTET_STATE_DIR",
    show_default="$XDG_STATE_HOME/quintet, else ~/.local/state/quintet",
    help="Where `quintet up` keeps its data, and where other commands find it.",
)


@dataclass(frozen=True)
class Where:
    """What a command line says of it."""

    context: str | None = None
    """Of kubectl."""
    namespace: str | None = None
    kubeconfig: str | None = None
    pool: str | None = None
    """Of a queue that clients made."""
    is_plugin: bool = False
    """Whether kubectl runs the command: its current context counts."""
    state_dir: Path = Path()

    @property
    def is_cluster(self) -> bool:
        return self.is_plugin or self.context is not None

    def system(self) -> System:
        """Raises CannotRun."""
        if self.is_cluster:
            from quintet.cli.cluster import Cluster

            return Cluster(self.kubectl(), self.pool)
        return self._running()

    def kubectl(self) -> Kubectl:
        """Raises CannotRun where there is none on this machine."""
        from quintet.cli.kubectl import Kubectl

        return Kubectl(self.context, self.namespace, self.kubeconfig)

    def running(self, verb: str) -> Running:
        """For a verb that kubectl has for objects of a cluster. Raises CannotRun."""
        if self.is_cluster:
            flags = f" --context {self.context}" if self.context else ""
            raise CannotRun(f"objects in a cluster are kubectl's: kubectl{flags} {verb}")
        return self._running()

    def _running(self) -> Running:
        from quintet.cli.running import Running

        return Running(self.state_dir)


def cluster_options(command: Command) -> Command:
    """Before a command's name or behind it; `where` is what they say."""
    for option in (
        click.option("--pool", metavar="NAME", help="BrokerPool of a queue that clients made.  [default: default]"),
        click.option("--kubeconfig", type=click.Path(dir_okay=False), help="The file that kubectl reads."),
        click.option("-n", "--namespace", metavar="NAME", help="Namespace of the cluster.  [default: the context's]"),
        click.option("--context", metavar="NAME", help="Work on a cluster: a context of kubectl."),
    ):
        command = option(command)

    @click.pass_context
    @functools.wraps(command)
    def chosen(ctx: click.Context, /, **arguments: Any) -> Any:
        given = {name: arguments.pop(name) for name in ("context", "namespace", "kubeconfig", "pool")}
        where = replace(ctx.obj or Where(), **{name: value for name, value in given.items() if value is not None})
        return ctx.invoke(command, where=where, **arguments)

    return chosen


def where_options(command: Command) -> Command:
    """All that tells where a command works; `where` is what they say."""

    @click.pass_context
    @functools.wraps(command)
    def chosen(ctx: click.Context, /, where: Where, state_dir: Path, **arguments: Any) -> Any:
        says_directory = ctx.get_parameter_source("state_dir") is ParameterSource.COMMANDLINE
        if where.is_cluster and says_directory:
            raise click.UsageError("--state-dir is for what runs on this machine, not for a cluster")
        if not where.is_cluster and (where.namespace or where.kubeconfig or where.pool):
            raise click.UsageError("-n, --kubeconfig and --pool are for a cluster: give its --context")
        return ctx.invoke(command, where=replace(where, state_dir=state_dir), **arguments)

    return cluster_options(state_option(chosen))


def with_queue(
    where: Where, name: str, work: Callable[[Queue], Awaitable[Result]], *, whole_pool: bool = False
) -> Result:
    """What comes of the work on a queue, given as `orders` or `queue/orders`."""
    name = name.removeprefix("queue/")

    async def act() -> Result:
        async with where.system().client(name, whole_pool=whole_pool) as client:
            return await work(client.queue(name))

    return run(act())


def seconds(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Callback of an option: `5s` as 5.0."""
    if value is None:
        return None
    with told_failures():
        from quintet_api.common import parse_duration
    try:
        return parse_duration(value).total_seconds()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error)) from error
