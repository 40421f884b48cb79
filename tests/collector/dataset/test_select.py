"""Choosing episodes by SQL: what it sees, and what it refuses."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flown import FPS, STATE, fly, record

from collector.dataset import schema
from collector.dataset.durable import write_bytes
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.select import episode_view, select_episodes
from collector.dataset.tables import episode_files, highest, parquet_bytes, read_episodes, read_parquet
from collector.dataset.views import _tasks as view_tasks
from collector.dataset.views import episodes
from collector.errors import DataError, UsageError

FEATURES = schema.features_for(STATE, STATE, {})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets") / "set"
    flights = [fly(seed, 5 + seed, FEATURES, task="pick" if seed < 3 else "place") for seed in range(5)]
    record(root, flights, features=FEATURES)
    labels = Labels(root)
    labels.set([0, 1, 2], "verdict", "keep", "ana")
    labels.set([1], "success", True, "ana")
    labels.set([4], "verdict", "drop", "ana")
    labels.set([4], "note", "it's jerky", "ana")
    scores = [(e, check, float(e) / 4) for e in range(5) for check in ("lag", "chatter")]
    columns = dict(
        zip(("episode_index", "check", "score"), map(list, zip(*scores, strict=True)), strict=True)
    )
    write_bytes(root / "curation" / "scores.parquet", parquet_bytes(pa.table(columns)))
    found = {"episode_index": [2, 2, 4], "check": ["lag"] * 3, "severity": ["fault", "warn", "fault"]}
    write_bytes(root / "curation" / "findings.parquet", parquet_bytes(pa.table(found)))
    return Dataset.open(root)


@pytest.mark.parametrize(
    ("condition", "chosen"),
    [
        (None, [0, 1, 2, 3, 4]),
        ("verdict = 'keep' and success", [0, 1, 2]),
        ("success", [0, 1, 2, 4]),  # even seeds succeeded, and the label of 1 wins
        ("verdict IS NULL", [3]),
        ("note LIKE '%jerky%' -- a comment", [4]),
        ("lag > 0.4 and chatter < 0.8", [2, 3]),
        ("faults = 0 and warnings = 0", [0, 1, 3]),
        ("task = 'place' and pilot = 'scripted'", [3, 4]),
        (f"duration_s >= {8 / FPS}", [3, 4]),
        ("length = (SELECT max(length) FROM episodes)", [4]),
        ("note = 'a;b)' or episode_index = 1", [1]),
    ],
)
def test_conditions(dataset, condition, chosen):
    assert select_episodes(dataset, condition) == chosen


@pytest.mark.parametrize(
    "condition",
    [
        "lenght > 3",
        "length >",
        "",
        "true; DROP TABLE stored",
        "1=1) UNION SELECT 7 FROM episodes WHERE (1=1",
        "true) --",
        "EXISTS (SELECT * FROM read_csv('/etc/hostname'))",
        "EXISTS (SELECT * FROM '/etc/hostname')",
        "EXISTS (SELECT * FROM glob('/*'))",
        "EXISTS (SELECT * FROM dataset)",
        "true ORDER BY 1",
        "verdict = 'never'",
        "length + 1",
        "'text'",
    ],
)
def test_what_is_refused_is_said_on_one_line_with_the_columns(dataset, condition):
    if condition == "length + 1":
        assert select_episodes(dataset, condition) == [0, 1, 2, 3, 4]  # SQL takes a number for true
        return
    with pytest.raises(UsageError) as caught:
        select_episodes(dataset, condition)
    message = str(caught.value)
    assert "\n" not in message and "columns: episode_index" in message and "verdict" in message


def test_the_view_can_reach_no_file_and_cannot_be_unlocked(dataset, tmp_path):
    import duckdb

    with episode_view(dataset) as connection:
        assert connection.execute("SELECT count(*) FROM episodes").fetchone() == (5,)
        for query in (
            f"COPY episodes TO '{tmp_path / 'out.csv'}'",
            "SET enable_external_access = true",
            f"ATTACH '{tmp_path / 'x.db'}'",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(query)


def test_a_set_without_labels_scores_or_our_columns(tmp_path):
    from lerobot.datasets import LeRobotDataset

    theirs = LeRobotDataset.create(
        "test/plain",
        10,
        {"action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]}},
        root=tmp_path / "s",
    )
    for _ in range(2):
        for _ in range(3):
            theirs.add_frame({"action": fly(0, 1).columns["action"][0][:2], "task": "t"})
        theirs.save_episode()
    theirs.finalize()
    dataset = Dataset.open(tmp_path / "s")
    assert select_episodes(dataset, "verdict IS NULL and success IS NULL and length = 3") == [0, 1]


@pytest.mark.parametrize("tasks", [[["b"], ["a", "b"], []], [["b"], ["a", "b"], None]])
def test_an_episode_s_task_is_its_first_and_of_none_null(tmp_path, tasks):
    root = tmp_path / "set"
    record(root, [fly(seed, 5, FEATURES) for seed in range(3)], features=FEATURES)
    dataset = Dataset.open(root)
    at = dataset.episodes.schema.get_field_index("tasks")
    dataset.episodes = dataset.episodes.set_column(at, "tasks", pa.array(tasks, pa.list_(pa.string())))
    assert episodes(dataset)["task"].to_pylist() == ["b", "a", None]
    dataset.episodes = dataset.episodes.slice(1)  # part of a table begins within its words
    assert view_tasks(dataset.episodes) == ["a", None]


def test_a_table_out_of_order_is_put_in_order(tmp_path):
    root = tmp_path / "set"
    record(root, [fly(seed, 5 + seed, FEATURES) for seed in range(4)], features=FEATURES)
    path = max(episode_files(root))
    whole = read_episodes(root, with_stats=True)
    for file in episode_files(root):
        file.unlink()
    write_bytes(path, parquet_bytes(whole.take([2, 0, 3, 1])))
    assert Dataset.open(root).lengths().tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize("noted", [True, False])
def test_the_highest_number_of_a_file(tmp_path, noted):
    path = tmp_path / "scores.parquet"
    table = pa.table({"words": [["a"]] * 7, "episode_index": [3, 0, 6, 1, 2, 6, 5]})
    pq.write_table(table, path, row_group_size=3, write_statistics=noted)
    assert highest(path, "episode_index") == 6
    pq.write_table(table.slice(0, 0), path)
    assert highest(path, "episode_index") == -1
    with pytest.raises(DataError, match="has no column 'x'"):
        highest(path, "x")


@pytest.mark.parametrize("order", ["by check", "by episode", "with nulls"])
def test_scores_are_found_in_whatever_order_they_lie(tmp_path, order):
    root = tmp_path / "set"
    record(root, [fly(seed, 5, FEATURES) for seed in range(3)], features=FEATURES)
    rows = [(check, e, 10.0 * c + e) for c, check in enumerate(("lag", "chatter")) for e in (0, 1, 2, 7)]
    if order == "by episode":
        rows.sort(key=lambda row: row[1])
    if order == "with nulls":
        rows.insert(3, (None, 1, 99.0))
    columns = dict(zip(("check", "episode_index", "score"), map(list, zip(*rows, strict=True)), strict=True))
    write_bytes(root / "curation" / "scores.parquet", parquet_bytes(pa.table(columns)))
    table = episodes(Dataset.open(root))
    assert table["lag"].to_pylist() == [0, 1, 2] and table["chatter"].to_pylist() == [10, 11, 12]


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string()])
def test_only_row_groups_that_may_hold_the_episodes_are_read(tmp_path, noted, kind):
    path = tmp_path / "data.parquet"
    episodes = [0, 0, 1, 1, 4, 2, 3, 3, 5, 5]  # in one row group they are not in order
    table = pa.table({"episode_index": pa.array(episodes).cast(kind), "row": range(len(episodes))})
    pq.write_table(table, path, row_group_size=2, write_statistics=noted)

    def rows(*chosen):
        return read_parquet(path, ["row"], episodes=chosen)["row"].to_pylist()

    if noted and kind == pa.int64():
        assert rows(1) == [2, 3] and rows(3) == [4, 5, 6, 7] and rows(9) == []
    else:
        assert rows(1) == rows(9) == list(range(10))
    assert rows(0, 1, 2, 3, 5) == read_parquet(path, ["row"])["row"].to_pylist() == list(range(10))
