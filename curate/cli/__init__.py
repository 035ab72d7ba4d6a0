"""The `curate` command: a table of commands, each imported when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from curate.errors import CurateError, did_you_mean
from curate.interrupts import postponed_interrupt

COMMANDS: dict[str, tuple[str, str]] = {
    "plan": ("curate.cli.plan:plan", "Show a recipe's steps, which are cached, and why the others are not."),
    "run": ("curate.cli.run:run", "Run a recipe: raw files to packed, masked shards."),
    "stages": ("curate.cli.stages:stages", "List the stages, or describe one."),
    "apply": ("curate.cli.apply:apply", "Run one stage on one file, JSONL out."),
    "decontaminate": ("curate.cli.decontaminate:decontaminate", "Measure decontamination by planted items."),
    "explain": ("curate.cli.explain:explain", "Tell one row's whole story."),
    "ledger": ("curate.cli.ledger:ledger", "Show what was dropped, edited and quarantined, and why."),
    "mix": ("curate.cli.mix:mix", "Show, explain, compare, lock, import and export mixtures."),
    "store": ("curate.cli.store:store", "List or clean the finished steps kept on disk."),
}
"""Command name -> (``module:function``, one line of help)."""


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports and returns a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        with postponed_interrupt():
            command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Says the nearest name for an unknown command."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no command {args[0]!r}{did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="curate-train", prog_name="curate")
def cli() -> None:
    """Turns raw dialogues and documents into the exact tokens a language model is fine-tuned on."""


def main() -> None:
    """Runs the command line. Exit codes: 0 done, 1 user error, 2 usage, 3 too much in quarantine, 130 interrupted."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nstopped; what is finished is kept, the same command goes on from here", err=True)
        sys.exit(130)
    except CurateError as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(1)


def console() -> NoReturn:
    """The console script: `main`, left at once, since taking down all that a run has loaded takes half a second."""
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))
    os._exit(0)
