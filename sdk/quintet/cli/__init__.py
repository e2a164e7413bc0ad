"""The command `quintet`. What a command needs is imported when it runs: `quintet --help` answers at once."""

from dataclasses import replace
from typing import Any

import click

from quintet.cli.completion import completion
from quintet.cli.look import peek, tail
from quintet.cli.messages import receive, send
from quintet.cli.objects import apply, delete, describe, get
from quintet.cli.plan import plan
from quintet.cli.queues import purge, redrive
from quintet.cli.stats import stats
from quintet.cli.top import top
from quintet.cli.up import up
from quintet.cli.where import Where, cluster_options
from quintet.cli.work import work

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 and the signal's number."""


class Commands(click.Group):
    """Ctrl-C ends a command quietly."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=Commands, context_settings=SETTINGS)
@click.version_option(package_name="quintet")
@cluster_options
@click.pass_context
def main(ctx: click.Context, where: Where) -> None:
    """Messaging from manifests: run it here with `quintet up`, and use it, or what runs in a cluster (--context)."""
    ctx.obj = where
    if where != Where() and ctx.invoked_subcommand in {command.name for command in HERE}:
        raise click.UsageError(f"{ctx.invoked_subcommand} runs on this machine, not in a cluster")


@click.group("kubectl quintet", cls=Commands, context_settings=SETTINGS)
@click.version_option(package_name="quintet")
@cluster_options
@click.pass_context
def plugin(ctx: click.Context, where: Where) -> None:
    """Messages in queues of a cluster: of kubectl's current context, or the one that --context names."""
    ctx.obj = replace(where, is_plugin=True)


def kubectl_quintet() -> None:
    """`kubectl quintet`."""
    plugin(prog_name="kubectl quintet")


HERE = (up, work, completion)
COMMANDS = (send, receive, peek, tail, redrive, purge, stats, top, plan)
for command in (apply, get, describe, delete, *HERE, *COMMANDS):
    main.add_command(command)
for command in COMMANDS:
    plugin.add_command(command)
