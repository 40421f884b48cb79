"""`demodeck query`: SQL over episodes, labels and scores."""

import json

from arm_dataset import N_EPISODES


def test_the_issue_s_own_query(arm, curate):
    curate("label", "arm", "2-6", "--verdict", "keep")
    code, out, err = curate("query", "arm", "verdict = 'keep' and success")
    assert code == 0 and "4 of 14 episodes" in err
    head, _, *rows = out.splitlines()
    assert head.split()[:4] == ["episode_index", "length", "duration_s", "success"]
    assert [int(row.split()[0]) for row in rows] == [2, 3, 4, 6]


def test_without_a_condition_all_are_listed(arm, curate):
    code, out, _ = curate("query", "arm", "--json")
    rows = json.loads(out)
    assert code == 0 and [r["episode_index"] for r in rows] == list(range(N_EPISODES))
    assert rows[5]["success"] is False and rows[0]["verdict"] is None and rows[0]["seed"] == 100


def test_columns_are_chosen_in_order(arm, curate):
    code, out, _ = curate("query", "arm", "seed >= 112", "--columns", "seed, episode_index", "--json")
    assert code == 0
    assert json.loads(out) == [{"seed": 112, "episode_index": 12}, {"seed": 113, "episode_index": 13}]


def test_what_is_wrong_is_said_in_one_line(arm, refuses):
    refuses("query", "arm", "verdict = = 'keep'", words=["verdict", "columns: episode_index"], code=2)
    refuses("query", "arm", "nosuch > 3", words=["nosuch", "columns"], code=2)
    refuses("query", "arm", "1; DROP TABLE episodes", words=[";"], code=2)
    refuses("query", "arm", "episode_index > 99", words=["none of 14"], code=2)
    refuses("query", "arm", "", code=2)
    refuses("query", "arm", "--columns", "nosuch", words=["nosuch", "columns"], code=2)
    refuses("query", "arm", "--columns", ",", words=["columns"], code=2)
    refuses("query", "nowhere", words=["nowhere"], code=3)
    refuses("query", words=["DATASET"], code=2)
