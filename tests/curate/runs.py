"""Runs for tests: a small recipe over the sample data in a folder of its own, run as a user would."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import yaml

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "data_samples"
CURATE = [sys.executable, "-c", "from curate.cli import console; console()"]

STAGES: list[Any] = [
    "normalize",
    {"strip_fillers": {"filler_only": "drop", "only": {"domain": True}}},
    {"forbid": {"terms": ["转人工", "人工客服"], "roles": ["user"], "action": "cut_before", "only": {"domain": True}}},
    "validate_chat",
    "exact_dedup",
    {"decontaminate": {"against": str(SAMPLES / "eval/*.jsonl")}},
    {"minhash_dedup": {"index": True}},
    {"semantic_dedup": {"threshold": 0.95, "on": "prompt"}},
    {"length": {"max_chars": 4000}},
    {"truncate_history": {"max_source": 300, "max_target": 200, "expand": "every", "only": {"source": ["calls"]}}},
]


class Project:
    """A working folder with its own copy of some sample files, a recipe, a store and an output."""

    def __init__(self, folder: Path, data: str = "data") -> None:
        self.folder = folder
        self.data = folder / data
        self.recipe: dict[str, Any] = {
            "name": "small",
            "tokenizer": str(SAMPLES / "tokenizer"),
            "sources": [
                {
                    "name": "calls",
                    "path": f"{data}/calls.csv",
                    "group_by": "call_id",
                    "order_by": "time",
                    "roles": {"坐席": "assistant", "客户": "user", "系统": "drop"},
                    "ability": "service",
                    "domain": True,
                },
                {"name": "chats", "path": f"{data}/chats/*.jsonl", "ability": "service", "domain": True},
                {"name": "math", "path": f"{data}/math.jsonl"},
                {"name": "writing", "path": f"{data}/writing.json"},
            ],
            "stages": STAGES,
            "split": {"validation": 20},
            "mix": {"domain_to_general": "1:2"},
            "pack": {"length": 1024},
            "output": "out",
            "store": "store",
        }
        self.data.mkdir(parents=True)
        self._copy_samples()

    def _copy_samples(self) -> None:
        (self.data / "chats").mkdir()
        for name, path in {"calls.csv": "calls/calls.csv", "math.jsonl": "math/math.jsonl"}.items():
            shutil.copy(SAMPLES / path, self.data / name)
        shutil.copy(SAMPLES / "general/writing.json", self.data / "writing.json")
        lines = (SAMPLES / "calls/calls_zh.jsonl").read_bytes().split(b"\n")[:-1]
        for part in range(4):
            chunk = b"".join(line + b"\n" for line in lines[part * 80 : (part + 1) * 80])
            (self.data / "chats" / f"{part}.jsonl").write_bytes(chunk)

    def write(self) -> Path:
        """Writes the recipe and returns its path."""
        path = self.folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(self.recipe, allow_unicode=True, sort_keys=False))
        return path

    def curate(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs the command line in the project's folder."""
        self.write()
        done = subprocess.run([*CURATE, *args], cwd=self.folder, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    def run(self, *options: str) -> dict[str, Any]:
        """Runs the recipe and returns its report."""
        done = self.curate("run", "recipe.yaml", "--json", *options)
        return dict(orjson.loads(done.stdout))

    def steps_run(self) -> list[str]:
        """Runs the recipe and returns the names of the steps that did work."""
        done = self.curate("run", "recipe.yaml", "--json")
        events = [orjson.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        return [name for e in events if e["event"] == "begin" for name in e["step"].split(" → ")]

    def plan(self) -> dict[str, dict[str, Any]]:
        """Returns the plan's steps by name."""
        done = self.curate("plan", "recipe.yaml", "--json")
        return {step["name"]: step for step in orjson.loads(done.stdout)["steps"]}

    def kill_after(self, seconds: float) -> bool:
        """Starts a run and kills it and its workers; returns whether it had not finished by itself."""
        self.write()
        command = [*CURATE, "run", "recipe.yaml", "--quiet", "--workers", "2"]
        process = subprocess.Popen(
            command, cwd=self.folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        running = process.poll() is None
        if running:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return running

    def output(self) -> dict[str, str]:
        """Returns the digest of every file of the output, by relative path."""
        out = self.folder / "out"
        files = sorted(p for p in out.rglob("*") if p.is_file())
        return {p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
