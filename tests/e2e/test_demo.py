"""`make demo`, smaller: the whole line by public commands, from the first flight to the table."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

from collector.dataset.reader import Dataset

PROJECT = Path(__file__).parent.parent.parent


def test_the_whole_line(command_env, tmp_path):
    command = tmp_path / "bin" / "demodeck"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROJECT / "demodeck.py"}" "$@"\n')
    command.chmod(0o755)
    small = {"FLIGHTS": "16", "BC_STEPS": "20", "DIFFUSION_STEPS": "20", "TRIALS": "2"}
    env = command_env | small | {"PATH": f"{command.parent}:{os.environ['PATH']}"}
    result = subprocess.run(
        [PROJECT / "demo.sh", "out"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=1800
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    out = tmp_path / "out"

    flown, curated = Dataset.open(out / "flown"), Dataset.open(out / "curated")
    assert flown.num_episodes == 16
    assert 0 < curated.num_episodes < 16
    assert all(curated.episodes["success"].to_pylist())
    flights = set(flown.episodes["flight_id"].to_pylist())
    assert set(curated.episodes["flight_id"].to_pylist()) < flights
    rows = sum(pq.read_metadata(path).num_rows for path in (out / "curated" / "data").rglob("*.parquet"))
    assert rows == curated.num_frames

    evaluations = {path.stem: json.loads(path.read_text()) for path in (out / "eval").glob("*.json")}
    assert set(evaluations) == {"bc", "diffusion", "scripted", "nothing"}
    seeds = {tuple(evaluation["seeds"]) for evaluation in evaluations.values()}
    assert len(seeds) == 1, "every pilot flies the same positions"
    assert evaluations["scripted"]["successes"] == 2
    assert evaluations["nothing"]["successes"] == 0
    for line in ("scripted", "hold", "bc", "diffusion"):
        assert line in result.stdout
    # Every command is shown as it ran.
    for verb in ("hub serve", "record", "score", "edit drop", "publish", "train", "eval", "compare"):
        assert f"$ demodeck {verb}" in result.stderr
    # The Hub that the demo started has ended with it.
    host, _, port = (out / "hub.address").read_text().strip().removeprefix("http://").partition(":")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0
