"""`demodeck compare`: paired by seed, honest where pairing fails, one line where a file is wrong."""

from __future__ import annotations

import json
import random

import pytest

import demodeck
from training.compare import compare
from training.compare_tables import tables
from training.intervals import clopper_pearson, mcnemar_exact, wilson
from training.sequential import confidence_sequence


def result(name, outcomes, first_seed=5000, scores=None, against=None):
    """An evaluation in which seed `first_seed + i` ended as `outcomes[i]`; without scores as older files."""
    flights = [
        {"seed": first_seed + i, "success": bool(won), "reward": float(won), "ticks": 100, "reason": "time"}
        for i, won in enumerate(outcomes)
    ]
    for flight, score in zip(flights, scores or []):
        flight["max_reward"] = score
    n, k = len(outcomes), sum(outcomes)
    scored = {} if scores is None else {"mean_max_reward": sum(scores) / n}
    stopped = {} if against is None else {"against": {"name": against}}
    return {
        **scored,
        **stopped,
        "name": name,
        "n": n,
        "successes": k,
        "rate": k / n,
        "wilson_95": list(wilson(k, n)),
        "mean_time_s": 5.0 if k else None,
        "seeds": [flight["seed"] for flight in flights],
        "flights": flights,
    }


def test_p_counts_only_seeds_where_the_two_differ():
    comparison = compare([result("bc", [1, 1, 0, 0, 0, 0]), result("dp", [0, 1, 1, 1, 1, 0])])
    first, second = comparison["rows"]
    assert first["p"] is None
    assert (second["only_this"], second["only_baseline"], second["n_paired"]) == (3, 1, 6)
    assert second["p"] == pytest.approx(2 * (1 + 4) / 16)
    assert comparison["warnings"] == []


def test_other_seeds_are_said_and_leave_no_p():
    comparison = compare([result("a", [1, 0]), result("b", [1, 1], first_seed=9000)])
    assert comparison["rows"][1]["p"] is None
    assert "unpaired" in comparison["warnings"][0]


def test_partly_shared_seeds_are_paired_where_shared():
    comparison = compare([result("a", [1, 0, 0]), result("b", [1, 1, 1], first_seed=5001)])
    assert comparison["rows"][1]["n_paired"] == 2
    assert "2 in common" in comparison["warnings"][0]


def test_table_shows_every_column_aligned():
    text = tables(compare([result("bc", [1] * 9 + [0]), result("hold", [0] * 10)], baseline="bc"))
    head, bc, hold = text.splitlines()[:3]
    assert head.split()[:4] == ["name", "n", "succeeded", "rate"]
    assert "90.0%" in bc
    assert "59.6% to 98.2%" in bc
    assert hold.endswith("0.0039")
    assert len(head) == len(hold)


def test_what_is_claimed_is_exact_and_older_files_get_it_too():
    rows = compare([result("bc", [1] * 9 + [0])])["rows"]
    assert rows[0]["clopper_pearson_95"] == list(clopper_pearson(9, 10))
    assert "55.5% to 99.7%" in tables(compare([result("bc", [1] * 9 + [0])]))


def test_the_anytime_p_takes_the_largest_evidence_on_the_way():
    """After seven wins in a row e is 26.8; that later wins and losses are equal takes nothing back."""
    row = compare([result("bc", [0] * 7 + [1] * 7), result("dp", [1] * 7 + [0] * 7)])["rows"][1]
    assert row["p_anytime"] == pytest.approx(1 / 26.8125)
    assert row["e_value"] < 1
    assert row["p"] == 1


def test_rewards_are_compared_seed_by_seed():
    ours, theirs = [0.9, 0.8, 1.0, 0.7] * 10, [0.5, 0.6, 0.4, 0.6] * 10
    row = compare([result("bc", [0] * 40, scores=theirs), result("dp", [0] * 40, scores=ours)])["rows"][1]
    assert row["score_difference"] == pytest.approx(sum(ours) / 40 - sum(theirs) / 40)
    low, high = row["score_difference_95"]
    assert 0.2 < low < row["score_difference"] < high < 0.45


def test_few_seeds_are_said_to_make_too_narrow_an_interval():
    pair = [result("a", [0] * 5, scores=[0.1] * 5), result("b", [1] * 5, scores=[0.2, 0.3, 0.4, 0.1, 1.0])]
    (warning,) = compare(pair)["warnings"]
    assert "too narrow" in warning
    assert compare([result("a", [0] * 5), result("b", [1] * 5)])["warnings"] == []


def test_a_stopped_evaluation_shows_no_interval_for_a_fixed_number():
    bc = result("bc", [1] * 20, scores=[1.0] * 20)
    hold = result("hold", [0] * 7, scores=[0.0] * 6 + [0.5], against="bc")
    comparison = compare([bc, hold])
    row = comparison["rows"][1]
    assert (row["p"], row["score_difference_95"]) == (None, None)
    assert row["p_anytime"] == pytest.approx(1 / 26.8125)
    (warning,) = comparison["warnings"]
    assert "until it was decided" in warning
    text = tables(comparison)
    low, high = confidence_sequence(0, 7)
    assert "0.0%*" in text
    assert f"{low:.1%} to {high:.1%}" in text
    assert "biased" in text
    assert f"{wilson(0, 7)[1]:.1%}" not in text
    assert f"{clopper_pearson(0, 7)[1]:.1%}" not in text


def test_more_than_two_are_ranked_by_corrected_tests():
    results = [result("bad", [0] * 30), result("good", [1] * 29 + [0]), result("best", [1] * 30)]
    comparison = compare(results)
    assert [p["name"] for p in comparison["ranks"]["policies"]] == ["best", "good", "bad"]
    assert [p["letters"] for p in comparison["ranks"]["policies"]] == ["a", "a", "b"]
    assert comparison["ranks"]["pairs"][0]["p"] == mcnemar_exact(1, 0)
    text = tables(comparison)
    assert "1 best" in text
    assert "30-0!" in text
    assert compare(results[:2])["ranks"] is None


def test_a_stopped_evaluation_is_ranked_by_the_p_that_holds_for_it():
    results = [result("bc", [1] * 20), result("hold", [0] * 7, against="bc"), result("dp", [1] * 20)]
    pairs = {(p["a"], p["b"]): p["p"] for p in compare(results)["ranks"]["pairs"]}
    assert pairs["bc", "hold"] == pytest.approx(1 / 26.8125)
    assert pairs["bc", "dp"] == 1.0


def test_tables_fit_a_hundred_columns():
    rng = random.Random(0)
    results = []
    for name in ("action_diffusion", "bc", "scripted", "hold", "act", "action_diffusion"):
        scores = [rng.random() for _ in range(100)]
        results.append(result(name, [int(score > 0.4) for score in scores], scores=scores))
    results[3] = result("hold", [0] * 100, scores=[0.0] * 100, against="bc")
    results[1] = result("bc", [1] * 100, scores=[1.0] * 100)
    assert max(map(len, tables(compare(results)).splitlines())) <= 100


def test_other_ways_of_flying_are_said():
    bc, dp = (
        result("bc", [1, 0]) | {"fps": 20, "robot": "r"},
        result("dp", [1, 0]) | {"fps": 30, "robot": "r"},
    )
    assert "fps: 30 and 20" in compare([bc, dp])["warnings"][0]


def test_seeds_of_different_robots_are_not_paired():
    arm, pusht = result("arm", [1, 0]) | {"robot": "sim_so101"}, result("t", [1, 0]) | {"robot": "sim_pusht"}
    comparison = compare([arm, pusht, result("older", [1, 0])])
    assert comparison["rows"][1]["p"] is None
    assert comparison["rows"][2]["p"] == 1
    assert comparison["warnings"] == [
        "'t' and 'arm' flew different robots (sim_pusht and sim_so101): unpaired, so no p"
    ]
    assert "? unpaired" in tables(comparison)


def test_same_names_are_told_apart():
    assert [r["name"] for r in compare([result("bc", [1]), result("bc", [0])])["rows"]] == ["bc", "bc#2"]


def test_command_prints_table_and_json(tmp_path, capsys):
    paths = []
    for name, outcomes in (("bc", [1, 0]), ("dp", [1, 1])):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(result(name, outcomes)))
    assert demodeck.main(["compare", *map(str, paths)]) == 0
    assert "p vs bc" in capsys.readouterr().out
    assert demodeck.main(["compare", *map(str, paths), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][1]["p"] == 1.0


DAMAGED = result("bc", [1, 0])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("{}", "is no evaluation"),
        (json.dumps(DAMAGED | {"successes": 2}), "1 of 2 flights succeeded, and it says 2 of 2"),
        (json.dumps(DAMAGED | {"flights": [{"seed": 1}]}), "not every flight has a seed and an outcome"),
        (json.dumps(DAMAGED | {"flights": DAMAGED["flights"][:1] * 2}), "a seed was flown twice"),
        (json.dumps(DAMAGED | {"flights": []}), "nothing was flown"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, capsys, content, says):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    assert demodeck.main(["compare", str(path)]) == 3
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


def test_an_unknown_baseline_names_the_choices(tmp_path, capsys):
    path = tmp_path / "bc.json"
    path.write_text(json.dumps(result("bc", [1])))
    assert demodeck.main(["compare", str(path), "--baseline=act"]) == 2
    assert "choose one of bc" in capsys.readouterr().err
