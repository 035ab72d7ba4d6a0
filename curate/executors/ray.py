"""The ray executor: items as tasks of a Ray cluster, or of a Ray started for this run on this machine.

Every node needs the same software, the same working folder and the same store, a folder they share or an object
store; a worker checks that before its first item. A task whose worker or node is lost is given to another, which is
safe because parts commit whole and hold the same bytes whoever writes them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import re
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import ray
from ray import exceptions

from curate.errors import CurateError
from curate.executors.local import THREAD_LIMITS

RETRIES = 5
"""How often an item is given to another worker when its own, or the node, was lost."""

_OBJECT_STORE_BYTES = 80 << 20
"""Items and results are small; data goes through the store."""

_PATIENCE = 10.0
"""Seconds a cluster's address has to answer."""

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_task_oom_retries": str(RETRIES)}


@dataclass(frozen=True)
class _Terms:
    """What must hold where an item is worked on, and how many threads its libraries may use."""

    folder: str
    software: tuple[tuple[str, str], ...]
    proof: tuple[str, str] | None
    """A file every node must see, and what it holds."""
    threads: int = 1


class RayExecutor:
    """Runs items as Ray tasks, each in a process whose libraries are capped at its number of CPUs."""

    def __init__(self, *, address: str | None = None, workers: int | None = None, shared: Path | None = None) -> None:
        """Notes where to run; Ray is started or joined with the first map.

        ``address`` is that of a running cluster; without one Ray is started on this machine alone, with ``workers``
        CPUs. ``shared`` is a folder that every node of a cluster must see.
        """
        self._address = address
        self._workers = workers
        self._shared = shared
        self._terms: _Terms | None = None

    def map(
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, cpus: int = 1, gpus: int = 0
    ) -> Iterator[tuple[int, Any]]:
        """Yields (index, result) as items finish, at most two items under way for each that can run at once.

        ``gpus`` is what an item can make use of: it gets as many where a node has them, and runs without elsewhere.

        Raises:
            CurateError: when no cluster answers, a node is not fit, or an item's worker died time and again.
        """
        if not len(items):
            return
        terms = replace(self._start(), threads=cpus)
        most_gpus = min(gpus, int(max((node["Resources"].get("GPU", 0) for node in _nodes()), default=0)))
        task = ray.remote(_work).options(num_cpus=cpus, num_gpus=most_gpus, max_retries=RETRIES)
        waiting = list(enumerate(items))[::-1]
        running: dict[Any, int] = {}
        try:
            while waiting or running:
                room = 2 * _at_once(cpus, most_gpus) if waiting else 0
                while waiting and len(running) < room:
                    index, item = waiting.pop()
                    running[task.remote(terms, pickle.dumps((fn, item)))] = index
                done, _ = ray.wait(list(running), num_returns=1)
                for ref in done:
                    yield running.pop(ref), _result(ref)
        finally:
            if ray.is_initialized():
                for ref in running:
                    ray.cancel(ref)

    def _start(self) -> _Terms:
        if self._terms is None:
            os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
            try:
                _join(self._address) if self._address else _start_here(self._workers)
            except (OSError, RuntimeError, ValueError) as error:
                raise CurateError(_no_cluster(self._address, error)) from error
            self._terms = _Terms(os.getcwd(), _software(), self._prove())
        return self._terms

    def _prove(self) -> tuple[str, str] | None:
        """Writes the file by which a worker sees that it looks into the same folder."""
        if self._shared is None:
            return None
        path, token = self._shared / ".seen-by-ray", secrets.token_hex(8)
        self._shared.mkdir(parents=True, exist_ok=True)
        path.write_text(token)
        return str(path), token

    def close(self) -> None:
        """Leaves the cluster, or stops the one that was started; what is still running is stopped."""
        terms, self._terms = self._terms, None
        if terms is not None:
            ray.shutdown()
        if terms is not None and terms.proof is not None:
            Path(terms.proof[0]).unlink(missing_ok=True)


def _join(address: str) -> None:
    """Joins a cluster. Ray itself would wait for minutes where nothing answers, so that is looked at first."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)


def _start_here(workers: int | None) -> None:
    """Starts a Ray that only this machine can reach, without dashboard; it ends with this process, however that ends."""
    ray.init(
        address="local",
        num_cpus=workers or len(os.sched_getaffinity(0)),
        object_store_memory=_OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _node_ip_address="127.0.0.1",
    )


def _no_cluster(address: str | None, error: Exception) -> str:
    said = str(error).strip().partition("\n")[0]
    if address is None:
        return f"Ray can't be started on this machine: {said}"
    return f"no Ray cluster can be joined at {address}: {said}. Start one with `ray start --head`, or mend --address"


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _at_once(cpus: int, gpus: int) -> int:
    """Returns how many items the cluster, as it is now, can run at once; at least one, for a cluster may grow."""
    found = ray.cluster_resources()
    by_gpu = [int(found.get("GPU", 0) // gpus)] if gpus else []
    return max(1, min([int(found.get("CPU", 0) // cpus), *by_gpu]))


def _result(ref: Any) -> Any:
    """Returns an item's result, or raises what it raised: a bug with the worker's traceback as its cause."""
    try:
        return ray.get(ref)
    except exceptions.RayTaskError as error:
        if isinstance(error.cause, CurateError):
            raise error.cause from None
        raise error.cause from error
    except exceptions.RayError as error:
        raise CurateError(
            f"Ray gave an item up after {RETRIES + 1} tries ({type(error).__name__}): its worker or node died each time, "
            "most likely for want of memory; run again: finished parts are kept. Use nodes with more memory for each "
            "CPU if it happens again"
        ) from error


def _work(terms: _Terms, call: bytes) -> Any:
    """Works on one item. ``call`` is unpickled only now, so that libraries are imported with their threads capped."""
    _settle_in(terms)
    fn, item = pickle.loads(call)
    return fn(item)


@cache
def _settle_in(terms: _Terms) -> None:
    """Makes a worker process fit for its first item.

    Raises:
        CurateError: when this node has other software, or does not see the working folder or the store.
    """
    node = socket.gethostname()
    os.environ.update(dict.fromkeys(THREAD_LIMITS, str(terms.threads)))
    theirs, mine = dict(terms.software), dict(_software())
    other = [
        f"{name} {mine.get(name)} instead of {version}" for name, version in theirs.items() if mine.get(name) != version
    ]
    if other:
        raise CurateError(
            f"Ray node {node} has other software, which may give other bytes: {', '.join(other)}; install the same on every node"
        )
    try:
        os.chdir(terms.folder)
    except OSError as error:
        raise CurateError(f"Ray node {node} has no folder {terms.folder} ({error.strerror}); {_SHARE}") from error
    if terms.proof is not None and not _holds(*terms.proof):
        raise CurateError(f"Ray node {node} does not see the same {Path(terms.proof[0]).parent}; {_SHARE}")


_SHARE = "run in a folder that every node has under the same path, and keep the store there or in an object store"


def _holds(path: str, token: str) -> bool:
    try:
        return Path(path).read_text() == token
    except OSError:
        return False


@cache
def _software() -> tuple[tuple[str, str], ...]:
    """Returns what decides bytes: this package by its text, and the versions of what it requires."""
    root = Path(__file__).parents[1]
    text = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        text.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return (("curate", text.hexdigest()[:12]), *_requirements())


def _requirements() -> Iterator[tuple[str, str]]:
    try:
        wanted = metadata.requires("curate-train") or []
    except metadata.PackageNotFoundError:
        return
    for line in wanted:
        found = re.match(r"[\w.-]+", line)
        if found and "extra ==" not in line:
            yield found[0], metadata.version(found[0])
