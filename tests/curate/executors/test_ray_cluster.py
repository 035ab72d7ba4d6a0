"""The ray executor on a cluster of two nodes on this machine, one of which is killed at work."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from curate.executors.ray import RayExecutor
from tests.curate.runs import CURATE, Project

pytestmark = pytest.mark.slow
_ALERT = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 10}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head with one CPU, which notices a lost node within seconds; tests add nodes."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": _ALERT, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster
    cluster.shutdown()


def node(cluster: Cluster, **resources: Any) -> Any:
    """Adds a node and waits for it."""
    added = cluster.add_node(object_store_memory=80 << 20, **resources)
    cluster.wait_for_nodes()
    return added


def where(task: tuple[Path, int]) -> str:
    """Waits for as long as nobody opened the gate, unless the item was begun before; returns the GPUs it was given."""
    folder, number = task
    begun = folder / f"begun-{number}"
    again = begun.exists()
    begun.write_text(os.environ.get("RAY_NODE_ID", "") + str(os.getppid()))
    while not again and not (folder / "gate").exists():
        time.sleep(0.02)
    return os.environ.get("CUDA_VISIBLE_DEVICES", "")


def test_items_of_a_killed_node_are_given_to_another(cluster: Cluster, tmp_path: Path) -> None:
    """Two items are at work, one on each node; one node dies, and every item still has its one result."""
    doomed = node(cluster, num_cpus=1)
    executor = RayExecutor(address=cluster.address, shared=tmp_path / "store")
    try:
        results = executor.map(where, [(tmp_path, i) for i in range(6)])
        found: list[int] = []
        taker = threading.Thread(target=lambda: found.extend(index for index, _ in results))
        taker.start()
        while len(list(tmp_path.glob("begun-*"))) < 2:
            time.sleep(0.05)
        cluster.remove_node(doomed, allow_graceful=False)
        (tmp_path / "gate").touch()
        taker.join(120)
        assert sorted(found) == list(range(6))
    finally:
        executor.close()


def test_gpus_are_asked_for_where_there_are_some(cluster: Cluster, tmp_path: Path) -> None:
    """An item that can use a GPU goes to the node that has one, and sees that one alone."""
    node(cluster, num_cpus=1, num_gpus=1)
    (tmp_path / "gate").touch()
    executor = RayExecutor(address=cluster.address)
    try:
        assert [seen for _, seen in executor.map(where, [(tmp_path, i) for i in range(3)], gpus=2)] == ["0"] * 3
        assert [seen for _, seen in executor.map(where, [(tmp_path, 3)])] == [""]
    finally:
        executor.close()


@pytest.mark.parametrize("moment", [1, 4, 9])
def test_a_run_survives_a_killed_node(cluster: Cluster, tmp_path: Path, moment: int) -> None:
    """A run through the command line, one node killed while it works: the bytes of a local run."""
    plain = Project(tmp_path / "plain")
    plain.run("--workers", "2")
    doomed = node(cluster, num_cpus=1)
    project = Project(tmp_path / "over")
    project.write()
    command = [*CURATE, "run", "recipe.yaml", "--executor", "ray", "--address", cluster.address]
    process = subprocess.Popen(command, cwd=project.folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr:
        while process.poll() is None and _finished(project.folder / "store") < moment:
            time.sleep(0.05)
        assert process.poll() is None, process.stderr.read()
        cluster.remove_node(doomed, allow_graceful=False)
        said = process.stderr.read()
    assert process.wait(300) == 0, said
    assert project.output() == plain.output()
    shutil.rmtree(project.folder / "out")
    assert project.steps_run() == ["export"]


def _finished(store: Path) -> int:
    """Returns how many parts there are."""
    return len(list(store.rglob("part-*.arrow")))
