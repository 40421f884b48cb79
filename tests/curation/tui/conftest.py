"""A dataset that was scored, with labels by two people; and the terminal of these tests."""

import shutil

import pytest

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from curation.run import rank_dataset, score_dataset
from curation.store import store

SAID = [
    ("bob", [2, 4, 6], "verdict", "keep"),
    ("bob", [2], "note", "smooth, but slow"),
    ("cleo", [2, 4], "verdict", "drop"),
    ("cleo", [4], "note", "touches the rim"),
    ("cleo", [6], "verdict", "keep"),
    ("cleo", [6], "tags", ["left", "slow"]),
]


@pytest.fixture(scope="session")
def scored(recorded, tmp_path_factory):
    """The recorded set with its scores; nobody writes to it."""
    root = tmp_path_factory.mktemp("scored") / "arm"
    shutil.copytree(recorded, root)
    dataset = Dataset.open(root)
    store(root, score_dataset(dataset, jobs=1), False, rank_dataset(dataset))
    shutil.rmtree(root / "curation" / ".cache", ignore_errors=True)
    return root


@pytest.fixture
def judged(scored, tmp_path, monkeypatch):
    """A copy in which bob and cleo differ about episodes 2 and 4, and agree on 6; ann reviews it."""
    root = tmp_path / "arm"
    shutil.copytree(scored, root)
    Labels(root).file.append(
        [
            {
                "id": f"e{n}",
                "at": f"2026-11-30T12:0{n}:00+00:00",
                "author": author,
                "episodes": about,
                "field": f,
                "value": v,
            }
            for n, (author, about, f, v) in enumerate(SAID)
        ]
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEMODECK_AUTHOR", "ann")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return root
