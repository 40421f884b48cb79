"""Sets recorded in other ways: raw servo ticks, speeds for actions, one column alone. Never a traceback."""

import json

import numpy as np
import pytest
from plain_arm import write
from synthetic_arm import NAMES, flight


def ticks(columns):
    """Positions as a servo counts them, 0 to 4095, in state and action."""
    return {name: np.round(2048 + columns[name] * 4096 / 360) for name in ("observation.state", "action")}


def speeds(columns):
    """Actions that are differences of positions."""
    return columns | {"action": np.diff(columns["action"], axis=0, append=columns["action"][-1:])}


def still(columns):
    """A robot that does nothing, and whose readings are all the same."""
    return {name: np.zeros_like(columns[name]) for name in ("observation.state", "action")}


WAYS = {"ticks": ticks, "speeds": speeds, "still": still, "short": lambda c: {k: v[:2] for k, v in c.items()}}


@pytest.mark.parametrize("way", WAYS)
def test_another_way_of_recording_is_scored(tmp_path, curate, way):
    flights = [WAYS[way](flight(seed)) for seed in range(12)]
    write(tmp_path / "set", flights, NAMES)
    code, out, err = curate("score", tmp_path / "set", "--json", "--jobs", "1", "--rank")
    assert code == 0, err
    result = json.loads(out)
    if way == "ticks":  # a whole set in ticks is right in itself
        assert result["findings"] == []
    for check in result["checks"].values():
        assert set(check) >= {"faults"}


def test_one_flight_in_ticks_among_degrees_is_a_fault(tmp_path, curate):
    flights = [flight(seed) for seed in range(12)]
    flights[4] = flights[4] | ticks(flights[4])
    write(tmp_path / "set", flights, NAMES)
    result = json.loads(curate("score", tmp_path / "set", "--json", "--jobs", "1")[1])
    assert {f["episode"] for f in result["findings"]} == {4}
    assert "units" in {f["check"] for f in result["findings"]}


@pytest.mark.parametrize("column", ["observation.state", "action"])
def test_a_set_without_one_of_the_columns_says_what_is_not_evaluable(tmp_path, curate, column):
    import pyarrow.parquet as pq

    root = write(tmp_path / "set", [flight(seed) for seed in range(12)], NAMES)
    path = next((root / "data").rglob("*.parquet"))
    pq.write_table(pq.read_table(path).drop([column]), path)
    info = json.loads((root / "meta" / "info.json").read_text())
    del info["features"][column]
    (root / "meta" / "info.json").write_text(json.dumps(info))
    code, out, err = curate("score", root, "--jobs", "1", "--rank")
    assert code == 0 and "not evaluated" in out, err


def test_markup_in_a_task_stays_text_on_the_page(arm, curate, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>[b]"
    for path in (arm / "meta" / "episodes").rglob("*.parquet"):
        table = pq.read_table(path)
        column = pa.array([[evil]] * len(table))
        pq.write_table(table.set_column(table.schema.get_field_index("tasks"), "tasks", column), path)
    code, _, err = curate("report", "arm", "--output", tmp_path / "page.html", "--no-clips")
    assert code == 0, err
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page and "<img src=x" not in page
