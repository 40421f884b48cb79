"""Synthetic flights of a six-joint arm, with faults to inject: known truth for the checks."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Episode

FPS = 20
NAMES = [
    "shoulder_pan.pos",
    "shoulder_lift.pos",
    "elbow_flex.pos",
    "wrist_flex.pos",
    "wrist_roll.pos",
    "gripper.pos",
]


def flight(seed: int, fps: int = FPS) -> dict[str, np.ndarray]:
    """Return the columns of a clean pick-and-place-like flight.

    Minimum-jerk moves between noisy waypoints with the pilot's own speed and hand noise; joints follow as a
    damped second-order servo, delayed by one frame, with 0.09 degree encoder steps.
    """
    rng = np.random.default_rng(seed)
    target = rng.uniform(-1, 1, 2)
    base = np.array(
        [
            [0, -60, 50, 40, 0, 10],
            [40 * target[0], -20, 30, 60, 20 * target[1], 80],
            [40 * target[0], 10, 10, 70, 20 * target[1], 80],
            [40 * target[0], 10, 10, 70, 20 * target[1], 5],
            [40 * target[0], -25, 35, 60, 20 * target[1], 5],
            [-50, -20, 30, 60, 0, 5],
            [-50, 5, 12, 68, 0, 5],
            [-50, 5, 12, 68, 0, 80],
            [-20, -55, 48, 42, 0, 30],
        ],
        float,
    )
    way = base + rng.normal(0, 1.5, base.shape)
    pace = rng.uniform(0.8, 1.25)
    seconds = np.array([1.4, 0.8, 0.6, 0.9, 1.5, 0.8, 0.5, 1.0]) * pace * rng.uniform(0.85, 1.15, 8)
    action = [way[0]]
    for a, b, s in zip(way, way[1:], seconds):
        u = np.linspace(0, 1, max(4, round(s * fps)) + 1)[1:, None]
        action += list(a + (b - a) * (10 * u**3 - 15 * u**4 + 6 * u**5))
    wobble = rng.normal(0, 1, (len(action), 6)).cumsum(axis=0)
    wobble -= np.linspace(0, 1, len(action))[:, None] * wobble[-1]
    act = np.array(action) + 0.04 * wobble
    state = follow(act, way[0])
    n = len(act)
    jitter = rng.uniform(0, 0.002, n)
    tick = np.arange(n) / fps + jitter
    success = np.zeros(n, bool)
    success[-5:] = True
    return {
        "action": act.astype(np.float32),
        "observation.state": state.astype(np.float32),
        "clock.tick": tick,
        "clock.observation": tick + 0.001,
        "clock.front": tick - rng.uniform(0, 0.03, n),
        "next.success": success,
    }


def follow(action: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the joint positions of a servo that follows `action`, quantised to 0.09 degrees."""
    q, v = start.copy(), np.zeros(6)
    states = []
    for t in range(len(action)):
        states.append(np.round(q / 0.09) * 0.09)
        v = 0.55 * v + 0.22 * (action[max(0, t - 1)] - q)
        q = q + v
    return np.array(states)


def inject(columns: dict[str, np.ndarray], fault: str, seed: int) -> dict[str, np.ndarray]:
    """Return a copy of a flight with one fault.

    Raises:
        KeyError: If the fault is unknown.
    """
    rng = np.random.default_rng(seed)
    c = {k: v.copy() for k, v in columns.items()}
    n = len(c["action"])
    t, j = int(rng.integers(n // 4, n // 2)), int(rng.integers(0, 4))
    if fault == "nan":
        c["observation.state"][t : t + 3, j] = np.nan
    elif fault == "stub":
        return {k: v[:6] for k, v in c.items()}
    elif fault == "long":
        return {k: np.repeat(v, 4, axis=0) for k, v in c.items()}
    elif fault == "stall":
        index = np.r_[np.arange(t), np.full(50, t), np.arange(t, n)]
        c = {k: v[index] for k, v in c.items()}
        c["observation.state"] = follow(c["action"].astype(float), c["action"][0].astype(float))
        c["clock.tick"] = np.arange(len(index)) / FPS
        c["clock.observation"] = c["clock.tick"] + 0.001
        c["clock.front"] = c["clock.tick"] - 0.01
    elif fault == "idle":
        index = np.r_[np.zeros(80, int), np.arange(n)]
        c = {k: v[index] for k, v in c.items()}
        c["clock.tick"] = np.arange(len(index)) / FPS
        c["clock.observation"] = c["clock.tick"] + 0.001
        c["clock.front"] = c["clock.tick"] - 0.01
    elif fault == "spike":
        c["action"][t, j] += 25
    elif fault == "encoder":
        c["observation.state"][t, j] -= 25
    elif fault == "tremor":
        shake = 2.5 * np.sin(2 * np.pi * 7 * np.arange(n) / FPS + 1)
        c["action"][t : t + 40, j] += shake[t : t + 40].astype(np.float32)
    elif fault == "dead":
        c["observation.state"][t:, 1] = c["observation.state"][t, 1]
    elif fault == "shift":
        c["observation.state"] = np.concatenate(
            [c["observation.state"][:1].repeat(4, 0), c["observation.state"][:-4]]
        )
    elif fault == "offset":
        c["observation.state"][:, j] += 9
    elif fault == "dropped":
        keep = np.r_[np.arange(t), np.arange(t + 8, n)]
        c = {k: v[keep] for k, v in c.items()}
    elif fault == "bump":
        c["observation.state"][t:, j] += 12 * np.exp(-np.arange(n - t) / 10).astype(np.float32)
    elif fault == "early_end":
        return {k: v[: n // 2] for k, v in c.items()} | {"next.success": np.zeros(n // 2, bool)}
    elif fault == "old_image":
        c["clock.front"][t : t + 20] = c["clock.front"][t]
    else:
        raise KeyError(fault)
    return c


FAULTS = {
    # fault -> (checks of which at least one must find it, severity)
    "nan": ({"non_finite"}, "fault"),
    "stub": ({"too_short"}, "fault"),
    "long": ({"unusual_length"}, "warn"),
    "stall": ({"stall"}, "fault"),
    "idle": ({"idle_ends"}, "warn"),
    "spike": ({"glitch"}, "fault"),
    "encoder": ({"state_glitch"}, "fault"),
    "tremor": ({"chatter"}, "fault"),
    "dead": ({"dead_joint"}, "fault"),
    "shift": ({"lag"}, "fault"),
    "offset": ({"offset"}, "fault"),
    "dropped": ({"clock_gap"}, "fault"),
    "bump": ({"dynamics"}, "fault"),
    "early_end": ({"end_state"}, "warn"),
    "old_image": ({"camera_age"}, "fault"),
}
"""What each fault must be found by."""


def episodes_of(flights: list[dict[str, np.ndarray]], fps: int = FPS) -> list[Episode]:
    """Return the flights as episodes."""
    return [Episode.of(i, fps, columns) for i, columns in enumerate(flights)]
