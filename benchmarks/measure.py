"""Runs a command as one whole process tree and says what it cost: wall time, CPU time, peak memory."""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

INTERVAL = 0.05
MIB = 1 << 20
PR_SET_CHILD_SUBREAPER = 36
ORPHANS = 10.0
"""Seconds that processes may outlive the one that was started, their CPU time still counted."""
CURATE = str(Path(sys.executable).with_name("curate"))


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost.

    ``rss`` and ``anonymous`` are peaks in MiB of sums over the tree, sampled every 50 ms. ``rss`` also counts pages of
    mapped files, which are page cache and given back on demand; ``anonymous`` is what the processes hold themselves.
    """

    wall: float
    cpu: float
    rss: float
    anonymous: float
    stdout: str


def run(command: Sequence[str], env: dict[str, str] | None = None, cwd: Path | None = None) -> Cost:
    """Runs a command to its end; CPU time is that of the process and all its descendants.

    Descendants nobody waited for become children of this process, so that their time is told, too.

    Raises:
        RuntimeError: when it fails, with the end of what it said.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, cwd=cwd
    )
    said: dict[str, bytes] = {}
    assert process.stdout
    assert process.stderr
    pipes = {"out": process.stdout, "err": process.stderr}
    readers = [threading.Thread(target=_read, args=(said, *item), daemon=True) for item in pipes.items()]
    watcher = _Watcher(process.pid)
    for thread in (*readers, watcher):
        thread.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.stop()
    orphans = _orphans()
    for reader in readers:
        reader.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}\n{said['err'].decode()[-4000:]}")
    cpu = usage.ru_utime + usage.ru_stime + orphans
    return Cost(wall, cpu, watcher.rss / MIB, watcher.anonymous / MIB, said["out"].decode())


def _orphans() -> float:
    """Returns the CPU seconds of processes left behind, once they have ended."""
    found, until = 0.0, time.monotonic() + ORPHANS
    while time.monotonic() < until:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            found += usage.ru_utime + usage.ru_stime
        else:
            time.sleep(0.02)
    return found


def _read(said: dict[str, bytes], name: str, pipe: IO[bytes]) -> None:
    with pipe:
        said[name] = pipe.read()


class _Watcher(threading.Thread):
    """Samples the memory of a process and its descendants until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.rss, self.anonymous = pid, 0, 0
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(INTERVAL):
            try:
                pids = [self.pid, *_descendants(self.pid)]
            except OSError:
                return
            pairs = [_memory(pid) for pid in pids]
            self.rss = max(self.rss, sum(rss for rss, _ in pairs))
            self.anonymous = max(self.anonymous, sum(anonymous for _, anonymous in pairs))

    def stop(self) -> None:
        self._end.set()
        self.join()


def _descendants(pid: int) -> list[int]:
    """Returns the processes below one; asking the kernel for children costs the measured program nothing."""
    found: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found + [grandchild for child in found for grandchild in _below(child)]


def _below(pid: int) -> list[int]:
    try:
        return _descendants(pid)
    except OSError:
        return []


def _memory(pid: int) -> tuple[int, int]:
    """Returns resident and anonymous bytes of a process, zeros where it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            lines = dict(line.split(":", 1) for line in file)
    except OSError:
        return 0, 0
    kib = {name: int(lines[name].split()[0]) for name in ("VmRSS", "RssAnon", "RssShmem") if name in lines}
    return kib.get("VmRSS", 0) * 1024, (kib.get("RssAnon", 0) + kib.get("RssShmem", 0)) * 1024


def interleave(arms: dict[str, Callable[[], Cost]], repeats: int) -> dict[str, list[Cost]]:
    """Runs the arms in turn, A B A B, so that a busy minute of the machine hits all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in arms}
    for round_ in range(repeats):
        for name, arm in arms.items():
            costs[name].append(arm())
            print(f"  round {round_ + 1}: {name} {costs[name][-1].wall:.2f} s", file=sys.stderr, flush=True)
    return costs


def median(values: Iterable[float]) -> float:
    """Returns the median."""
    return statistics.median(values)


def ratio(of: Sequence[Cost], to: Sequence[Cost]) -> str:
    """Returns the median of the paired wall-time ratios, with their range when there are several."""
    found = [a.wall / b.wall for a, b in zip(of, to, strict=True)]
    spread = f" ({min(found):.2f}-{max(found):.2f})" if len(found) > 1 else ""
    return f"{median(found):.2f}x{spread}"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a Markdown table, numbers to the right."""
    body = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in (list(header), *body)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (w + 1) + (':' if i else '-') for i, w in enumerate(widths))}|"
    return "\n".join([line(list(header)), rule, *(line(cells) for cells in body)])


def cost_rows(costs: dict[str, list[Cost]]) -> list[list[str]]:
    """Returns a line for each arm: wall and CPU seconds (medians), peak memory of the tree in MiB."""
    return [
        [
            name,
            f"{median(c.wall for c in runs):.2f}",
            f"{median(c.cpu for c in runs):.2f}",
            f"{max(c.rss for c in runs):,.0f}",
            f"{max(c.anonymous for c in runs):,.0f}",
        ]
        for name, runs in costs.items()
    ]
