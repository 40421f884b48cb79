"""gymnasium's CartPole-v1, many copies at once, for learners whose actions are numbers: their sign is the push."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.irl.worlds import Start

FRAMES = 500
MOST_PLACE_M, MOST_ANGLE_RAD = 2.4, 12 * 2 * np.pi / 360  # beyond, the flight has ended
FEATURES = ("upright", "in the middle")
_STEP_S, _PUSH_N, _GRAVITY, _CART_KG, _POLE_KG, _HALF_POLE_M = 0.02, 10.0, 9.8, 1.0, 0.1, 0.5
_START = 0.05  # gymnasium begins with each number at most so far from 0


def step(state: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the state a fiftieth of a second later, by Euler's method as gymnasium has it.

    Barto, Sutton & Anderson 1983, appendix, without friction.

    Args:
        state: Cart's place [m] and speed [m/s], pole's angle from the upright [rad] and its speed [rad/s], (n, 4).
        right: Whether each cart is pushed to the right, bool, (n,).
    """
    _, speed, angle, turn = state.T
    all_kg, pole = _CART_KG + _POLE_KG, _POLE_KG * _HALF_POLE_M
    cosine, sine = np.cos(angle), np.sin(angle)
    pushed = (np.where(right, _PUSH_N, -_PUSH_N) + pole * turn**2 * sine) / all_kg
    turning = (_GRAVITY * sine - cosine * pushed) / (_HALF_POLE_M * (4 / 3 - _POLE_KG * cosine**2 / all_kg))
    return state + _STEP_S * np.stack(
        [speed, pushed - pole * turning * cosine / all_kg, turn, turning], axis=1
    )


def has_ended(state: np.ndarray) -> np.ndarray:
    """Return of which states, (n, 4), the flight is over, bool, (n,)."""
    return (np.abs(state[:, 0]) > MOST_PLACE_M) | (np.abs(state[:, 2]) > MOST_ANGLE_RAD)


def phi(seen: np.ndarray) -> np.ndarray:
    """Return `FEATURES` of observations (n, 4), float64, (n, 2): 1 / sqrt(2) at best, 0 where a flight ends by it."""
    shares = np.asarray(seen, float)[:, [2, 0]] / (MOST_ANGLE_RAD, MOST_PLACE_M)
    return np.clip(1 - shares**2, 0, 1) / np.sqrt(2)


class CartPoleWorld:
    """CartPole-v1 without its reward: `worlds.World`. An observation is the state."""

    name = "cartpole"
    observation_dim = 4
    low, high = np.array([-1.0]), np.array([1.0])
    frames = FRAMES

    def __init__(self, n_copies: int = 8) -> None:
        self.n_copies = n_copies

    def reset(self, starts: Sequence[Start]) -> np.ndarray:
        """As `World`."""
        self._state = np.array(
            [
                np.asarray(start, float)
                if isinstance(start, np.ndarray)
                else np.random.default_rng([start, 0xCA27]).uniform(-_START, _START, 4)
                for start in starts
            ]
        )
        return self._state.astype(np.float32)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `World`; above 0 pushes to the right. A flight that has ended stays where it ended."""
        over = has_ended(self._state)
        self._state = np.where(over[:, None], self._state, step(self._state, action[:, 0] > 0))
        return self._state.astype(np.float32), has_ended(self._state)
