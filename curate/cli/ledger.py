"""`curate ledger`: what happened to rows, counted or line by line."""

from __future__ import annotations

import click
import polars as pl

from curate.places import files_below, local_copy, place


@click.command()
@click.argument("output", metavar="OUTPUT")
@click.option("--step", default=None, help="Only this step.")
@click.option("--action", default=None, help="Only this action: drop, quarantine, edit, expand, born or note.")
@click.option("--reason", default=None, help="Only this reason.")
@click.option("--lines", type=click.IntRange(0), default=0, help="Print this many ledger lines instead of counts.")
def ledger(output: str, step: str | None, action: str | None, reason: str | None, lines: int) -> None:
    """Show the ledger of an OUTPUT folder: rows by step, action and reason, or single lines."""
    folder = place(output)
    if not folder.is_dir():
        raise click.UsageError(f"{output}: no such folder; name the output of a run")
    files = [
        local_copy(folder / "ledger" / name)
        for name in sorted(files_below(folder / "ledger"))
        if name.endswith(".parquet")
    ]
    if not files:
        click.echo("the ledger has no lines: no row was dropped or changed")
        return
    found = pl.scan_parquet(files)
    for column, value in (("step", step), ("action", action), ("reason", reason)):
        if value is not None:
            found = found.filter(pl.col(column) == value)
    if lines:
        for line in found.head(lines).collect().iter_rows(named=True):
            other = f"  because of {line['other_id']}" if line["other_id"] else ""
            click.echo(f"{line['id']}  {line['step']}  {line['action']}  {line['reason']}{other}")
        return
    counts = found.group_by("step", "action", "reason").len().sort("step", "action", "reason").collect()
    for name, acted, why, number in counts.iter_rows():
        click.echo(f"{number:>10,}  {name:20} {acted:10} {why}")
