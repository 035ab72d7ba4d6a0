"""polars: unique over `messages`, first row of each set kept, JSON Lines to JSON Lines; --streaming by its streaming engine."""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

SCHEMA = pl.Schema({"id": pl.String, "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String}))})


def main() -> None:
    """Writes the rows it keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--streaming", action="store_true")
    args = parser.parse_args()
    rows = pl.scan_ndjson(args.rows, schema=SCHEMA).unique("messages", keep="first", maintain_order=True)
    if args.streaming:
        rows.sink_ndjson(args.output, engine="streaming")
    else:
        rows.collect().write_ndjson(args.output)


if __name__ == "__main__":
    main()
