"""Fly a set: clean flights, unusual ones and faulty ones, from seeds that no other set has."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

from curation_bench.flying import Flown, Sky, fly
from curation_bench.kinds import KINDS, inject
from curation_bench.pilots import PICK, PUSH, UNUSUAL

FIRST_SEED = {"dev": 1_000_000, "test": 5_000_000}
PUSHES = 0.35
"""Share of the flights that do the second task."""
MOST_TRIES = 30
VISIBLE_DEG = 0.5


def fly_set(
    first_seed: int,
    n_clean: int,
    n_unusual: int,
    per_cell: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Flown]:
    """Fly a set in random order.

    Args:
        first_seed: Seeds count up from here.
        n_clean: Clean flights.
        n_unusual: Unusual clean flights of each kind.
        per_cell: Faulty flights of each kind and size.
    """
    sky, rng = Sky(), np.random.default_rng(first_seed)
    seed = first_seed
    flights: list[Flown] = []
    total = n_clean + n_unusual * len(UNUSUAL) + per_cell * 4 * len(KINDS)

    def clean(task: str = "", unusual: str | None = None) -> Flown:
        nonlocal seed
        while True:
            seed += 1
            chosen = PUSH if not task and rng.random() < PUSHES else PICK
            flown = fly(sky, seed, chosen, unusual)
            # A person who has failed flies again: what failed is no clean flight.
            if flown.success:
                return flown

    for _ in range(n_clean):
        flights.append(clean())
        progress(len(flights), total)
    for unusual in UNUSUAL:
        for _ in range(n_unusual):
            flights.append(clean(PICK, unusual))
            progress(len(flights), total)
    originals = list(flights[:n_clean])
    for name, kind in KINDS.items():
        for level in (1, 2, 3, 4):
            for _ in range(per_cell):
                copied = name == "duplicate"
                base = originals.pop(int(rng.integers(len(originals)))) if copied else clean(kind.task)
                flights.append(faulty(sky, base, name, level, clean, kind.task))
                progress(len(flights), total)
    order = rng.permutation(len(flights))
    flights = [flights[i] for i in order]
    # The copy is the later one, as when a session was merged in twice.
    for i, flown in enumerate(flights):
        if flown.fault == "duplicate":
            of = next(k for k, f in enumerate(flights) if f.seed == flown.seed and not f.fault)
            if of > i:
                flights[i], flights[of] = flights[of], flights[i]
    return flights


def faulty(sky: Sky, base: Flown, name: str, level: int, clean: Callable[[str], Flown], task: str) -> Flown:
    """Return a flight with the fault; one that has changed nothing is flown again elsewhere.

    A failed grasp must fail, and a push or a weak servo must move a reading by half a degree: otherwise there is
    no fault in the data.
    """
    for _ in range(MOST_TRIES):
        flown = inject(sky, base, name, level)
        if name in ("failed_grasp", "dropped_cube"):
            visible = not flown.success
        elif name in ("bump", "weak_servo"):
            visible = bool(np.abs(flown.state - base.state).max() >= VISIBLE_DEG)
        else:
            visible = True
        if visible:
            return flown
        base = clean(task)
    raise RuntimeError(f"{name} of level {level} never makes a flight fail: choose other sizes")


def cached_set(
    cache: Path, name: str, number: int, sizes: tuple[int, int, int], say: Callable
) -> list[Flown]:
    """Return the set `number` of the seeds `name` ("dev" or "test"), flown now or before."""
    path = cache / f"{name}-{number}-{'-'.join(map(str, sizes))}.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    flights = fly_set(FIRST_SEED[name] + 100_000 * number, *sizes, progress=say)
    cache.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(flights))
    return flights
