"""SQL of a stranger's: what it may see, and all that it may not reach."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from flown import STATE, fly, record

from collector.dataset import schema
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.saved import Selections
from collector.dataset.select import episode_values, frame_values, query, select_episodes
from collector.errors import UsageError

FEATURES = schema.features_for(STATE, STATE, {})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("sealed") / "set"
    record(
        root,
        [fly(seed, 5 + seed, FEATURES, task="pick" if seed < 2 else "place") for seed in range(4)],
        features=FEATURES,
    )
    labels = Labels(root)
    labels.set([0, 1], "verdict", "keep", "ana")
    labels.set([1], "rating", 5, "ana")
    labels.set([1, 2], "tags", ["wet", "slow"], "ben")
    labels.set([2], "weight", 0.25, "ben")
    segments = [
        {"from_frame": 0, "to_frame": 2, "text": "reach"},
        {"from_frame": 2, "to_frame": 5, "text": "grasp"},
    ]
    labels.set([3], "segments", segments, "ana")
    return Dataset.open(root)


HOSTILE = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_parquet('https://example.com/x.parquet')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'data/chunk-000/file-000.parquet'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('episodes')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT getenv('HOME')",
    "SELECT current_setting('temp_directory')",
    "SELECT write_log('x')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "WITH x AS (SELECT * FROM read_csv('/etc/passwd')) SELECT * FROM x",
    "SELECT * FROM episodes; SELECT * FROM read_csv('/etc/passwd')",
    "SELECT 1) UNION SELECT * FROM read_csv('/etc/passwd') --",
    "SELECT * FROM dataset",
    "DESCRIBE SELECT * FROM '/etc/passwd'",
    "SUMMARIZE '/etc/passwd'",
    "COPY episodes TO '/tmp/stolen.csv'",
    "COPY (SELECT 1) TO '/tmp/stolen.csv'",
    "ATTACH '/tmp/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "CREATE TABLE t AS SELECT 1",
    "DROP VIEW episodes",
    "EXPORT DATABASE '/tmp/stolen'",
    "CALL pragma_version()",
    "EXPLAIN ANALYZE SELECT 1",
    "CHECKPOINT",
    "SELECT " + "(" * 3000 + "1" + ")" * 3000,
]


@pytest.mark.parametrize("sql", HOSTILE)
def test_what_a_query_may_not_do(dataset, sql, tmp_path):
    with pytest.raises(UsageError) as caught:
        query(dataset, sql)
    assert len(str(caught.value).splitlines()) == 1
    # Nor as a condition, nor saved in the dataset by a stranger.
    with pytest.raises(UsageError):
        select_episodes(dataset, f"EXISTS ({sql})")
    Selections(dataset.root).file.append([{"author": "eve", "name": "free", "sql": sql}])
    for text in ("@free", "@free and true", "SELECT * FROM episodes WHERE @free"):
        with pytest.raises(UsageError):
            select_episodes(dataset, text)
    assert not Path("/tmp/stolen.csv").exists() and not Path("/tmp/stolen").exists()


def test_what_a_query_sees(dataset):
    n = int(dataset.lengths().sum())
    assert query(dataset, "SELECT count(*) FROM frames")[1] == [(n,)]
    names, rows = query(
        dataset, "SELECT episode_index, max(frame_index) AS last FROM frames GROUP BY 1 ORDER BY 1"
    )
    assert names == ["episode_index", "last"] and rows == [(0, 4), (1, 5), (2, 6), (3, 7)]
    assert query(dataset, "FROM segments")[1] == [(3, 0, 2, "reach"), (3, 2, 5, "grasp")]
    assert query(dataset, "SELECT task FROM tasks")[1] == [("pick",), ("place",)]
    assert query(dataset, "SELECT author, field, value FROM labels WHERE episode_index = 1 ORDER BY said_at")[
        1
    ] == [
        ("ana", "verdict", "keep"),
        ("ana", "rating", "5"),
        ("ben", "tags", '["wet", "slow"]'),
    ]
    assert query(dataset, "SELECT count(*) FROM findings UNION ALL SELECT count(*) FROM scores")[1] == [
        (0,),
        (0,),
    ]
    joined = """
        SELECT e.task, s.text, avg(f.action[1]) FROM segments s JOIN episodes e USING (episode_index)
        JOIN frames f ON f.episode_index = e.episode_index AND f.frame_index BETWEEN s.from_frame AND s.to_frame - 1
        GROUP BY ALL ORDER BY s.text
    """
    action = dataset.episode(3, ["action"])["action"]
    grasp, reach = query(dataset, joined)[1]
    assert grasp[:2] == ("place", "grasp") and grasp[2] == pytest.approx(action[2:5, 0].mean())
    assert reach[2] == pytest.approx(action[:2, 0].mean())
    assert query(dataset, "WITH x AS (FROM episodes) SELECT sum(weight) FROM x")[1] == [(3.25,)]
    assert [row[0] for row in query(dataset, "DESCRIBE frames")[1]][:2] == ["observation.state", "action"]
    assert query(dataset, "SELECT unnest([1, 2])")[1] == [(1,), (2,)]
    assert episode_values(dataset, "weight") == [1, 1, 0.25, 1]
    assert frame_values(dataset, "frame_index * 2")[:6] == [0, 2, 4, 6, 8, 0]
    assert select_episodes(dataset, "list_contains(tags, 'wet') and rating is null") == [2]
    assert select_episodes(dataset, "SELECT episode_index FROM frames WHERE frame_index = 6") == [2, 3]
    with pytest.raises(UsageError, match="must have the column episode_index"):
        select_episodes(dataset, "SELECT length FROM episodes")


def test_saved_selections(dataset):
    saved = Selections(dataset.root)
    saved.save("good", "verdict = 'keep' -- as I see it", "ana")
    saved.save("rated", "@good and rating >= 4", "ben")
    saved.save("long", "SELECT episode_index FROM frames GROUP BY 1 HAVING count(*) > 5", "ben")
    assert select_episodes(dataset, "@good") == [0, 1]
    assert select_episodes(dataset, "@rated") == [1]
    assert select_episodes(dataset, "not @good and @long") == [2, 3]
    assert query(dataset, "SELECT count(*) FROM frames WHERE @rated")[1] == [(6,)]
    assert select_episodes(dataset, "@good and note is null and '@nobody' != \"task\" -- @nobody") == [0, 1]
    saved.save("good", "verdict = 'drop' or rating = 5", "ana")
    assert select_episodes(dataset, "@good") == [1] and saved.all()["good"]["author"] == "ana"
    with pytest.raises(UsageError, match=r"no selection @god .*there are .*@good"):
        select_episodes(dataset, "@god")
    saved.save("good", "@rated", "ana")
    with pytest.raises(UsageError, match="holds itself"):
        select_episodes(dataset, "@good")
    saved.save("b0", "success", "eve")
    for k in range(1, 30):
        saved.save(f"b{k}", f"@b{k - 1} or @b{k - 1} or @b{k - 1}", "eve")
    with pytest.raises(UsageError, match=r"letters of SQL|holds itself"):
        select_episodes(dataset, "@b15")
    saved.save("good", None, "ana")
    with pytest.raises(UsageError, match="no selection @good"):
        select_episodes(dataset, "@good")
    for wrong in ("a b", "1a", "", "a-b", "é'"):
        with pytest.raises(UsageError, match="is no name"):
            saved.save(wrong, "true", "ana")


def test_memory_and_rows_are_bounded(dataset):
    with pytest.raises(UsageError, match="more than 1000000 rows"):
        query(dataset, "SELECT * FROM range(1000000000000)")
    with pytest.raises(UsageError, match="MB of memory"):
        query(dataset, "SELECT length(repeat('x', 4200000000))")
    with pytest.raises(UsageError, match="MB of memory"):
        query(dataset, "SELECT list(range) FROM range(2000000000)")
    assert query(dataset, "SELECT 1")[1] == [(1,)]


def test_an_endless_query_ends_with_ctrl_c(dataset):
    root = Path(__file__).parents[3]
    endless = "SELECT count(*) FROM range(10000000) a, range(10000000) b, episodes WHERE hash(a.range + b.range) = 7"
    command = [sys.executable, root / "demodeck.py", "query", dataset.root, endless]
    env = {**os.environ, "PYTHONPATH": str(root)}
    # As from a terminal: what a shell starts in the background ignores Ctrl-C, and so does what that starts.
    process = subprocess.Popen(
        command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    # It computes once it has used a second of processor time beyond its start; then it is asked to end.
    used, ticks = Path(f"/proc/{process.pid}/stat"), os.sysconf("SC_CLK_TCK")
    while int(used.read_text().rsplit(")", 1)[1].split()[11]) < 4 * ticks:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130 and "interrupted" in err and "Traceback" not in err and out == ""
