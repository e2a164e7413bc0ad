"""`quintet up`."""

from __future__ import annotations

import shlex
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from quintet.cli.failures import told_failures
from quintet.cli.running import called_as
from quintet.cli.where import state_option
from quintet.embedded.state import default_directory

if TYPE_CHECKING:
    from quintet.embedded.up import Up

STARTED = time.monotonic()
"""Seconds: when the command was loaded."""
SHOWN = 8
"""Queues, by name."""
MOST_BROKERS = 32
"""As many as a BrokerPool may have."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _account(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (len(value) == 12 and value.isascii() and value.isdigit()):
        raise click.BadParameter("must be 12 digits")
    return value


@click.command()
@click.option(
    "-f",
    "--filename",
    "sources",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE_OR_DIR",
    help="Manifests: a file, or a directory with .yaml, .yml and .json files. Can be given several times.",
)
@click.option("--http-port", type=click.IntRange(0, 65535), default=9400, show_default=True, help="Port for clients.")
@click.option(
    "--admin-port", type=click.IntRange(0, 65535), default=9401, show_default=True, help="Port for probes and metrics."
)
@click.option(
    "--brokers",
    type=click.IntRange(1, MOST_BROKERS),
    default=1,
    show_default=True,
    help="Broker processes; all but the first have the next free ports.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@state_option
@click.option("--ephemeral", is_flag=True, help="Keep nothing: for tests and CI.")
@click.option("--ready-file", type=click.Path(dir_okay=False, path_type=Path), help="Write the ready file here too.")
@click.option("--account-id", callback=_account, help="AWS account number to show.  [default: the BrokerPool's]")
@click.option("--auth/--no-auth", default=False, help="Whether clients need the keys of the ready file.")
def up(
    sources: tuple[Path, ...],
    http_port: int,
    admin_port: int,
    brokers: int,
    host: str,
    state_dir: Path,
    ephemeral: bool,
    ready_file: Path | None,
    account_id: str | None,
    auth: bool,
) -> None:
    """Run what manifests declare on this machine, until Ctrl-C.

    Starts a Redis and brokers, and follows the manifests when they change. Without -f there is an endpoint where
    clients make queues themselves. Port 0 takes a free port.

    One namespace and one BrokerPool run; the pool's replicas, resources, template, image, listeners,
    storage.resources, storage.persistence and deletionPolicy speak of a cluster and are ignored here.
    """
    if http_port and http_port == admin_port:
        raise click.UsageError("--http-port and --admin-port must differ")
    if ephemeral and click.get_current_context().get_parameter_source("state_dir") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--ephemeral keeps nothing, also not in a --state-dir")
    # Ctrl-C before it runs: there is nothing to stop yet.
    with told_failures(), suppress(KeyboardInterrupt):
        from quintet.embedded.up import Options, run

        state = None if ephemeral else state_dir
        options = Options(sources, state, host, http_port, admin_port, brokers, account_id, auth, ready_file)
        run(options, click.echo, _greet)
    click.echo("stopped")


def _greet(running: Up) -> None:
    queues = [manifest.name for manifest in running.system.manifests if manifest.kind == "Queue"]
    state, options = running.state.directory, running.options
    own = "" if state == default_directory().absolute() else f" --state-dir {shlex.quote(str(state))}"
    first, *others = running.places
    click.echo(f"ready in {time.monotonic() - STARTED:.2f} s")
    click.echo(f"  http    {first.http}  (SQS at /, ours at /v1/)")
    click.echo(f"  admin   {first.admin}  (/readyz, /metrics)")
    for place in others:
        click.echo(f"  {place.name}  {place.http}, {place.admin}")
    more = f" and {len(queues) - SHOWN} more" if len(queues) > SHOWN else ""
    click.echo(f"  queues  {', '.join(queues[:SHOWN]) or 'none yet: clients make them'}{more}")
    click.echo(f"  keys    {running.state.ready_file}{'' if options.auth else '  (not asked for: --auth does)'}")
    click.echo("try")
    click.echo(f"  {called_as()} send{own} {queues[0] if queues else 'QUEUE'} hello")
    click.echo(f"  {called_as()} get{own} queues")
    if options.host not in LOOPBACK and not options.auth:
        click.echo(f"beware: whoever reaches {options.host} can use it; --auth asks for keys")
