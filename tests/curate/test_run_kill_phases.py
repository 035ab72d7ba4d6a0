"""Runs killed in each phase of decontamination and of comparing rows, by shingles and by meaning: the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.curate.runs import CURATE, Project

COMPARING = (
    "survey/part-00001.arrow",
    "learned",
    "rows",
    "sketch/part-00000.arrow",
    "keys/part-00001.arrow",
    "sketch/part-00002.json",
    "stars",
    "copies",
    "bits",
    "found",
    "pairs-0",
    "wanted-0",
    "features-0/part-00000.arrow",
    "edges-0",
    "chosen",
    "verdicts",
    "groups",
    "samples",
)
WORK = "minhash_dedup-*/work"
FINDING, CHOOSING = "semantic_pairs-*/work", "semantic_dedup-*/work"
SEMANTIC = (
    "semantic_embedding-*/columns/part-00001.arrow",
    *(f"{FINDING}/{kind}" for kind in ("sketch/part-00001.arrow", "copies", "cells", "spread", "found")),
    "semantic_pairs-*/pairs.arrow",
    *(f"{CHOOSING}/{kind}" for kind in ("rows", "sketch/part-00002.json", "stars", "verdicts", "samples")),
    *(f"semantic_dedup-*/{name}" for name in ("clusters.jsonl", "sweep.jsonl", "ledger/part-00002.arrow")),
)
PHASES = [
    "decontaminate_score-*/matches",
    "decontaminate_score-*/counts/part-00003.json",
    "decontaminate_bounds-*/ledger/part-00001.arrow",
    *(f"{WORK}/{kind}" for kind in COMPARING),
    *(f"minhash_dedup-*/{name}" for name in ("clusters.jsonl", "index", "ledger/part-00002.arrow", "step.json")),
    *SEMANTIC,
]
"""What the store holds as soon as a phase has begun, in the order of a run."""


def killed_at(project: Project, phase: str) -> bool:
    """Starts a run and kills it and its workers when the store holds the file; returns whether it was still running."""
    project.write()
    command = [*CURATE, "run", "recipe.yaml", "--quiet", "--workers", "2"]
    process = subprocess.Popen(
        command, cwd=project.folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    store = project.folder / "store"
    while process.poll() is None and not any(store.glob(phase)):
        time.sleep(0.001)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run."""
    project = Project(tmp_path_factory.mktemp("undisturbed"))
    project.run("--workers", "2")
    return project


def test_killed_while_matching_and_choosing(undisturbed: Project, tmp_path: Path) -> None:
    """Killed twice on the way through a comparison, and run again: the same bytes."""
    project = Project(tmp_path / "killed")
    assert sum(killed_at(project, f"{WORK}/{kind}") for kind in ("found", "edges-0")) >= 1
    project.run("--workers", "2")
    assert project.output() == undisturbed.output()


@pytest.mark.slow
def test_killed_in_every_phase_of_one_run(undisturbed: Project, tmp_path: Path) -> None:
    """Each run goes on where the one before was killed, and is killed one phase later; the last one ends."""
    project = Project(tmp_path / "killed")
    assert sum(killed_at(project, phase) for phase in PHASES) >= 20
    project.run("--workers", "2")
    assert project.output() == undisturbed.output()
    assert list((project.folder / "store").rglob("work")) == []


@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
def test_killed_once_in_a_phase(undisturbed: Project, tmp_path: Path, phase: str) -> None:
    """From nothing to each phase, killed there, and run again: the same bytes."""
    project = Project(tmp_path / "killed")
    assert killed_at(project, phase), "no run came by this phase"
    project.run("--workers", "2")
    assert project.output() == undisturbed.output()
