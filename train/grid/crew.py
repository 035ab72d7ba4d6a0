"""A crew: several workers of one machine on one search, each a process of its own, with its own GPU where there are any."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from curate.errors import TrainError


def run_crew(path: Path, workers: int, threads: int, say: Callable[[str], None]) -> str:
    """Runs `train grid` on a file in several processes and returns what one that came to the end printed.

    What a worker says is passed on behind its number. A worker that dies is told; the others take its trial over.

    Raises:
        TrainError: none of them came to the end.
    """
    command = [sys.executable, "-P", "-m", "train.cli", "grid", str(path), "--threads", str(threads)]
    crew = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_environment(number),
        )
        for number in range(workers)
    ]
    ends: list[str] = [""] * workers
    watchers = [
        threading.Thread(target=_follow, args=(number, worker, say, ends), daemon=True)
        for number, worker in enumerate(crew)
    ]
    try:
        for watcher in watchers:
            watcher.start()
        for watcher in watchers:
            watcher.join()
    finally:
        for worker in crew:
            if worker.poll() is None:
                worker.terminate()
    said = [end for worker, end in zip(crew, ends, strict=True) if worker.returncode == 0]
    if not said:
        raise TrainError("no worker came to the end; what each said stands above")
    return said[0]


def _follow(number: int, worker: subprocess.Popen[str], say: Callable[[str], None], ends: list[str]) -> None:
    """Passes on what a worker says until it ends."""
    assert worker.stdout is not None
    assert worker.stderr is not None
    for line in worker.stderr:
        say(f"[{number + 1}] {line.rstrip()}")
    ends[number] = worker.stdout.read()
    if worker.wait():
        how = f"signal {-worker.returncode}" if worker.returncode < 0 else f"exit code {worker.returncode}"
        say(f"[{number + 1}] ended with {how}; what it was running is free for the others")


def _environment(number: int) -> dict[str, str]:
    """Returns the environment of a worker: one of the visible GPUs, in turn."""
    seen = visible_gpus()
    return {**os.environ, **({"CUDA_VISIBLE_DEVICES": seen[number % len(seen)]} if seen else {})}


def visible_gpus() -> list[str]:
    """Returns the GPUs this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]
