"""Each check finds its own fault and is silent on clean flights; nothing crashes on ugly data."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_arm import FAULTS, FPS, NAMES, episodes_of, flight, inject

from curation.checks.base import Episode, filled, longest, runs
from curation.checks.registry import CHECKS
from curation.judge import FALSE_ALARMS, limits, tail_limit, tail_share
from curation.scores import score_episodes

CLEAN = 40


@pytest.fixture(scope="module")
def clean_flights():
    return [flight(seed) for seed in range(CLEAN)]


def score(flights):
    return score_episodes(episodes_of(flights), NAMES, NAMES)


def test_clean_flights_have_no_findings(clean_flights):
    scoring = score(clean_flights)
    assert scoring.findings == []
    evaluated = {name for name, reasons in scoring.skipped.items() if not all(reasons)}
    # These flights have one task, hold nothing, and have neither bookkeeping nor sent actions.
    assert evaluated == {c.name for c in CHECKS if not c.video} - {
        "wrong_task",
        "grip",
        "structure",
        "clipped_action",
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_its_check_and_nobody_else_is_accused(clean_flights, fault):
    bad = [inject(flight(seed), fault, seed) for seed in range(CLEAN, CLEAN + 5)]
    scoring = score(clean_flights + bad)
    expected, severity = FAULTS[fault]
    for episode in range(CLEAN, CLEAN + 5):
        found = {(f.check, f.severity) for f in scoring.findings if f.episode_index == episode}
        assert any((check, severity) in found for check in expected), (episode, found)
    assert {f.episode_index for f in scoring.findings} <= set(range(CLEAN, CLEAN + 5))


@pytest.mark.parametrize(
    ("fault", "check"), [("spike", "glitch"), ("stall", "stall"), ("dropped", "clock_gap")]
)
def test_a_finding_names_the_frames(clean_flights, fault, check):
    seed = 77
    scoring = score([*clean_flights, inject(flight(seed), fault, seed)])
    finding = next(f for f in scoring.findings if f.check == check)
    rng = np.random.default_rng(seed)
    n = len(flight(seed)["action"])
    t = int(rng.integers(n // 4, n // 2))
    fault_ends = {"spike": t, "stall": t + 50, "dropped": t}[fault]
    assert t - 3 <= finding.from_frame <= finding.to_frame <= fault_ends + 3
    assert finding.value > finding.limit
    assert f"{finding.value:.3g}" in finding.message and f"{finding.limit:.3g}" in finding.message


def test_a_spike_names_the_joint(clean_flights):
    bad = flight(99)
    bad["action"][50, 2] += 25
    finding = next(f for f in score([*clean_flights, bad]).findings if f.check == "glitch")
    assert "elbow_flex.pos" in finding.message


def test_a_third_of_bad_flights_does_not_hide_them(clean_flights):
    bad = [inject(flight(seed), "tremor", seed) for seed in range(100, 120)]
    scoring = score(clean_flights + bad)
    assert set(scoring.faulty()) == set(range(CLEAN, CLEAN + 20))


def test_absent_clocks_are_said_not_passed(clean_flights):
    plain = [{k: v for k, v in f.items() if k in ("action", "observation.state")} for f in clean_flights]
    scoring = score(plain)
    for name in ("clock_gap", "camera_age", "no_success"):
        assert all("absent" in reason or "no camera" in reason for reason in scoring.skipped[name])
        assert np.isnan(scoring.scores[name]).all()


@pytest.mark.parametrize("length", [0, 1, 2, 5, 9])
def test_tiny_episodes_crash_nothing(clean_flights, length):
    tiny = {k: v[:length] for k, v in flight(5).items()}
    scoring = score([*clean_flights, tiny])
    assert any(f.check == "too_short" for f in scoring.findings)
    alone = score([tiny])
    assert {f.check for f in alone.findings if f.severity == "fault"} - {"structure"} == {"too_short"}


def test_all_nan_and_constant_episodes_crash_nothing(clean_flights):
    broken = {k: np.full_like(v, np.nan) if v.dtype.kind == "f" else v for k, v in flight(5).items()}
    still = {k: np.repeat(v[:1], 80, axis=0) for k, v in flight(6).items()}
    scoring = score([*clean_flights, broken, still])
    faults = scoring.faulty()
    assert "non_finite" in {f.check for f in faults[CLEAN]}
    assert "stall" in {f.check for f in faults[CLEAN + 1]}
    assert set(faults) == {CLEAN, CLEAN + 1}


def test_relative_actions_are_not_compared_with_positions(clean_flights):
    relative = []
    for columns in clean_flights:
        velocity = np.diff(columns["action"], axis=0, prepend=columns["action"][:1])
        relative.append(columns | {"action": velocity})
    scoring = score(relative)
    for name in ("lag", "offset", "dead_joint"):
        assert all("not a position" in reason for reason in scoring.skipped[name])


def test_state_without_action_and_the_other_way_round(clean_flights):
    for gone in ("action", "observation.state"):
        scoring = score([{k: v for k, v in f.items() if k != gone} for f in clean_flights])
        assert scoring.findings == []


def test_few_episodes_are_not_compared():
    scoring = score([flight(s) for s in range(4)])
    assert all("too few" in reason for reason in scoring.skipped["glitch"])
    assert scoring.limits["glitch"] is None


def video_of(n, rng, brightness=120.0, frozen=slice(0, 0)):
    difference = rng.uniform(2, 4, n)
    difference[frozen] = 0.01
    return {
        "front": {
            "brightness": np.full(n, brightness),
            "difference": difference,
            "sharpness": rng.uniform(90, 110, n),
        }
    }


def test_video_checks_find_dark_frozen_and_blurred_cameras():
    rng = np.random.default_rng(0)
    flights = [flight(seed) for seed in range(20)]
    videos = [video_of(len(f["action"]), rng) for f in flights]
    videos[3] = video_of(len(flights[3]["action"]), rng, brightness=3)
    videos[4] = video_of(len(flights[4]["action"]), rng, frozen=slice(20, 50))
    videos[5]["front"]["sharpness"] /= 30
    episodes = [Episode.of(i, FPS, f, v) for i, (f, v) in enumerate(zip(flights, videos))]
    found = {(f.episode_index, f.check) for f in score_episodes(episodes).findings}
    assert found == {(3, "dark"), (3, "exposure"), (4, "frozen"), (5, "blur")}


def test_checks_have_distinct_names_and_words():
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert all(check.name.isidentifier() and check.about for check in CHECKS)


def test_limits_agree_with_the_formula():
    rule = replace(next(c.rule for c in CHECKS if c.name == "stall"), tail=False, at_least=0.0)
    scores = np.array([8.0, 9, 10, 11, 12, 13, 14, np.nan, 10, 12])
    bounds = limits(rule, scores)
    median = 11.0
    spread = max(
        1.4826 * np.median(np.abs(scores[~np.isnan(scores)] - median)), rule.rel * median, rule.floor
    )
    assert bounds.fault_high == pytest.approx(median + rule.fault * spread)


def test_a_heavy_tail_raises_the_limit_to_the_stated_rate():
    excess = np.random.default_rng(0).exponential(1.0, 4000)
    limit = tail_limit(excess, 4.0)
    assert limit == pytest.approx(np.log(1 / FALSE_ALARMS), rel=0.15)
    assert tail_share(excess, limit) == pytest.approx(FALSE_ALARMS, rel=0.01)
    assert tail_limit(np.abs(np.random.default_rng(1).normal(size=4000)), 6.0) == 6.0


def test_runs_and_filling():
    assert runs(np.array([1, 1, 0, 1], bool)).tolist() == [[0, 2], [3, 4]]
    assert longest(runs(np.zeros(3, bool))) is None
    holes = filled(np.array([[np.nan, 1], [1.0, np.inf], [3.0, 3.0]]), 3)
    assert holes.tolist() == [[1, 1], [1, 2], [3, 3]]
    assert filled(None, 4).shape == (4, 0)
