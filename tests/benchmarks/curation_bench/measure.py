"""Run a checker as a user would, with its processor time and memory, and read what it accuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Accusation:
    """One episode accused by one check; frames [first, last), or None where the checker gives none."""

    episode: int
    check: str
    severity: str
    span: tuple[int, int] | None


@dataclass(frozen=True)
class Outcome:
    """What a checker said, and what that cost; `crash` has its last words where it failed."""

    name: str
    accusations: list[Accusation]
    cpu_s: float
    wall_s: float
    peak_mb: float
    crash: str = ""


def run(command: list[str]) -> tuple[int, str, str, float, float, float]:
    """Run a command; returns exit code, stdout, stderr, CPU [s], wall time [s], and peak memory [MB]."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT), "NO_COLOR": "1"}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env)
        peak_mb = 0.0
        while True:
            # Its own peak: what wait4 gives counts the parent's memory at the fork too.
            peak_mb = max(peak_mb, _peak_mb(process.pid))
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            time.sleep(0.02)
        wall_s = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        cpu_s = usage.ru_utime + usage.ru_stime
        return process.returncode, out.read(), err.read(), cpu_s, wall_s, peak_mb


def _peak_mb(pid: int) -> float:
    """Return the most memory that a process had so far [MB]; 0 where it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def demodeck(root: Path, flags: list[str]) -> Outcome:
    """Run `demodeck score`."""
    command = [sys.executable, str(PROJECT / "demodeck.py"), "score", str(root), "--json", *flags]
    code, out, err, cpu_s, wall_s, peak_mb = run(command)
    if code:
        return Outcome("demodeck", [], cpu_s, wall_s, peak_mb, err.strip().splitlines()[-1])
    found = [
        Accusation(f["episode"], f["check"], f["severity"], (f["from_frame"], f["to_frame"]))
        for f in json.loads(out)["findings"]
    ]
    return Outcome("demodeck", found, cpu_s, wall_s, peak_mb)
