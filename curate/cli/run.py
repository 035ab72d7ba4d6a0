"""`curate run`: its options. What runs and reports is imported when workers have been told to start."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.executing import executing
from curate.loading import loading


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    help="Processes that work, this one included; default: one for each core.",
)
@click.option("--executor", type=click.Choice(["local", "serial", "ray"]), default="local", help="How work is mapped.")
@click.option(
    "--address", default=None, help="Of a running Ray cluster, host:port; default: Ray on this machine alone."
)
@click.option("--quiet", is_flag=True, help="Print the result only.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, progress as JSON lines on stderr.")
def run(recipe: Path, workers: int | None, executor: str, address: str | None, quiet: bool, as_json: bool) -> int:
    """Run RECIPE: raw files to packed, masked shards. Finished steps are not run again; a killed run goes on."""
    with executing(executor, workers, address, recipe) as executor_for:
        with loading():
            from curate.cli.running import run_recipe

        return run_recipe(recipe, executor_for, quiet=quiet, as_json=as_json)
