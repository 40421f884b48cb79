"""`demodeck edit apply`: labels become columns that plain lerobot filters by, and segments its language column."""

import json

import numpy as np
import pyarrow as pa
import pytest
from test_edit_command import digest

from collector.dataset import language
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset

LANGUAGE = language.LANGUAGE


def in_lerobot(root, **flags):
    from lerobot.datasets import LeRobotDataset

    return LeRobotDataset("test/applied", root=root, video_backend="pyav", **flags)


def subtask(item):
    """Return what lerobot itself takes to hold at a frame."""
    from lerobot.datasets.language_render import active_at

    row = active_at(float(item["timestamp"]), persistent=item[LANGUAGE], style="subtask")
    return row and row["content"]


def test_labels_become_columns_that_lerobot_filters_by(arm, curate, tmp_path):
    curate("label", "arm", "1,5", "--verdict", "drop", "--note", "slipped", "--author", "ben")
    curate("label", "arm", "0,2", "--verdict", "keep", "--rating", "5")
    curate("label", "arm", "2", "--success", "false", "--weight", "0.5", "--tag", "slow,wet")
    before = digest(arm)
    assert curate("edit", "apply", "arm", "--output=new")[0] == 0 and digest(arm) == before
    new = Dataset.open(tmp_path / "new")
    table = new.episodes.select(["verdict", "success", "weight", "rating", "tags"]).to_pylist()
    assert table[0] == {"verdict": "keep", "success": True, "weight": 1.0, "rating": 5, "tags": []}
    assert table[1] == {
        "verdict": "keep",
        "success": False,
        "weight": 0.5,
        "rating": 5,
        "tags": ["slow", "wet"],
    }
    assert table[2] == {"verdict": None, "success": True, "weight": 1.0, "rating": None, "tags": []}
    for wanted, episodes in (
        (lambda e: e["verdict"] == "keep", [0, 1]),
        (lambda e: e["weight"] < 1 and "wet" in e["tags"], [1]),
        (lambda e: (e["rating"] or 0) >= 4 and e["success"], [0]),
    ):
        chosen = in_lerobot(new.root, episode_filter=wanted)
        assert chosen.episodes == episodes and len(chosen) == new.lengths(episodes).sum()
    manifest = json.loads((new.root / "curation" / "edit.json").read_text())
    assert manifest["decisions"]["authors"] == {"ann": 2, "ben": 2}
    dropped = manifest["decisions"]["dropped"]
    assert [(d["episode"], d["author"], d["note"]) for d in dropped] == [
        (1, "ben", "slipped"),
        (5, "ben", "slipped"),
    ]
    # What a later edit takes over stays a column, and a later label wins over it.
    curate("label", "new", "1", "--verdict", "none")
    curate("label", "new", "0", "--rating", "2")
    assert curate("edit", "drop", "new", "3", "--output=later")[0] == 0
    rows = json.loads(curate("query", "later", "rating is not null", "--columns=verdict,rating", "--json")[1])
    assert rows == [{"verdict": "keep", "rating": 2}, {"verdict": "keep", "rating": 5}]


def test_segments_become_the_language_that_lerobot_reads(arm, curate, tmp_path):
    curate("label", "arm", "0", "--segment", "0:10=reach for the cube", "--segment", "10:25=grasp it")
    curate("label", "arm", "2", "--segment", "5:20=push", "--trim", "10:40")
    assert curate("edit", "apply", "arm", "--output=new")[0] == 0
    new = Dataset.open(tmp_path / "new")
    opened = in_lerobot(new.root)
    first = [subtask(opened[k]) for k in range(30)]
    assert first == ["reach for the cube"] * 10 + ["grasp it"] * 15 + [""] * 5
    start = int(new.lengths([0, 1]).sum())
    assert opened[start - 1][LANGUAGE] == []
    assert [subtask(opened[start + k]) for k in range(14)] == ["push"] * 10 + [""] * 4
    assert Labels(new.root).current()[2]["segments"] == [{"from_frame": 0, "to_frame": 10, "text": "push"}]
    # Our own reader and the other rooms' commands do not stumble over it.
    assert new.episode(0)[LANGUAGE][0][0]["content"] == "reach for the cube"
    assert curate("query", "new", "SELECT count(*) FROM frames")[0] == 0
    # A cut of what has the column already keeps what holds, and what another tool wrote stays.
    assert curate("edit", "trim", "new", "--episode=0", "--frames=15:28", "--output=cut")[0] == 0
    cut = in_lerobot(tmp_path / "cut")
    assert [subtask(cut[k]) for k in range(13)] == ["grasp it"] * 10 + [""] * 3
    curate("label", "cut", "0", "--unsegment", "all")
    curate("label", "cut", "0", "--segment", "0:5=lift")
    curate("edit", "apply", "cut", "--output=again")
    assert [subtask(in_lerobot(tmp_path / "again")[k]) for k in (0, 4, 5)] == ["lift", "lift", ""]


def test_rows_that_another_tool_wrote():
    def rows(*given):
        columns = list(zip(*given, strict=True))
        kinds = (pa.string(), pa.string(), pa.string(), pa.float32(), pa.string(), pa.null())
        names = ("role", "content", "style", "timestamp", "camera", "tool_calls")
        arrays = [pa.array(c, k) for c, k in zip(columns, kinds, strict=True)]
        return pa.StructArray.from_arrays(arrays, names)

    there = rows(
        ("user", "put it away", "task_aug", 0.0, None, None),
        ("user", "tidy up", "task_aug", 0.0, None, None),
        ("assistant", "plan A", "plan", 0.0, None, None),
        ("assistant", "old", "subtask", 0.5, None, None),
        ("assistant", "plan B", "plan", 1.0, None, None),
        ("assistant", "plan C", "plan", 2.0, None, None),
    )
    moved = language.cut(there, 1.2, 0.9).to_pylist()
    assert [(r["content"], round(r["timestamp"], 3)) for r in moved] == [
        ("put it away", 0.0), ("tidy up", 0.0), ("old", 0.0), ("plan B", 0.0), ("plan C", 0.8)
    ]  # fmt: skip
    new = language.segment_rows([{"from_frame": 3, "to_frame": 99, "text": "new"}], 30, 10.0)
    all_rows = language.joined([language.without_subtasks(there), new]).to_pylist()
    assert [r["content"] for r in all_rows] == ["plan A", "put it away", "tidy up", "new", "plan B", "plan C"]
    column = language.repeated(language.joined([new]), 3)
    assert column.type == language.KIND and column.to_pylist()[2][0]["timestamp"] == np.float32(0.3)


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([], []),
        ([(0, 5, "a"), (5, 9, "b")], [(0, "a"), (5, "b"), (9, "")]),
        ([(2, 10, "a")], [(2, "a")]),
        ([(0, 8, "a"), (3, 5, "b")], [(0, "a"), (3, "b"), (5, "a"), (8, "")]),
        ([(0, 4, "a"), (4, 10, "a")], [(0, "a")]),
        ([(12, 15, "beyond")], []),
    ],
)
def test_which_sentence_holds_when(segments, said):
    given = [{"from_frame": a, "to_frame": b, "text": t} for a, b, t in segments]
    assert language.sentences(given, 10) == said
