"""gymnasium's Pendulum-v1, many at once, and a solver for any reward on it: dynamic programming on a grid of states.

A step leads from a grid point to somewhere between four others; it is treated as leading to each of them by chance,
with the weights of bilinear interpolation (Kushner & Dupuis 2001, "Numerical Methods for Stochastic Control Problems in
Continuous Time", chapter 5), so that the exact solver for tables serves. A policy looks one true step ahead, at the
values so interpolated.
"""

from __future__ import annotations

import functools

import numpy as np

from training.irl.tabular import TabularMdp

# Of Pendulum-v1: gymnasium/envs/classic_control/pendulum.py
GRAVITY, MASS, LENGTH, STEP_S = 10.0, 1.0, 1.0, 0.05  # [m/s^2], [kg], [m], [s]
MAX_SPEED, MAX_TORQUE, FRAMES = 8.0, 2.0, 200  # [rad/s], [N m], an episode
TORQUES = np.linspace(-MAX_TORQUE, MAX_TORQUE, 9)
DISCOUNT = 0.98
_ANGLES, _SPEEDS = 121, 101  # grid points; angles go round, speeds include both ends


def step(state: np.ndarray, torque: np.ndarray) -> np.ndarray:
    """Return the next states.

    Args:
        state: Angle from upright [rad] and speed [rad/s], float64, (..., 2).
        torque: [N m], float64, (...).
    """
    angle, speed = state[..., 0], state[..., 1]
    pull = 3 * GRAVITY / (2 * LENGTH) * np.sin(angle) + 3.0 / (MASS * LENGTH**2) * torque
    speed = np.clip(speed + pull * STEP_S, -MAX_SPEED, MAX_SPEED)
    return np.stack([angle + speed * STEP_S, speed], axis=-1)


def observe(state: np.ndarray) -> np.ndarray:
    """Return Pendulum-v1's observation, cosine and sine of the angle and speed [rad/s], (..., 3)."""
    return np.stack([np.cos(state[..., 0]), np.sin(state[..., 0]), state[..., 1]], axis=-1)


def state_of(observation: np.ndarray) -> np.ndarray:
    """Return the states, (..., 2), of observations, (..., 3)."""
    return np.stack([np.arctan2(observation[..., 1], observation[..., 0]), observation[..., 2]], axis=-1)


def true_reward(state: np.ndarray) -> np.ndarray:
    """Return Pendulum-v1's reward without its price of torque, a five-hundredth of it at most, (...)."""
    angle = (state[..., 0] + np.pi) % (2 * np.pi) - np.pi
    return -(angle**2) - 0.1 * state[..., 1] ** 2


def grid() -> np.ndarray:
    """Return the grid's states, float64, (n_states, 2)."""
    angle = np.linspace(-np.pi, np.pi, _ANGLES, endpoint=False)
    speed = np.linspace(-MAX_SPEED, MAX_SPEED, _SPEEDS)
    return np.stack(np.meshgrid(angle, speed, indexing="ij"), axis=-1).reshape(-1, 2)


def corners(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the four grid points around states, int64, (..., 4), and their weights, which sum to 1, (..., 4)."""
    angle = (state[..., 0] + np.pi) / (2 * np.pi) * _ANGLES
    speed = (state[..., 1] + MAX_SPEED) / (2 * MAX_SPEED) * (_SPEEDS - 1)
    low_angle, low_speed = np.floor(angle), np.minimum(np.floor(speed), _SPEEDS - 2)
    places, weights = [], []
    for more_angle in (0, 1):
        for more_speed in (0, 1):
            row = (low_angle + more_angle).astype(np.int64) % _ANGLES
            places.append(row * _SPEEDS + (low_speed + more_speed).astype(np.int64))
            along = 1 - np.abs(angle - low_angle - more_angle)
            weights.append(along * (1 - np.abs(speed - low_speed - more_speed)))
    return np.stack(places, axis=-1), np.stack(weights, axis=-1)


@functools.cache
def model() -> TabularMdp:
    """Return the grid as a table; its one feature is a constant, rewards are given to `solve` as they are."""
    states = grid()
    after = step(states[None], TORQUES[:, None] * np.ones(len(states)))
    places, weights = corners(after)
    n = len(states)
    return TabularMdp.of(places, weights, np.full(n, 1 / n), np.ones((n, 1)), DISCOUNT, ("constant",))


def act(state: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the torque that leads to the greatest value by one true step, float64, (n,).

    Args:
        state: (n, 2).
        values: V on the grid, (n_states,).
    """
    after = step(state[:, None], np.broadcast_to(TORQUES, (len(state), len(TORQUES))))
    places, weights = corners(after)
    return TORQUES[(values[places] * weights).sum(axis=-1).argmax(axis=1)]


def fly(start: np.ndarray, values: np.ndarray, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray]:
    """Fly a policy from many states at once.

    Args:
        start: (n, 2).
        values: V on the grid, (n_states,), that the policy looks ahead at.
        frames: Of each flight.

    Returns:
        States, float64, (n, frames, 2), and torques, float64, (n, frames).
    """
    states, torques = np.empty((len(start), frames, 2)), np.empty((len(start), frames))
    state = np.array(start, float)
    for t in range(frames):
        torque = act(state, values)
        states[:, t], torques[:, t] = state, torque
        state = step(state, torque)
    return states, torques
