"""Faults that need the tracking model, the tasks or the other flights: found by name, and nobody else accused."""

import numpy as np
import pytest
from synthetic_arm import FPS, NAMES, episodes_of, flight, follow

from curation.checks.base import Episode
from curation.scores import score_episodes

CLEAN = 60


def plain(seed):
    """A flight without clocks and success, as most sets are."""
    return {k: v for k, v in flight(seed).items() if k in ("action", "observation.state")}


@pytest.fixture(scope="module")
def clean_flights():
    return [plain(seed) for seed in range(CLEAN)]


def state_of(change):
    def fault(c, rng):
        c["observation.state"] = change(c["observation.state"].astype(float), c["action"], rng).astype(
            np.float32
        )

    return fault


def swapped(s, a, rng):
    s[:, [0, 2]] = s[:, [2, 0]]
    return s


def gained(s, a, rng):
    s[:, 0] *= 1.08
    return s


def drifting(s, a, rng):
    at = np.clip(np.arange(len(s)) - np.linspace(0, 3, len(s)), 0, None)
    return np.stack([np.interp(at, np.arange(len(s)), s[:, j]) for j in range(6)], axis=1)


def noisy(s, a, rng):
    s[:, 3] += rng.normal(0, 0.7, len(s))
    return s


def coarse(s, a, rng):
    s[:, 1] = np.round(s[:, 1] / 2.5) * 2.5
    return s


def radians(s, a, rng):
    s[:, 1] = np.radians(s[:, 1])
    return s


def stuck(s, a, rng):
    t = int(np.abs(s[8:, 0] - s[:-8, 0]).argmax())
    s[t : t + 8] = s[t]
    return s


def one_stuck(s, a, rng):
    t = int(np.abs(s[12:, 0] - s[:-12, 0]).argmax())
    s[t : t + 12, 0] = s[t, 0]
    return s


def in_steps(c, rng):
    for name in c:
        c[name][:, 2] = 2048 + c[name][:, 2] * 4096 / 360


def dropped(c, rng):
    speed = np.abs(c["action"][6:, 0] - c["action"][:-6, 0])
    t = int(speed.argmax())
    for name in c:
        c[name] = np.delete(c[name], slice(t + 1, t + 5), axis=0)


def repeated(c, rng):
    t = int(np.abs(c["action"][6:, 0] - c["action"][:-6, 0]).argmax()) + 3
    for name in c:
        c[name] = np.insert(c[name], t, c[name][[t] * 3], axis=0)


def cut_off(c, rng):
    limit = c["action"][:, 5].max() - 20
    c["action"][:, 5] = np.minimum(c["action"][:, 5], limit)
    c["observation.state"] = follow(c["action"].astype(float), c["action"][0].astype(float)).astype(
        np.float32
    )


def held(c, rng):
    t = int(np.abs(c["action"][6:, 0] - c["action"][:-6, 0]).argmax()) + 3
    c["action"] = np.insert(c["action"], t, c["action"][[t] * 20], axis=0)
    c["observation.state"] = follow(c["action"].astype(float), c["action"][0].astype(float)).astype(
        np.float32
    )


FAULTS = {
    "joint_swap": state_of(swapped),
    "gain": state_of(gained),
    "desync": state_of(drifting),
    "state_noise": state_of(noisy),
    "resolution": state_of(coarse),
    "units": state_of(radians),
    "stale_rows": state_of(stuck),
    "state_freeze": state_of(one_stuck),
    "units in action and state": in_steps,
    "dropped_frames": dropped,
    "repeated_rows": repeated,
    "saturation": cut_off,
    "held_action": held,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_nobody_else_accused(clean_flights, fault):
    bad = []
    for seed in range(CLEAN, CLEAN + 4):
        columns = plain(seed)
        FAULTS[fault](columns, np.random.default_rng(seed))
        bad.append(columns)
    scoring = score_episodes(episodes_of(clean_flights + bad), NAMES, NAMES)
    found = {f.episode_index for f in scoring.findings if f.check == fault.split()[0]}
    assert found == set(range(CLEAN, CLEAN + 4))
    assert {f.episode_index for f in scoring.findings} == found


def test_copies_are_found_whatever_was_changed(clean_flights):
    exact = {k: v.copy() for k, v in clean_flights[7].items()}
    trimmed = {k: v[6:-3].copy() for k, v in clean_flights[9].items()}
    trimmed["observation.state"] += np.random.default_rng(0).normal(0, 0.5, trimmed["action"].shape)
    near = {k: v + np.float32(0.05) for k, v in clean_flights[11].items()}
    scoring = score_episodes(episodes_of([*clean_flights, exact, trimmed, near]), NAMES, NAMES)
    said = {(f.episode_index, f.check): f.message for f in scoring.findings}
    assert "episode 7" in said[CLEAN, "duplicate"] and "episode 7" in said[CLEAN, "copied_actions"]
    assert "episode 9" in said[CLEAN + 1, "copied_actions"]
    assert "episode 11" in said[CLEAN + 2, "duplicate"]
    assert not any(
        f.episode_index < CLEAN and f.check in ("duplicate", "copied_actions") for f in scoring.findings
    )


def two_tasks(n):
    """Flights of two tasks: the second one mirrored and backwards."""
    flights = []
    for seed in range(n):
        columns = plain(seed)
        if seed % 2:
            action = -columns["action"][::-1]
            columns = {
                "action": action,
                "observation.state": follow(action.astype(float), action[0].astype(float)),
            }
        flights.append(columns | {"task_index": np.full(len(columns["action"]), seed % 2)})
    return flights


def test_wrong_words_are_found():
    flights = two_tasks(60)
    for episode in (10, 33):
        flights[episode]["task_index"] = 1 - flights[episode]["task_index"]
    scoring = score_episodes(episodes_of(flights), NAMES, NAMES)
    assert {f.episode_index for f in scoring.findings if f.check == "wrong_task"} == {10, 33}


def gripping(seed, holds=True, opens_at=None):
    """A flight whose gripper closes on something in its middle, unless it misses or lets go early."""
    columns = plain(seed)
    rng = np.random.default_rng(seed)
    n = len(columns["action"])
    first, last = n // 3, 2 * n // 3
    action = columns["action"].astype(float)
    action[:, 5] = 80
    action[first : (opens_at or last), 5] = 0
    state = follow(action, action[0])
    if holds:
        state[:, 5] = np.where(
            action[:, 5] == 0, np.maximum(state[:, 5], 20 + rng.uniform(0, 1)), state[:, 5]
        )
    return {"action": action.astype(np.float32), "observation.state": state.astype(np.float32)}


def test_a_miss_is_found_by_the_grip():
    flights = [gripping(seed, holds=seed not in (8, 31)) for seed in range(CLEAN)]
    scoring = score_episodes(episodes_of(flights), NAMES, NAMES)
    found = {f.episode_index: f.message for f in scoring.findings if f.check == "grip"}
    assert set(found) == {8, 31} and "closes on nothing" in found[8]


def test_commands_that_were_clipped_are_found(clean_flights):
    flights = [columns | {"executed_action": columns["action"].copy()} for columns in clean_flights]
    flights[5]["executed_action"][30:50, 1] -= 4
    scoring = score_episodes(episodes_of(flights), NAMES, NAMES)
    (finding,) = scoring.findings
    assert (finding.episode_index, finding.check) == (5, "clipped_action")
    assert (finding.from_frame, finding.to_frame) == (30, 50) and NAMES[1] in finding.message


def test_exchanged_cameras_are_found(clean_flights):
    rng = np.random.default_rng(0)
    episodes = []
    for i, columns in enumerate(clean_flights):
        n = len(columns["action"])
        video = {
            camera: {
                "brightness": rng.normal(grey, 2, n),
                "difference": rng.uniform(2, 4, n),
                "sharpness": rng.uniform(90, 110, n),
            }
            for camera, grey in (("front", 140), ("wrist", 90))
        }
        if i == 8:
            video = {"front": video["wrist"], "wrist": video["front"]}
        episodes.append(Episode.of(i, FPS, columns, video))
    findings = score_episodes(episodes, NAMES, NAMES).findings
    assert {(f.episode_index, f.check) for f in findings} == {(8, "exposure"), (8, "blur")}


def test_short_and_long_sets_and_two_joints_crash_nothing():
    for width in (1, 2):
        flights = [{k: v[:, :width] for k, v in plain(seed).items()} for seed in range(12)]
        assert {f.severity for f in score_episodes(episodes_of(flights, FPS)).findings} <= {"warn"}
