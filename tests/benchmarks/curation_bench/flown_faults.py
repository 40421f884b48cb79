"""Faults that happen in physics: the recorded actions are flown again, changed or disturbed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collector.robots.sim_so101.joints import to_radians, to_units
from collector.teleoperators.pick_place import Flight
from curation_bench.faults import SETTLE, moving_place
from curation_bench.flying import FPS, TICK_DEG, Flown, Sky, fly_again, hand, measured


def _again(sky: Sky, flown: Flown, actions: np.ndarray, span: tuple[int, int], **more: object) -> Flown:
    actions = np.round(actions / TICK_DEG) * TICK_DEG
    return replace(fly_again(sky, flown, actions, **more), span=span)  # type: ignore[arg-type]


def action_spike(sky: Sky, flown: Flown, size_deg: float, rng: np.random.Generator) -> Flown:
    action = flown.action.copy()
    t = int(rng.integers(SETTLE, len(action) - SETTLE))
    action[t, int(rng.integers(5))] += size_deg * rng.choice([-1, 1])
    return _again(sky, flown, action, (t, t + 3))


def chatter(sky: Sky, flown: Flown, size_deg: float, rng: np.random.Generator) -> Flown:
    """A tremor of 6 to 9 Hz for 1.5 s on two joints."""
    action, n = flown.action.copy(), round(1.5 * FPS)
    t = int(rng.integers(SETTLE, len(action) - n - 5))
    wave = size_deg * np.sin(2 * np.pi * rng.uniform(6, 9) * np.arange(n) / FPS + rng.uniform(0, 6))
    for j in rng.choice(5, 2, replace=False):
        action[t : t + n, j] += wave
    return _again(sky, flown, action, (t, t + n))


def hesitation(sky: Sky, flown: Flown, seconds: float, rng: np.random.Generator) -> Flown:
    """The action is held exactly, as when the leader's cable is lost for a while."""
    n = round(seconds * FPS)
    t, _ = moving_place(flown, 10, rng, 3.0)
    index = np.r_[0:t, np.full(n, t), t : len(flown.action)]
    return _again(sky, flown, flown.action[index], (t, t + n))


def idle_head(sky: Sky, flown: Flown, seconds: float, rng: np.random.Generator) -> Flown:
    n = round(seconds * FPS)
    index = np.r_[np.zeros(n, int), np.arange(len(flown.action))]
    return _again(sky, flown, flown.action[index], (0, n))


def idle_tail(sky: Sky, flown: Flown, seconds: float, rng: np.random.Generator) -> Flown:
    n, length = round(seconds * FPS), len(flown.action)
    index = np.r_[np.arange(length), np.full(n, length - 1)]
    return _again(sky, flown, flown.action[index], (length, length + n))


def saturation(sky: Sky, flown: Flown, share: float, rng: np.random.Generator) -> Flown:
    """An action stops at a limit that the pilot wanted to pass."""
    action, j = flown.action.copy(), moving_place(flown, 60, rng, 10.0)[1]
    low, high = action[:, j].min(), action[:, j].max()
    limit = np.round((high - share * (high - low)) / TICK_DEG) * TICK_DEG
    hit = np.flatnonzero(action[:, j] > limit)
    action[:, j] = np.minimum(action[:, j], limit)
    return _again(sky, flown, action, (int(hit[0]), int(hit[-1]) + 1))


def bump(sky: Sky, flown: Flown, newton: float, rng: np.random.Generator) -> Flown:
    """Somebody pushes the gripper for a fifth of a second."""
    t0 = int(rng.integers(SETTLE, len(flown.action) - SETTLE))
    body = sky.robot._model.body("gripper").id
    direction = rng.normal(size=3)
    force = newton * direction / np.linalg.norm(direction)

    def push(sky: Sky, t: int) -> None:
        sky.robot._data.xfrc_applied[body, :3] = force if t0 <= t < t0 + 6 else 0.0

    return _again(sky, flown, flown.action, (t0, t0 + 8), disturb=push)


def weak_servo(sky: Sky, flown: Flown, left: float, rng: np.random.Generator) -> Flown:
    """A servo has only a share of its stiffness left."""
    model, j = sky.robot._model, int(rng.integers(0, 4))
    gain, bias = model.actuator_gainprm[j].copy(), model.actuator_biasprm[j].copy()
    model.actuator_gainprm[j, 0] *= left
    model.actuator_biasprm[j, 1] *= left
    try:
        return _again(sky, flown, flown.action, (0, len(flown.action)))
    finally:
        model.actuator_gainprm[j], model.actuator_biasprm[j] = gain, bias


def dead_servo(sky: Sky, flown: Flown, share: float, rng: np.random.Generator) -> Flown:
    """A servo ignores its goals for a share of the flight and holds."""
    n = max(5, round(share * len(flown.action)))
    t, j = moving_place(flown, min(n, 40), rng, 5.0)
    sent = flown.action.copy()
    sent[t : t + n, j] = sent[t, j]
    return _again(sky, flown, flown.action, (t, min(len(sent), t + n)), sent=sent)


def failed_grasp(sky: Sky, flown: Flown, miss_m: float, rng: np.random.Generator) -> Flown:
    """The jaws close beside the cube, and the pilot goes on as if they held it."""
    from curation_bench.pilots import PEOPLE, style_of

    person = PEOPLE[int(np.random.default_rng([flown.seed, 0xF1]).integers(len(PEOPLE)))]
    style = replace(
        style_of(person, flown.seed), flaw="beside", grasp_m=miss_m * np.array([-1.0, rng.choice([-1, 1])])
    )
    return _scripted(sky, flown, style, person.hand_deg)


def wrong_goal(sky: Sky, flown: Flown, off_m: float, rng: np.random.Generator) -> Flown:
    """The cube is put down beside the disc, on either side of it."""
    from curation_bench.pilots import PEOPLE, style_of

    person = PEOPLE[int(np.random.default_rng([flown.seed, 0xF1]).integers(len(PEOPLE)))]
    aside = np.array([0.0, off_m * rng.choice([-1, 1])])
    return _scripted(sky, flown, replace(style_of(person, flown.seed), place_m=aside), person.hand_deg)


def dropped_cube(sky: Sky, flown: Flown, share: float, rng: np.random.Generator) -> Flown:
    """The jaws open on the way, for the last `share` of the time that they held the cube."""
    action = flown.action.copy()
    closed = np.flatnonzero(action[:, 5] < 20)
    if not len(closed):
        return failed_grasp(sky, flown, 0.03, rng)
    first, last = int(closed[0]), int(closed[-1])
    t = round(last - share * (last - first))
    action[t : last + 1, 5] = 60
    return _again(sky, flown, action, (t, last))


def _scripted(sky: Sky, flown: Flown, style: object, hand_deg: float) -> Flown:
    wander = hand(np.random.default_rng([flown.seed, 0xF4]), 620, hand_deg)
    sky.begin(flown.seed)
    state, _ = sky.observe()
    scene = np.asarray(sky.robot.task.environment_state(), float)
    flight = Flight(style, sky.reach, to_radians(state), scene)  # type: ignore[arg-type]
    states, actions, scenes, t = [], [], [], 0
    while t / FPS < min(20.0, flight.end_s):
        scene = np.asarray(sky.robot.task.environment_state(), float)
        t += 1
        asked = to_units(flight.goal(t / FPS, to_radians(state), scene))
        asked = np.round((asked + wander[t] * min(1.0, t / 10)) / TICK_DEG) * TICK_DEG
        states.append(state)
        actions.append(asked)
        scenes.append(scene)
        sky.act(asked)
        state, _ = sky.observe()
    rng = np.random.default_rng([flown.seed, 0xF3])
    jaw = np.array(actions)[:, 5]
    closed = np.flatnonzero(jaw < 20)
    span = (int(closed[0]), int(closed[-1]) + 1) if len(closed) else (0, len(jaw))
    return replace(
        flown,
        state=measured(np.array(states), rng),
        action=np.array(actions),
        success=bool(sky.robot.task.success()),
        span=span,
        scene=np.array(scenes, np.float32),
    )
