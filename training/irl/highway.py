"""A small highway after Abbeel & Ng 2004, section 5.2, as a table of states, and five ways to drive on it.

Three lanes, with a shoulder on either side; we are faster than everybody. In each lane the nearest car is seen
from 7 car lengths ahead to 2 behind. Ten times a second we choose a lane to steer to, one lane a step; cars fall back
by a car length as often as their lane's speed says, and into a lane without one a new one comes into sight.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.irl.tabular import TabularMdp

LANES = ("off-road left", "left lane", "middle lane", "right lane", "off-road right")
STEP_S = 0.1
FARTHEST, LAST = 7, -2  # where a car comes into sight and where it leaves it [car lengths ahead of us]
NONE = FARTHEST - LAST + 1  # a lane without a car; 0 .. NONE - 1 count from FARTHEST backwards
FALLS_BACK = (0.2, 0.3, 0.4)  # car lengths a step, left to right lane: 10 to 20 m/s slower than we are
APPEARS = 0.06  # a step, in an empty lane
DISCOUNT = 0.98
FEATURES = (*LANES, *(f"car at {FARTHEST - i:+d}" for i in range(NONE)))
COLLISION = len(LANES) + FARTHEST  # the feature of a car at +0: on our place in our lane
_SHAPE = (len(LANES), NONE + 1, NONE + 1, NONE + 1)
_SAFE_AHEAD = 3  # car lengths


def make_highway() -> TabularMdp:
    """Return the highway; features are scaled by 1 / sqrt(2), as a lane and a car fire at once."""
    n = int(np.prod(_SHAPE))
    lane, *cars = np.unravel_index(np.arange(n), _SHAPE)
    target = np.arange(len(LANES))[:, None]
    ours = np.broadcast_to((lane + np.sign(target - lane))[:, :, None], (len(LANES), n, 2 ** len(cars)))
    moved, chance = [], np.ones((n, 2 ** len(cars)))
    for i, car in enumerate(cars):
        moves = np.where(car == NONE, APPEARS, FALLS_BACK[i])
        ahead = np.where(car == NONE, 0, car + 1)
        happens = (np.arange(2 ** len(cars)) >> i & 1).astype(bool)
        moved.append(np.where(happens, ahead[:, None], car[:, None]))
        chance *= np.where(happens, moves[:, None], 1 - moves[:, None])
    successor = np.ravel_multi_index((ours, *(np.broadcast_to(m, ours.shape) for m in moved)), _SHAPE)
    return TabularMdp.of(
        successor,
        np.broadcast_to(chance, successor.shape),
        start=_start(),
        features=_features(lane, cars),
        discount=DISCOUNT,
        names=FEATURES,
    )


def _start() -> np.ndarray:
    """We begin in the middle lane, other cars where they are in the long run: where they stay longest, likeliest."""
    start = np.zeros(_SHAPE)
    shares = []
    for falls_back in FALLS_BACK:
        stays = np.append(np.full(NONE, 1 / falls_back), 1 / APPEARS)
        shares.append(stays / stays.sum())
    start[LANES.index("middle lane")] = np.einsum("i,j,k->ijk", *shares)
    return start.ravel()


def _features(lane: np.ndarray, cars: list[np.ndarray]) -> np.ndarray:
    table = np.zeros((len(lane), len(FEATURES)))
    states = np.arange(len(lane))
    table[states, lane] = 1
    for i, car in enumerate(cars):
        seen = (lane == i + 1) & (car != NONE)
        table[states[seen], len(LANES) + car[seen]] = 1
    return table


def frequencies(model: TabularMdp, mean: np.ndarray) -> np.ndarray:
    """Return which share of the discounted time each feature fires, (n_features,).

    Args:
        model: What `make_highway` made.
        mean: Feature expectations.
    """
    return (1 - model.discount) * mean / model.features.max()


def places(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return our lane, int64, (n,), and each lane's car, (n, 3), in car lengths ahead of us, NaN where there is none.

    Args:
        states: Of the model, int64, (n,).
    """
    lane, *cars = np.unravel_index(states, _SHAPE)
    at = np.stack(cars, axis=1)
    return lane, np.where(at == NONE, np.nan, FARTHEST - at)


def _everywhere() -> tuple[np.ndarray, np.ndarray]:
    return places(np.arange(int(np.prod(_SHAPE))))


def _clear(distance: np.ndarray) -> np.ndarray:
    """Which lanes have no car near, bool, (n_states, 5); off the road there is none."""
    near = (distance >= -1) & (distance <= _SAFE_AHEAD)
    return np.pad(~near, ((0, 0), (1, 1)), constant_values=True)


def nice() -> np.ndarray:
    """Hit nobody; rather right than middle than left than off the road."""
    lane, distance = _everywhere()
    clear, states = _clear(distance), np.arange(len(lane))
    onto_road = np.clip(lane, 1, 3)
    right = np.minimum(
        onto_road + (lane == onto_road), 3
    )  # a lane further right, from the shoulder back onto the road
    left = np.maximum(lane - 1, 0)
    go_right, stay, go_left = clear[states, right], clear[states, lane], clear[states, left]
    away = np.where(lane >= 3, 4, left)  # from the right lane the right shoulder is nearer than the left one
    return np.where(go_right, right, np.where(stay, lane, np.where(go_left, left, away)))


def nasty() -> np.ndarray:
    """Hit as many as possible: into the lane of the car that is nearest ahead."""
    lane, distance = _everywhere()
    ahead = np.where(distance >= 0, distance, np.inf)
    # The lane itself costs a step for each lane to cross; a car that is there already is hit where we are.
    cost = ahead + 0.5 * np.abs(np.arange(1, 4) - lane[:, None])
    return np.where(np.isfinite(ahead).any(axis=1), cost.argmin(axis=1) + 1, np.clip(lane, 1, 3))


def right_lane_nice() -> np.ndarray:
    """In the right lane, and off the road where there is a car in it."""
    _, distance = _everywhere()
    return np.where(_clear(distance)[:, 3], 3, 4)


def right_lane_nasty() -> np.ndarray:
    """Off the road on the right, and back onto it to hit the cars in the right lane."""
    _, distance = _everywhere()
    return np.where((distance[:, 2] >= 0) & (distance[:, 2] <= 1), 3, 4)


def middle_lane() -> np.ndarray:
    """In the middle lane, whoever is in it."""
    return np.full(len(_everywhere()[0]), 2)


STYLES: dict[str, Callable[[], np.ndarray]] = {
    "nice": nice,
    "nasty": nasty,
    "right lane nice": right_lane_nice,
    "right lane nasty": right_lane_nasty,
    "middle lane": middle_lane,
}
