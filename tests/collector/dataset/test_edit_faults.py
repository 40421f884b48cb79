"""Whatever instant an edit dies at, and wherever the disk is full: the source is as it was, nothing is half made."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flown import H264, STATE, fly, record
from test_dataset_faults import open_in_lerobot, run_server

from collector.dataset import schema
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.rewrite import write_spans
from collector.dataset.spans import whole_episodes

FEATURES = schema.features_for(STATE, STATE, {"front": (32, 32)})
CAMERA = "observation.images.front"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    root = tmp_path_factory.mktemp("base") / "base"
    record(root, [fly(0, 7, FEATURES), fly(1, 5, FEATURES)], features=FEATURES)
    Labels(root).set([0], "segments", {"add": [{"from_frame": 0, "to_frame": 3, "text": "reach"}]}, "ana")
    return root


def contents(root):
    """Return every file of a folder, by its path in it."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


LENGTHS = {"trim": [3, 5], "merge": [7, 5, 7, 5], "slower": [3, 2]}


def check_made(made, operation):
    """Check that a new dataset is whole: every row and picture of it, in lerobot too."""
    dataset = Dataset.open(made)
    assert dataset.lengths().tolist() == LENGTHS[operation]
    dataset.check_files()
    assert all(len(list(dataset.frames(e, CAMERA))) == n for e, n in enumerate(LENGTHS[operation]))
    assert len(open_in_lerobot(made)) == sum(LENGTHS[operation])


@pytest.mark.parametrize("operation", ["trim", "merge", "slower"])
def test_killed_at_any_step(base, tmp_path, operation):
    before = contents(base)
    cases = run_server(operation, "kill", base, tmp_path / "cases", stride=4)
    assert len(cases) > 5
    made = 0
    for root in cases:
        assert contents(root) == before
        there = {path.name for path in root.parent.iterdir()} - {"set"}
        assert all(
            name == "made" or (name.startswith(".made.") and name.endswith(".partial")) for name in there
        )
        if "made" in there:
            made += 1
            check_made(root.with_name("made"), operation)
    # What a killed edit left is swept away by the next one of that name.
    left = next(
        root for root in cases if not root.with_name("made").exists() and len(list(root.parent.iterdir())) > 1
    )
    write_spans(left.with_name("made"), whole_episodes(Dataset.open(left), [1]))
    assert {path.name for path in left.parent.iterdir()} == {"set", "made"}


@pytest.mark.parametrize("operation", ["trim", "merge"])
def test_full_disk_at_any_step(base, tmp_path, operation):
    before = contents(base)
    for root in run_server(operation, "full", base, tmp_path / "cases", stride=4):
        assert contents(root) == before
        assert {path.name for path in root.parent.iterdir()} == {"set"}


@pytest.mark.parametrize("verb", ["trim", "merge", "apply", "fps"])
def test_no_file_may_grow(base, tmp_path, verb):
    """The system itself refuses: no file may become larger than so many bytes, whoever writes it."""
    import shutil

    root = tmp_path / "set"
    shutil.copytree(base, root)
    Labels(root).set([1], "trim", [1, 4], "ana")
    before = contents(root)
    if verb == "merge":
        shutil.copytree(root, tmp_path / "set2")
    flags = {
        "trim": ["trim", root, "--episode=0", "--frames=1:5"],
        "merge": ["merge", root, tmp_path / "set2"],
        "apply": ["apply", root],
        "fps": ["fps", root, "--fps=5"],
    }[verb]
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); "
        "import demodeck; sys.exit(demodeck.main(sys.argv[2:]))"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "DEMODECK_AUTHOR": "ana"}
    env["PYTHONDONTWRITEBYTECODE"] = (
        "1"  # Python 3.12.1 leaves modules half-written, for whoever imports them next
    )
    refused = 0
    largest = max(len(content) for content in before.values())
    for most in (0, 100, *np.linspace(largest // 3, largest * 2, 3).astype(int)):
        command = [sys.executable, "-c", code, str(most), "edit", *flags, "--output", tmp_path / "made"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert contents(root) == before
        names = {path.name for path in tmp_path.iterdir()} - {"set", "set2"}
        if done.returncode == 0:
            assert names == {"made"}
            Dataset.open(tmp_path / "made").check_files()
            shutil.rmtree(tmp_path / "made")
        else:
            refused += 1
            assert done.returncode == 6 and "disk is full" in done.stderr and names == set(), done.stderr
    assert refused >= 2


def test_h264_is_what_these_sets_are_of(base):
    """A keyframe every second frame: a third of the frames a second must be encoded anew."""
    assert H264["vcodec"] == "h264" and Dataset.open(base).features[CAMERA]["info"]["video.codec"] == "h264"
