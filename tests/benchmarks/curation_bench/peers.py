"""Other checkers, each of a pinned version in an environment of its own."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path

from curation_bench.measure import Accusation, Outcome, run

RDQ = "rdq[video]==0.3.4"
REPORT_CARD = "robot-report-card[score]==0.1.0"
CALIBRA = "calibra-robotics[lerobot]==0.13.1"
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
    home = folder / re.sub(r"[^\w.-]+", "-", requirement)
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


def rdq_video(bin_folder: Path, root: Path) -> Outcome:
    """Run `rdq check --video`, which decodes a few frames of each episode."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "check.json"
        command = [str(bin_folder / "rdq"), "check", str(root), "--video", "--json", str(report)]
        code, _, err, cpu_s, wall_s, peak_mb = run(command)
        if not report.exists():
            return Outcome("rdq check --video", [], cpu_s, wall_s, peak_mb, _last(err) or str(code))
        found = [
            Accusation(int(e), f["check"], f["severity"], None)
            for f in json.loads(report.read_text())["findings"]
            for e in f.get("episodes") or []
        ]
    return Outcome("rdq check --video", found, cpu_s, wall_s, peak_mb)


def report_card(bin_folder: Path, root: Path) -> Outcome:
    """Run `rrc score`: what it flags counts, by the reasons that it gives."""
    code, out, err, cpu_s, wall_s, peak_mb = run([str(bin_folder / "rrc"), "score", str(root), "--json"])
    try:
        rows = json.loads(out)["episodes"]
    except ValueError:
        return Outcome("rrc score", [], cpu_s, wall_s, peak_mb, _last(err) or str(code))
    found = [
        Accusation(int(row["episode_index"]), _short(str(reason), OTHER_NAMES), row["quality"], None)
        for row in rows
        if row["quality"] != "ok"
        for reason in [*row["hard_flags"], *row["reasons"]] or ["flagged"]
    ]
    return Outcome("rrc score", found, cpu_s, wall_s, peak_mb)


def calibra(bin_folder: Path, root: Path) -> Outcome:
    """Run `calibra`: the episodes that its report calls outliers count.

    Its `review` accuses nobody: it puts all episodes into a queue, each with the advice to inspect it.
    """
    command = [str(bin_folder / "calibra"), str(root)]
    code, out, err, cpu_s, wall_s, peak_mb = run(command)
    if "Episode Anomalies" not in out:
        return Outcome("calibra", [], cpu_s, wall_s, peak_mb, _last(err) or f"no list of episodes ({code})")
    found = []
    for first, last, metric in re.findall(r"^\s*ep_(\d+)(?:[\u2013-](\d+))?\s+(\w+) ", out, re.MULTILINE):
        found += [Accusation(e, metric, "outlier", None) for e in range(int(first), int(last or first) + 1)]
    return Outcome("calibra", found, cpu_s, wall_s, peak_mb)


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else ""


def _short(note: str, names: Iterable[str] = NAMES) -> str:
    return next((name for name in names if note.startswith(name)), note)


OTHER_NAMES = {
    "non-finite": "nan",
    "too short": "truncated",
    "frozen joint": "joint_freeze dead_servo",
    "timestamp gap": "dropped_frames repeated_frames",
    "saturation": "saturation state_clipped",
    "actions pinned at their limits": "saturation state_clipped",
    "arm doesn't follow the commands": "lag drift offset gain weak_servo dead_servo joint_swap",
    "hesitates": "idle_head idle_tail hesitation",
    "looks jittery": "chatter action_spike",
    "dithering commands": "chatter action_spike",
    "irregular speed profile": "state_spike chatter sensor_noise hesitation stale_rows",
    "jerky motion": "state_spike chatter sensor_noise stale_rows action_spike",
    "spike_rate": "state_spike action_spike",
    "vel_disc_rate": "state_spike action_spike stale_rows dropped_frames",
    "jitter_cv": "chatter sensor_noise",
    "ldlj": "state_spike action_spike chatter sensor_noise",
    "length": "truncated idle_head idle_tail hesitation",
    "video.frozen": "frozen stutter",
    "video.black": "dark",
    "video.covered": "dark",
    "video.low_light": "dark",
    "video.blur": "blurred",
    "video.dropped_frames": "dropped stutter",
    "video.cameras_swapped": "exchanged",
}
"""Which faults the other peers' findings, and rdq's on video, name rightly; read generously."""


def other_names(fault: str) -> frozenset[str]:
    """Return the findings of the other peers that name a fault rightly."""
    return frozenset(name for name, faults in OTHER_NAMES.items() if fault in faults.split())


def rdq_names(fault: str) -> frozenset[str]:
    """Return the findings of rdq that name a fault rightly."""
    return frozenset(name for name, faults in NAMES.items() if fault in faults.split())
