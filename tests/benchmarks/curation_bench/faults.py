"""Faults written into a recorded flight's columns; those that need physics are in `flown_faults`.

Each function takes a clean flight, the level's size and a random generator, and returns the faulty flight with
the frames that the fault touches.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from curation_bench.flying import FPS, TICK_DEG, Flown

SETTLE = 15
"""Faults that need motion begin at least so many frames after the start and before the end."""


def moving_place(flown: Flown, frames: int, rng: np.random.Generator, least_deg: float) -> tuple[int, int]:
    """Return a random frame and arm joint where the state moves by `least_deg` within the next frames."""
    state = flown.state[:, :5]
    frames = min(frames, len(state) - 2 * SETTLE - 1)
    moved = np.abs(state[frames:] - state[:-frames])
    moved[:SETTLE] = moved[len(moved) - SETTLE :] = 0
    least = min(least_deg, 0.8 * moved.max())
    places = np.argwhere(moved >= least)
    t, j = places[int(rng.integers(len(places)))]
    return int(t), int(j)


def _with(flown: Flown, span: tuple[int, int] | None, **changed: object) -> Flown:
    return replace(flown, span=span, **changed)


def _at(flown: Flown, index: np.ndarray | slice) -> dict[str, object]:
    """Return the rows of a flight's columns at some frames."""
    scene = None if flown.scene is None else flown.scene[index]
    return {"state": flown.state[index], "action": flown.action[index], "scene": scene}


def nan(flown: Flown, frames: float, rng: np.random.Generator) -> Flown:
    state, n = flown.state.copy(), int(frames)
    t = int(rng.integers(0, len(state) - n))
    state[t : t + n, int(rng.integers(6))] = np.nan
    return _with(flown, (t, t + n), state=state)


def state_spike(flown: Flown, size_deg: float, rng: np.random.Generator) -> Flown:
    state = flown.state.copy()
    t = int(rng.integers(SETTLE, len(state) - SETTLE))
    state[t, int(rng.integers(5))] += size_deg * rng.choice([-1, 1])
    return _with(flown, (t, t + 1), state=state)


def joint_freeze(flown: Flown, seconds: float, rng: np.random.Generator) -> Flown:
    """One joint's reading sticks and jumps back."""
    state, n = flown.state.copy(), round(seconds * FPS)
    t, j = moving_place(flown, n, rng, 3.0)
    state[t : t + n, j] = state[t, j]
    return _with(flown, (t, t + n), state=state)


def stale_rows(flown: Flown, frames: float, rng: np.random.Generator) -> Flown:
    """The whole reading is repeated for some frames while the actions go on."""
    state, n = flown.state.copy(), int(frames)
    t, _ = moving_place(flown, n, rng, 2.0)
    state[t : t + n] = state[t]
    return _with(flown, (t, t + n), state=state)


def lag(flown: Flown, frames: float, rng: np.random.Generator) -> Flown:
    k = int(frames)
    state = np.concatenate([np.repeat(flown.state[:1], k, axis=0), flown.state[:-k]])
    return _with(flown, (0, len(state)), state=state)


def drift(flown: Flown, frames: float, rng: np.random.Generator) -> Flown:
    """The state's clock runs slow: at the end it is `frames` late."""
    n = len(flown.state)
    at = np.clip(np.arange(n) - np.linspace(0, frames, n), 0, None)
    state = np.stack([np.interp(at, np.arange(n), flown.state[:, j]) for j in range(6)], axis=1)
    return _with(flown, (0, n), state=np.round(state / TICK_DEG) * TICK_DEG)


def offset(flown: Flown, degrees: float, rng: np.random.Generator) -> Flown:
    state = flown.state.copy()
    state[:, int(rng.integers(5))] += degrees * rng.choice([-1, 1])
    return _with(flown, (0, len(state)), state=state)


def gain(flown: Flown, share: float, rng: np.random.Generator) -> Flown:
    state = flown.state.copy()
    _, j = moving_place(flown, 60, rng, 10.0)
    state[:, j] = state[0, j] + (state[:, j] - state[0, j]) * (1 + share * rng.choice([-1, 1]))
    return _with(flown, (0, len(state)), state=state)


def sensor_noise(flown: Flown, sigma_deg: float, rng: np.random.Generator) -> Flown:
    state, j = flown.state.copy(), int(rng.integers(5))
    state[:, j] += rng.normal(0, sigma_deg, len(state))
    return _with(flown, (0, len(state)), state=np.round(state / TICK_DEG) * TICK_DEG)


def coarse_encoder(flown: Flown, step_deg: float, rng: np.random.Generator) -> Flown:
    state, j = flown.state.copy(), moving_place(flown, 60, rng, 6.0)[1]
    state[:, j] = np.round(state[:, j] / step_deg) * step_deg
    return _with(flown, (0, len(state)), state=state)


def dropped_frames(flown: Flown, frames: float, rng: np.random.Generator) -> Flown:
    n = int(frames)
    t, _ = moving_place(flown, n, rng, 0.8 * n)
    keep = np.r_[0:t, t + n : len(flown.state)]
    return _with(flown, (t - 1, t + 1), **_at(flown, keep))


def repeated_frames(flown: Flown, frames: float, rng: np.random.Generator) -> Flown:
    n = int(frames)
    t, _ = moving_place(flown, n, rng, 0.8 * n)
    index = np.r_[0:t, np.full(n, t), t : len(flown.state)]
    return _with(flown, (t, t + n + 1), **_at(flown, index))


def joint_swap(flown: Flown, share: float, rng: np.random.Generator) -> Flown:
    state = flown.state.copy()
    n = round(share * len(state))
    t = int(rng.integers(0, len(state) - n + 1))
    i, j = rng.choice(5, 2, replace=False)
    state[t : t + n, [i, j]] = state[t : t + n, [j, i]]
    return _with(flown, (t, t + n), state=state)


def state_clipped(flown: Flown, share: float, rng: np.random.Generator) -> Flown:
    """A reading stops at a limit that the joint passes."""
    state, j = flown.state.copy(), moving_place(flown, 60, rng, 10.0)[1]
    low, high = state[:, j].min(), state[:, j].max()
    limit = high - share * (high - low)
    hit = np.flatnonzero(state[:, j] > limit)
    state[:, j] = np.minimum(state[:, j], limit)
    return _with(flown, (int(hit[0]), int(hit[-1]) + 1), state=state)


def wrong_units(flown: Flown, joints: float, rng: np.random.Generator) -> Flown:
    """Some joints in radians."""
    state, which = flown.state.copy(), rng.choice(5, int(joints), replace=False)
    state[:, which] = np.radians(state[:, which])
    return _with(flown, (0, len(state)), state=state)


def servo_ticks(flown: Flown, joints: float, rng: np.random.Generator) -> Flown:
    """Some joints in raw encoder steps, in state and action."""
    state, action, which = flown.state.copy(), flown.action.copy(), rng.choice(5, int(joints), replace=False)
    state[:, which] = 2048 + state[:, which] / TICK_DEG
    action[:, which] = 2048 + action[:, which] / TICK_DEG
    return _with(flown, (0, len(state)), state=state, action=action)


def wrong_task(flown: Flown, size: float, rng: np.random.Generator) -> Flown:
    from curation_bench.pilots import PICK, PUSH

    return _with(flown, None, task=PUSH if flown.task == PICK else PICK)


def truncated(flown: Flown, share: float, rng: np.random.Generator) -> Flown:
    n = round((1 - share) * len(flown.state))
    return _with(flown, (n - 10, n), **_at(flown, slice(n)))


def duplicate(flown: Flown, noise_deg: float, rng: np.random.Generator) -> Flown:
    """The same flight twice, the copy with noise and without its first frames."""
    state = flown.state + rng.normal(0, noise_deg, flown.state.shape) if noise_deg else flown.state.copy()
    copy = replace(flown, state=state)
    return _with(copy, None, **_at(copy, slice(4 if noise_deg else 0, None)))
