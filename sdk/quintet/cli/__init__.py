"""The command `quintet`. What a command needs is imported when it runs: `quintet --help` answers at once."""

from typing import Any

import click

from quintet.cli.messages import purge, receive, redrive, send
from quintet.cli.objects import apply, delete, describe, get
from quintet.cli.up import up

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 and the signal's number."""


class Commands(click.Group):
    """Ctrl-C ends a command quietly."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="quintet")
def main() -> None:
    """Messaging from manifests: run it here with `quintet up`, and use it."""


for command in (up, apply, get, describe, delete, send, receive, purge, redrive):
    main.add_command(command)
