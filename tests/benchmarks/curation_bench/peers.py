"""Other checkers, each of a pinned version in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import tempfile
import venv
from pathlib import Path

from curation_bench.measure import Accusation, Outcome, run

RDQ = "rdq==0.3.4"
NO_ACCUSATION = ("check failed", "minority strategy", "gripper never")
NAMES = {
    "values.non_finite": "nan",
    "episodes.spikes": "state_spike action_spike",
    "episodes.duplicate": "duplicate",
    "episodes.idle_padding": "idle_head idle_tail",
    "episodes.too_long": "idle_head idle_tail hesitation",
    "episodes.too_short": "truncated",
    "episodes.frozen": "joint_freeze stale_rows dead_servo",
    "sync.action_state_lag": "lag drift",
    "episodes.trajectory_outlier": "wrong_task failed_grasp truncated servo_ticks wrong_units joint_swap",
    "hesitation": "hesitation",
    "near-duplicate": "duplicate",
    "unusual final state": "truncated failed_grasp dropped_cube offset",
}
"""Which faults of ours each of rdq's findings names rightly; read generously."""


def environment(folder: Path, requirement: str) -> Path | None:
    """Return the folder of a peer's commands, installed now or before; None where no registry has it."""
    home = folder / requirement.replace("==", "-")
    if not (home / "installed").exists():
        venv.create(home, with_pip=True, clear=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", requirement]
        if subprocess.run(pip, capture_output=True, text=True).returncode:
            return None
        (home / "installed").touch()
    return home / "bin"


def rdq(bin_folder: Path, root: Path, with_rank: bool) -> Outcome:
    """Run `rdq check`, and `rdq rank` beside it if asked: what either accuses counts, whatever its severity.

    Of rank, notes count that say what is wrong with an episode. "Minority strategy", which it asks not to drop for,
    does not; nor does "gripper never cycles", which is right about most flights of the second task, whose jaws stay
    closed.
    """
    name = "rdq check + rank" if with_rank else "rdq check"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "check.json"
        code, _, err, cpu_s, wall_s, peak_mb = run(
            [str(bin_folder / "rdq"), "check", str(root), "--json", str(report)]
        )
        if not report.exists():
            return Outcome(
                name, [], cpu_s, wall_s, peak_mb, err.strip().splitlines()[-1] if err else str(code)
            )
        found = [
            Accusation(int(e), f["check"], f["severity"], None)
            for f in json.loads(report.read_text())["findings"]
            for e in f.get("episodes") or []
        ]
        if with_rank:
            report = Path(folder) / "rank.json"
            code, _, err, more_s, more_wall_s, more_mb = run(
                [str(bin_folder / "rdq"), "rank", str(root), "--json", str(report)]
            )
            cpu_s, wall_s, peak_mb = cpu_s + more_s, wall_s + more_wall_s, max(peak_mb, more_mb)
            if not report.exists():
                return Outcome(name, found, cpu_s, wall_s, peak_mb, err.strip().splitlines()[-1])
            for episode, row in json.loads(report.read_text())["episodes"].items():
                notes = [n for n in row["notes"] if not n.startswith(NO_ACCUSATION)]
                found += [Accusation(int(episode), _short(n), "warning", None) for n in notes]
    return Outcome(name, found, cpu_s, wall_s, peak_mb)


def _short(note: str) -> str:
    return next((name for name in NAMES if note.startswith(name)), note)


def rdq_names(fault: str) -> frozenset[str]:
    """Return the findings of rdq that name a fault rightly."""
    return frozenset(name for name, faults in NAMES.items() if fault in faults.split())
