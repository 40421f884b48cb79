"""Runs `demodeck train`, kills it by SIGKILL at chosen moments, resumes it, and says where that made a difference.

    python killed_runs.py DATASET FOLDER EVERY FLAG...

A moment is each gradient step and each thing done to the disk from Python: a write, sync, rename or removal. Every
EVERY-th moment of an uninterrupted run gets a run of its own that dies there, is resumed, dies again half as many
moments later, and is resumed to its end. Prints one JSON line: how many moments there are, and what differed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

import demodeck
import training.boards
import training.run
import training.train
from training.folder import BUILDING

RESUME = ["train", "--resume=true"]
SEEMS_KILLED = -signal.SIGKILL
TIMES = ("samples_per_s", "steps_per_s", "seconds")


class Moments:
    """Counts the moments of this process, and kills it at one of them."""

    def __init__(self, deadly=None):
        self.n, self.deadly = 0, deadly
        for owner, name in (
            (os, "write"), (os, "fsync"), (os, "replace"), (os, "rename"), (os, "symlink"), (os, "mkdir"),
            (os, "unlink"), (shutil, "rmtree"),
            (training.run, "save_file"), (training.run, "save_optimizer_state"),
            (training.run, "write_card"), (training.run.TrainingRun, "update"),
        ):  # fmt: skip
            self.count(owner, name)

    def count(self, owner, name):
        real = getattr(owner, name)

        def counted(*args, **kwargs):
            self.n += 1
            if self.n == self.deadly:
                if name == "write":  # torn
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        setattr(owner, name, counted)


def forked(args, report, deadly=None):
    """Run the command in a fork; returns how it ended. It writes how many moments it had."""
    child = os.fork()
    if child == 0:
        with report.with_suffix(".log").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        torch.set_num_threads(1)
        moments = Moments(deadly)
        code = demodeck.main(args)
        report.write_text(str(moments.n))
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def carry_on(run, begin, report, deadly):
    """Resume a run; before its folder is there nothing is to be resumed, and the command is given once more."""
    return forked(
        [*RESUME, f"--output_dir={run}"] if run.exists() else [*begin, f"--output_dir={run}"], report, deadly
    )


def result(run):
    """What must not depend on having been killed."""
    last = run / "checkpoints" / "last"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows = [row.split(",") for row in (run / "metrics.csv").read_text().splitlines()]
    weights = {}
    for part in ("pretrained_model/model", "training_state/raw_weights", "training_state/optimizer_state"):
        weights |= {f"{part}:{k}": v for k, v in load_file(last / f"{part}.safetensors").items()}
    return {
        "step": last.readlink().name,
        "weights": weights,
        "metrics": [{k: v for k, v in line.items() if k not in TIMES} for line in lines],
        "csv": [row[:6] for row in rows],
        "seconds ascend": sorted(line["seconds"] for line in lines) == [line["seconds"] for line in lines],
        "left over": [path.name for path in [*run.rglob(".*"), *run.parent.glob(f"{BUILDING}{run.name}*")]],
    }


def differences(found, wanted):
    """The names of what differs."""
    bad = [name for name in wanted if name != "weights" and found[name] != wanted[name]]
    bad += [
        name for name, value in wanted["weights"].items() if not torch.equal(value, found["weights"][name])
    ]
    return bad


def main():
    dataset, folder, every, *flags = sys.argv[1:]
    folder = Path(folder)
    begin = ["train", f"--dataset.root={dataset}", *flags]
    report = folder / "report"
    whole = folder / "whole"
    assert forked([*begin, f"--output_dir={whole}"], report) == 0
    wanted, n = result(whole), int(report.read_text())
    differing = {}
    for deadly in range(1, n + 1, int(every)):
        run = folder / f"at-{deadly}"
        ends = [forked([*begin, f"--output_dir={run}"], report, deadly)]
        ends += [carry_on(run, begin, report, again) for again in (max(1, deadly // 2), None)]
        bad = [] if ends[0] == SEEMS_KILLED and ends[-1] == 0 else [f"ended {ends}"]
        with contextlib.suppress(FileNotFoundError):
            bad += differences(result(run), wanted)
        if bad:
            differing[deadly] = bad
        shutil.rmtree(run, ignore_errors=True)
    print(
        json.dumps(
            {"moments": n, "differing": differing, "steps": [line["step"] for line in wanted["metrics"]]}
        )
    )


if __name__ == "__main__":
    main()
