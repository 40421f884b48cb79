"""`demodeck eval --against`: the other's seeds in its order, no further than needed; what is biased is called so."""

from __future__ import annotations

import json

import pytest

import demodeck
from training import evaluate as module

ROBOT = "--robot.type=sim_so101"
HOLD = [ROBOT, "--teleop.type=hold"]
SEEDS = [*range(712, 700, -1)]


@pytest.fixture
def rival(tmp_path):
    """An evaluation of 12 seeds, in an order of its own, of a pilot that always succeeds."""
    flights = [{"seed": seed, "success": True} for seed in SEEDS]
    path = tmp_path / "rival.json"
    counts = {"n": 12, "successes": 12, "rate": 1.0, "wilson_95": [0.75, 1.0], "mean_time_s": 4.0}
    how = {"name": "rival", "robot": "sim_so101", "fps": 20, "time_limit_s": 0.2}
    path.write_text(json.dumps(counts | how | {"seeds": SEEDS, "flights": flights}))
    return path


@pytest.fixture
def flown(monkeypatch):
    """Flights without a robot: those of the seeds given as successes succeed, and Ctrl-C comes at one if asked."""
    made = {"successes": set(), "interrupt_at": None, "asked": []}

    def in_order(job, seeds, workers, on_done):
        made["asked"], made["flown"] = seeds, job.args[0]
        for i, seed in enumerate(seeds):
            if seed == made["interrupt_at"]:
                raise KeyboardInterrupt
            flight = {"seed": seed, "success": seed in made["successes"], "reward": 0.0, "max_reward": 0.0}
            on_done(dict.fromkeys(seeds[: i + 1], flight))
            yield flight | {"ticks": 4, "reason": "time"}

    monkeypatch.setattr(module, "in_order", in_order)
    return made


def run(tmp_path, capsys, *flags):
    output = tmp_path / "out.json"
    code = demodeck.main(["eval", *HOLD, *flags, f"--output={output}"])
    said = capsys.readouterr()
    return code, json.loads(output.read_text()) if output.exists() else None, said.out, said.err


def test_the_others_seeds_are_flown_in_its_order_until_it_is_decided(rival, tmp_path, capsys):
    """On real processes; seven seeds that the other won decide at 5 %."""
    code, result, out, err = run(tmp_path, capsys, f"--against={rival}", "--workers=2")
    assert code == 0, err
    assert result["seeds"] == SEEDS[:7] == [flight["seed"] for flight in result["flights"]]
    assert (result["decided"], result["e_value"]) == ("worse", pytest.approx(26.8125))
    assert (result["fps"], result["time_limit_s"], result["flights"][0]["ticks"]) == (20, 0.2, 4)
    against = result["against"]
    assert (against["name"], against["n"], against["planned"], against["lost"]) == ("rival", 12, 12, 7)
    assert 7 <= against["flown"] <= 12  # those in the air come on top
    assert "hold is worse than rival" in out
    assert f"{12 - against['flown']} of 12 flights saved" in out


def test_the_rate_is_called_biased_and_its_interval_holds_at_any_time(rival, flown, tmp_path, capsys):
    _, result, out, _ = run(tmp_path, capsys, f"--against={rival}")
    assert "biased" in out
    assert "0% to 48%, valid at any time" in out
    assert result["anytime_95"] == [0.0, pytest.approx(0.4786, abs=1e-4)]
    assert "biased" in result["rate_note"]
    assert f"{result['wilson_95'][1]:.0%}" not in out


def test_episodes_cap_it_and_then_it_is_not_decided(rival, flown, tmp_path, capsys):
    _, result, out, _ = run(tmp_path, capsys, f"--against={rival}", "--episodes=5")
    assert flown["asked"] == SEEDS[:5] == result["seeds"]
    assert result["decided"] is None
    assert "not decided" in out
    assert "fly both from more seeds" in out
    _, result, _, _ = run(tmp_path, capsys, f"--against={rival}", "--episodes=500", "--alpha=0.0001")
    assert result["seeds"] == SEEDS


def test_alpha_says_how_much_evidence_decides(rival, flown, tmp_path, capsys):
    _, result, _, _ = run(tmp_path, capsys, f"--against={rival}", "--alpha=0.2")
    assert result["n"] == 5  # e is 7.9


def test_meanwhile_it_tells_of_flights_in_their_turn_alone(rival, flown, tmp_path, capsys):
    """Whoever saw the outcomes behind them and pressed Ctrl-C would bias the test."""
    _, _, _, err = run(tmp_path, capsys, f"--against={rival}")
    assert "eval: 6/12 flown, 0 succeeded, e 14.4 of 20" in err


def test_pilots_of_one_name_are_told_apart_by_the_file(rival, flown, tmp_path, capsys):
    _, _, out, _ = run(tmp_path, capsys, f"--against={rival}", "--name=rival")
    assert f"rival is worse than that of {rival}" in out


def test_who_is_as_good_is_not_decided(rival, flown, tmp_path, capsys):
    flown["successes"] = set(SEEDS)
    _, result, _, _ = run(tmp_path, capsys, f"--against={rival}")
    assert (result["n"], result["e_value"], result["p_anytime"], result["decided"]) == (12, 1.0, 1.0, None)


def test_ctrl_c_keeps_what_was_flown_for_the_test_may_stop_at_any_time(rival, flown, tmp_path, capsys):
    flown["interrupt_at"] = SEEDS[3]
    code, result, out, err = run(tmp_path, capsys, f"--against={rival}")
    assert code == 130
    assert (result["seeds"], result["interrupted"]) == (SEEDS[:3], True)
    assert "the first 3 are kept" in err
    assert "not decided" in out
    assert "9 flights were left" in out


def test_ctrl_c_without_a_rival_writes_nothing(flown, tmp_path, capsys):
    flown["interrupt_at"] = 5002
    code, result, _, err = run(tmp_path, capsys, "--episodes=9")
    assert (code, result) == (130, None)
    assert "stopped after 2 of 9 flights; nothing is written" in err


def test_without_a_rival_both_intervals_are_there(flown, tmp_path, capsys):
    flown["successes"] = set(range(5000, 5009))
    _, result, out, _ = run(tmp_path, capsys, "--episodes=10")
    assert result["wilson_95"] == pytest.approx([0.596, 0.982], abs=1e-3)
    assert result["clopper_pearson_95"] == pytest.approx([0.555, 0.997], abs=1e-3)
    assert "95 % interval 60% to 98%, exact 55% to 100%" in out
    assert "against" not in result


@pytest.mark.parametrize(
    ("changed", "flags", "code", "says"),
    [
        ({}, ["--seed=3"], 2, "leave --seed out"),
        ({}, ["--alpha=0"], 2, "between 0 and 1"),
        ({}, ["--fps=30"], 7, "20 Hz there, 30 Hz here"),
        ({}, ["--time_limit_s=3"], 7, "at most 0.2 s a flight there, 3 s here"),
        ({"robot": "sim_pusht"}, [], 7, "robot 'sim_pusht' there, 'sim_so101' here"),
        ({"robot": None}, [], 7, "robot 'None' there"),
        ({"flights": 3}, [], 3, "contradicts itself"),
    ],
)
def test_what_cannot_be_paired_is_refused_before_it_flies(
    rival, flown, tmp_path, capsys, changed, flags, code, says
):
    rival.write_text(json.dumps(json.loads(rival.read_text()) | changed))
    assert run(tmp_path, capsys, f"--against={rival}", *flags)[0] == code
    assert demodeck.main(["eval", *HOLD, f"--against={rival}", *flags]) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert says in line
    assert not flown["asked"]


def test_the_others_file_is_not_overwritten(rival, flown, capsys):
    assert demodeck.main(["eval", *HOLD, f"--against={rival}", f"--output={rival}"]) == 2
    assert "would overwrite" in capsys.readouterr().err


def test_an_older_file_without_a_time_limit_is_flown_with_the_tasks(rival, flown, tmp_path, capsys):
    older = json.loads(rival.read_text())
    del older["time_limit_s"]
    rival.write_text(json.dumps(older))
    code, result, _, _ = run(tmp_path, capsys, f"--against={rival}")
    assert (code, result["time_limit_s"]) == (0, 12.0)
