"""datatrove's four MinHash stages on the flattened text, two tasks: 14 buckets of 8 hashes, word 5-grams (its defaults)."""

from __future__ import annotations

import argparse
import gzip
import shutil
import tempfile
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter

TASKS = 2


def main() -> None:
    """Writes the rows it keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(dir=args.output.parent))
    _split(args.text, work / "input")
    _run(work)
    with args.output.open("wb") as file:
        for path in sorted((work / "kept").glob("*.jsonl.gz")):
            with gzip.open(path) as part:
                shutil.copyfileobj(part, file)
    shutil.rmtree(work)


def _split(text: Path, folder: Path) -> None:
    """Deals the lines to as many files as there are tasks, because a task reads whole files."""
    folder.mkdir()
    files = [(folder / f"{i}.jsonl").open("wb") for i in range(TASKS)]
    with text.open("rb") as lines:
        for i, line in enumerate(lines):
            files[i % TASKS].write(line)
    for file in files:
        file.close()


def _run(work: Path) -> None:
    config = MinhashConfig()

    def stage(name: str, steps: list[Any], tasks: int) -> None:
        LocalPipelineExecutor(
            steps, tasks=tasks, workers=min(TASKS, tasks), logging_dir=str(work / "logs" / name)
        ).run()

    def reader() -> JsonlReader:
        return JsonlReader(str(work / "input"), text_key="text", id_key="id")

    signatures, buckets, removed = (str(work / name) for name in ("signatures", "buckets", "removed"))
    stage("1", [reader(), MinhashDedupSignature(output_folder=signatures, config=config)], TASKS)
    found = MinhashDedupBuckets(input_folder=signatures, output_folder=buckets, config=config)
    stage("2", [found], config.num_buckets)
    stage("3", [MinhashDedupCluster(input_folder=buckets, output_folder=removed, config=config)], 1)
    stage("4", [reader(), MinhashDedupFilter(input_folder=removed), JsonlWriter(str(work / "kept"))], TASKS)


if __name__ == "__main__":
    main()
