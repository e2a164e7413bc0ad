"""`quintet work`."""

import asyncio
import logging

import click

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command(short_help="Handle messages, as a worker in a module says.")
@click.argument("worker", metavar="MODULE:WORKER")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="How many run side by side.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Less is not logged, unless the module sets up logging itself.",
)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    help="Answer GET /healthz there: 200 while all is well, else 503. For one process.",
)
@click.option("--parent", type=int, hidden=True, help="The process that started this one, to end with it.")
def work(worker: str, processes: int, log_level: str, health_port: int | None, parent: int | None) -> None:
    """Run a quintet.Worker until SIGTERM or Ctrl-C; a second one does not wait for its handlers.

    The module is looked for in the working directory, then among what is installed.
    """
    from quintet.errors import QuintetError
    from quintet.worker import process
    from quintet.worker.processes import REFUSED, Processes

    logging.basicConfig(level=log_level.upper(), format=LOG_FORMAT)
    if processes > 1 and health_port is not None:
        raise click.UsageError("--health-port tells of one process, and takes no --processes")
    if processes > 1:
        raise SystemExit(asyncio.run(Processes([worker, "--log-level", log_level], processes).run()))
    try:
        process.run(process.find(worker), parent, health_port)
    except (process.NotFound, QuintetError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(REFUSED) from error
