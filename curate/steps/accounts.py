"""Accounts: the ledgers and quarantines of all steps, written out for people and other tools.

``ledger/<nn>-<step>.parquet`` holds id, step, stage, action, reason, other_id and score; ``quarantine/<source>.jsonl``
holds bad records with file, line, offset, reason and raw bytes, ``quarantine/rows/<step>.jsonl`` the rows a stage
sent there, whole; ``ledger/<stage>.jsonl`` and ``.json`` what a survey found.
"""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.files import atomic_open, write_json
from curate.json_lines import jsonl
from curate.store import Artifact, read_frame

_SCHEMA = pa.schema(
    [(name, pa.large_string()) for name in ("id", "step", "stage", "action", "reason", "other_id")]
    + [("score", pa.float64())]
)


@dataclass(frozen=True)
class Account:
    """One step's ledger: where it is, how many parts it has, and the names it is told by."""

    artifact: Artifact
    parts: int
    step: str
    stage: str


def write_accounts(folder: Path, sources: list[tuple[str, Any]], accounts: list[Account]) -> None:
    """Writes ledger/ and quarantine/ anew."""
    for name in ("ledger", "quarantine"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    write_ledgers(folder / "ledger", accounts)
    for name, artifact in sources:
        write_source_quarantine(folder / "quarantine", name, artifact)
    for account in accounts:
        write_stage_quarantine(folder / "quarantine", account)


def write_ledgers(folder: Path, accounts: list[Account]) -> None:
    """Writes the ledger of each step that has lines, in the order of the steps."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, account in enumerate(accounts):
        frames = (ledger_part(account, i) for i in range(account.parts))
        with_lines = [f for f in frames if f.height]
        if not with_lines:
            continue
        path = folder / f"{number:02d}-{account.step}.parquet"
        with atomic_open(path) as handle, pq.ParquetWriter(handle, _SCHEMA, compression="zstd") as writer:
            for frame in with_lines:
                writer.write_table(_in_schema(frame.to_arrow()))


def _in_schema(table: pa.Table) -> pa.Table:
    """Returns the table with the types of a ledger; as it is where it has them, since a cast imports all of Arrow's
    compute functions.
    """
    return table if table.schema.equals(_SCHEMA) else table.cast(_SCHEMA)


def ledger_part(account: Account, part: int) -> pl.DataFrame:
    """Returns the ledger of one part with the columns step and stage."""
    lines = read_frame(account.artifact.part(part, "ledger"))
    named = lines.with_columns(step=pl.lit(account.step), stage=pl.lit(account.stage))
    return named.select(_SCHEMA.names)


def write_source_quarantine(folder: Path, source: str, artifact: Artifact) -> int:
    """Writes a source's bad records as JSON Lines and returns their number."""
    meta = artifact.meta
    parts = [artifact.folder / "quarantine" / f"{name}.arrow" for name in meta["quarantine"]]
    if not parts:
        return 0
    number = 0
    with atomic_open(folder / f"{source}.jsonl") as handle:
        for path in parts:
            for bad in read_frame(path).iter_rows(named=True):
                handle.write(orjson.dumps(_bad_record(bad, meta["files"]), option=orjson.OPT_APPEND_NEWLINE))
                number += 1
    return number


def _bad_record(bad: dict[str, object], files: list[str]) -> dict[str, object]:
    raw = bad["raw"]
    assert isinstance(raw, bytes)
    file = bad["file"]
    assert isinstance(file, int)
    record = {
        "file": files[file],
        "line": bad["line"],
        "offset": bad["offset"],
        "reason": bad["reason"],
        "detail": bad["detail"],
    }
    try:
        return {**record, "raw": raw.decode()}
    except UnicodeDecodeError:
        return {**record, "raw_base64": base64.b64encode(raw).decode()}


def write_stage_quarantine(folder: Path, account: Account) -> int:
    """Writes the rows a stage sent to quarantine and returns their number."""
    paths = [account.artifact.part(i, "quarantine") for i in range(account.parts)]
    held = [read_frame(path) for path in paths if path.is_file()]
    if held:
        with atomic_open(folder / "rows" / f"{account.step}.jsonl") as handle:
            for frame in held:
                handle.write(jsonl(frame))
    return sum(frame.height for frame in held)


def write_findings(folder: Path, title: str, artifact: Artifact) -> None:
    """Writes what a survey found: ``<title>.jsonl``, a line for each match, and ``<title>.json``, its summary."""
    with atomic_open(folder / f"{title}.jsonl") as handle:
        for part in range(artifact.meta["parts"]):
            for line in read_frame(artifact.part(part, "matches")).iter_rows(named=True):
                handle.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    write_json(folder / f"{title}.json", artifact.meta["summary"])
