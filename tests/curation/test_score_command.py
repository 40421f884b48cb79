"""`demodeck score`: finds the bad flights, stores what it found, and never overrides a person."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from arm_dataset import FAULTY, N_EPISODES, record
from synthetic_arm import FPS, NAMES, flight

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from curation.checks.registry import CHECKS
from curation.run import score_dataset


def faulty(out):
    return {episode for check in json.loads(out)["checks"].values() for episode in check["faults"]}


def test_score_finds_the_faulty_flights_and_stores_them(arm, curate):
    code, out, _ = curate("score", "arm", "--json")
    assert code == 0
    assert faulty(out) == set(FAULTY)
    assert json.loads(out)["checks"]["no_success"]["warnings"] == [5]
    scores = pq.read_table(arm / "curation" / "scores.parquet").to_pylist()
    names = {c.name for c in CHECKS if not c.video}
    assert {(r["episode_index"], r["check"]) for r in scores} == {
        (e, n) for e in range(N_EPISODES) for n in names
    }
    assert all(r["score"] is not None or r["state"] == "skipped" for r in scores)
    findings = pq.read_table(arm / "curation" / "findings.parquet").to_pylist()
    lengths = Dataset.open(arm).lengths()
    assert {f["episode_index"] for f in findings if f["severity"] == "fault"} == set(FAULTY)
    assert all(0 <= f["from_frame"] < f["to_frame"] <= lengths[f["episode_index"]] for f in findings)
    assert {p.name for p in (arm / "curation").iterdir()} == {".cache", "scores.parquet", "findings.parquet"}


def test_the_table_names_checks_episodes_and_what_was_not_evaluated(arm, curate):
    code, out, err = curate("score", "arm")
    assert code == 0 and err == ""
    assert "glitch" in out and "stall" in out and "14 episodes: 3 with faults" in out
    code, out, _ = curate("score", "arm", "--explain", "7")
    assert "standing still" in out and "fault" in out


def test_a_set_in_which_nothing_is_found_is_stored_too(curate, tmp_path):
    record(tmp_path / "one", [flight(0)])
    code, out, err = curate("score", tmp_path / "one")
    assert code == 0 and err == "" and "1 episodes: 0 with faults, 0 with warnings only" in out
    assert pq.read_table(tmp_path / "one" / "curation" / "findings.parquet").num_rows == 0


def test_scores_are_columns_of_the_query(arm, curate):
    curate("score", "arm")
    code, out, _ = curate("query", "arm", "faults > 0 and stall > 1", "--columns", "episode_index", "--json")
    assert code == 0 and json.loads(out) == [{"episode_index": 7}]


def test_drop_faults_never_overrides_a_person(arm, curate):
    curate("label", "arm", "3", "--verdict", "keep")
    curate("label", "arm", "11", "--verdict", "drop")
    curate("label", "arm", "11", "--verdict", "none")
    code, out, _ = curate("score", "arm", "--drop-faults", "--json")
    assert code == 0 and list(json.loads(out)["dropped"]) == ["7"]
    history = Labels(arm).history(7)
    assert {line["author"] for line in history} == {"check:stall"}
    assert {line["field"]: line["value"] for line in history}["verdict"] == "drop"
    assert "standing still" in Labels(arm).current()[7]["note"]
    assert Labels(arm).current()[3] == {"verdict": "keep"} and 11 not in Labels(arm).current()
    before = len(Labels(arm).history())
    curate("score", "arm", "--drop-faults")
    assert len(Labels(arm).history()) == before


def test_undo_takes_back_an_automatic_verdict(arm, curate):
    curate("score", "arm", "--drop-faults")
    for _ in FAULTY:
        curate("label", "arm", "--undo")
    assert not any("verdict" in fields for fields in Labels(arm).current().values())


def test_warnings_drop_where_the_curator_says_so_and_each_check_can_be_taken_back(arm, curate):
    curate("label", "arm", "3", "--verdict", "keep")
    assert "no_success 1" not in curate("score", "arm", "--drop=faults")[1]
    code, out, _ = curate("score", "arm", "--drop=warnings")
    assert code == 0 and "on 1 episode: 5 " in out and "for warnings only: no_success 1" in out
    assert "chance accuses" in out and "for faults" not in out
    curate("label", "arm", "--undo", "--by", "check:no_success")
    current = Labels(arm).current()
    assert {e for e in current if current[e].get("verdict") == "drop"} == {7, 11}
    code, out, _ = curate("score", "arm", "--drop=warnings", "--json")
    assert code == 0 and json.loads(out)["dropped_by"] == {"5": "no_success"}


def test_processes_and_no_processes_agree_with_video(arm):
    dataset = Dataset.open(arm)
    alone, pool = (score_dataset(dataset, video=True, jobs=jobs) for jobs in (1, 2))
    assert alone.findings == pool.findings
    assert "frozen" in alone.scores and not any(alone.skipped["dark"])
    for name, scores in alone.scores.items():
        np.testing.assert_array_equal(scores, pool.scores[name])


def test_names_of_joints_reach_the_messages(arm):
    scoring = score_dataset(Dataset.open(arm))
    spike = next(f for f in scoring.findings if (f.episode_index, f.check) == (3, "glitch"))
    assert any(name in spike.message for name in NAMES)
    assert math.isclose(Dataset.open(arm).fps, FPS)


def test_bad_input_is_one_line(arm, refuses, tmp_path):
    refuses("score", "nowhere", words=["nowhere"], code=3)
    refuses("score", "arm", "--explain", "99", words=["no episode 99"], code=2)
    refuses("score", "arm", "--jobs", "0", words=["--jobs"], code=2)
    refuses("score", "arm", "--drop", "scores", words=["faults", "warnings"], code=2)
    refuses("score", "arm", "--drop-faults", "--drop=warnings", words=["not allowed"], code=2)
    refuses("score", "arm", "--vidoe", words=["--vidoe"], code=2)
    info = json.loads((arm / "meta" / "info.json").read_text())
    (arm / "meta" / "info.json").write_text(json.dumps(info | {"codebase_version": "v2.1"}))
    refuses("score", "arm", words=["v2.1", "convert_dataset_v21_to_v30"], code=3)
    (arm / "meta" / "info.json").write_text(json.dumps(info))
    next((arm / "data").rglob("*.parquet")).unlink()
    refuses("score", "arm", words=["missing"], code=3)
    (tmp_path / "folder").mkdir()
    refuses("score", "folder", words=["meta/info.json"], code=3)


def test_damaged_parquet_is_one_line(arm, refuses):
    path = next((arm / "data").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refuses("score", "arm", code=3)


@pytest.mark.skipif("not config.rootpath.parent.joinpath('shared/data/pusht_human').exists()")
def test_false_alarms_on_flights_by_people(pytestconfig):
    dataset = Dataset.open(pytestconfig.rootpath.parent / "shared" / "data" / "pusht_human")
    scoring = score_dataset(dataset)
    assert len(scoring.faulty()) <= 2  # of 206
    assert len({f.episode_index for f in scoring.findings}) <= 6


def test_a_place_that_cannot_be_written_is_one_line(arm, refuses):
    (arm / "curation").write_text("a file where a folder should be")
    refuses("score", "arm", words=["curation", "cannot be written"], code=6)


def test_episodes_recorded_after_scoring_are_mentioned(arm, curate):
    curate("score", "arm")
    assert "not scored" not in curate("query", "arm")[2]
    record(arm, [flight(77)], resume=True)
    code, _, err = curate("query", "arm", "faults > 0")
    assert code == 0 and "1 episode not scored yet" in err
