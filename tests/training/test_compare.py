"""`demodeck compare`: paired by seed, honest where pairing fails, one line where a file is wrong."""

from __future__ import annotations

import json

import pytest

import demodeck
from training.compare import compare, table
from training.intervals import wilson


def result(name, outcomes, first_seed=5000):
    """An evaluation in which seed `first_seed + i` ended as `outcomes[i]`."""
    flights = [
        {"seed": first_seed + i, "success": bool(won), "reward": float(won), "ticks": 100, "reason": "time"}
        for i, won in enumerate(outcomes)
    ]
    n, k = len(outcomes), sum(outcomes)
    return {
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
    text = table(compare([result("bc", [1] * 9 + [0]), result("hold", [0] * 10)], baseline="bc"))
    head, bc, hold = text.splitlines()
    assert head.split()[:4] == ["name", "n", "succeeded", "rate"]
    assert "90.0%" in bc
    assert "59.6% to 98.2%" in bc
    assert hold.endswith("0.0039")
    assert len(head) == len(hold)


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


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read"), ("{", "is not JSON"), ("{}", "is no evaluation")]
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
