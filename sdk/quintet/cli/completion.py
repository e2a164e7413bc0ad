"""`quintet completion`: what a shell reads to complete commands and options."""

import sys

import click
from click.shell_completion import ShellComplete, get_completion_class

NO_FILES = ":4"
"""The last line of an answer to kubectl: these are all there are."""


@click.command(short_help="Print what a shell reads to complete commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what a shell reads to complete commands and options.

    In bash: source <(quintet completion bash)
    """
    found = get_completion_class(shell)
    assert found
    click.echo(found(ctx.find_root().command, {}, "quintet", "_QUINTET_COMPLETE").source())


def complete_for_kubectl() -> None:
    """`kubectl_complete-quintet`: kubectl's own completion runs it with the words behind `kubectl quintet`."""
    from quintet.cli import plugin

    *words, begun = sys.argv[1:] or [""]
    for item in ShellComplete(plugin, {}, "kubectl quintet", "_").get_completions(words, begun):
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help or ''}")
    click.echo(NO_FILES)
