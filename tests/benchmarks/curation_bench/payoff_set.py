"""Fly a set for the question whether curation pays: pick and place by five people, a share of it spoilt."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

from curation_bench import faults, flown_faults
from curation_bench.flying import Flown, Sky, fly
from curation_bench.kinds import KINDS
from curation_bench.pilots import PICK

SPOILT: dict[str, tuple[float, float]] = {
    "failed_grasp": KINDS["failed_grasp"].sizes[2:],
    "dropped_cube": KINDS["dropped_cube"].sizes[2:],
    "wrong_goal": (0.06, 0.09),
    "bump": KINDS["bump"].sizes[2:],
    "hesitation": KINDS["hesitation"].sizes[2:],
    "lag": KINDS["lag"].sizes[2:],
    "offset": KINDS["offset"].sizes[2:],
    "joint_swap": KINDS["joint_swap"].sizes[2:],
    "wrong_units": KINDS["wrong_units"].sizes[2:],
    "sensor_noise": KINDS["sensor_noise"].sizes[2:],
}
"""Kinds of faults and their two sizes, the plain ones of `kinds`; those of `wrong_goal` are metres beside the disc."""
MUST_FAIL = ("failed_grasp", "dropped_cube", "wrong_goal")
FIRST_SEED = {"dev": 7_000_000, "test": 9_000_000, "fresh": 10_000_000}


def fly_spoilt(
    first_seed: int,
    n: int,
    share: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Flown]:
    """Fly a set in random order; each kind of fault comes as often as any other.

    Clean flights all succeed, as a person who has failed flies again. Faults of the hand must make the flight fail;
    those written into the readings leave its success as it was flown.

    Args:
        first_seed: Seeds count up from here.
        n: Flights.
        share: Share of them that are faulty.
    """
    sky, rng = Sky(), np.random.default_rng(first_seed)
    kinds, n_faulty = list(SPOILT), round(share * n)
    flights: list[Flown] = []
    seed = first_seed
    while len(flights) < n:
        seed += 1
        flown = fly(sky, seed, PICK)
        if not flown.success:
            continue
        if len(flights) < n_faulty:
            name = kinds[len(flights) % len(kinds)]
            level = int(rng.integers(2))
            draw = np.random.default_rng([seed, level, kinds.index(name)])
            size = SPOILT[name][level]
            if hasattr(flown_faults, name):
                flown = getattr(flown_faults, name)(sky, flown, size, draw)
            else:
                flown = getattr(faults, name)(flown, size, draw)
            if name in MUST_FAIL and flown.success:
                continue
            flown.fault, flown.level = name, level + 3
        flights.append(flown)
        progress(len(flights), n)
    return [flights[i] for i in rng.permutation(n)]


def kept_set(path: Path, first_seed: int, n: int, share: float, say: Callable) -> list[Flown]:
    """Return the set in a file, flown now where it is not there."""
    if path.exists():
        return pickle.loads(path.read_bytes())
    flights = fly_spoilt(first_seed, n, share, say)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(flights))
    return flights
