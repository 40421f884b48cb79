"""Flights of the SO-101 whose success is known: clean ones, and such as fail in one of four ways."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from curation_bench.flying import FPS, LONGEST_S, Flown, Sky, hand, measured
from curation_bench.pilots import PEOPLE, PICK, style_of

from collector.robots.sim_so101.joints import to_radians, to_units
from collector.teleoperators.pick_place import Flight

CLEAN = ""
FLAWS = ("truncated", "wrong_goal", "miss", "slip")
_CUT = (0.35, 0.85)  # where a truncated flight ends, as a share of the whole
_ASIDE_M = (0.06, 0.11)  # how far beside the disc the cube is put
_LOOK_S = 0.6  # a person watches what was done before the flight ends


def fly(sky: Sky, seed: int, flaw: str = CLEAN) -> Flown:
    """Fly the pick and place once; person and style follow from the seed.

    Args:
        sky: Robot.
        seed: Of the scene and the style.
        flaw: One of `FLAWS`, or none.
    """
    rng = np.random.default_rng([seed, 0x12])
    person = PEOPLE[int(rng.integers(len(PEOPLE)))]
    style = style_of(person, seed)
    if flaw in ("miss", "slip"):
        style = replace(style, flaw=flaw)
    if flaw == "wrong_goal":
        bearing = rng.uniform(-np.pi, np.pi)
        aside = rng.uniform(*_ASIDE_M) * np.array([np.cos(bearing), np.sin(bearing)])
        style = replace(style, place_m=np.where([True, False], np.minimum(aside, 0.04), aside))
    sky.begin(seed)
    state = sky.observe()[0]
    scene = np.asarray(sky.robot.task.environment_state(), float)
    flight = Flight(style, sky.reach, to_radians(state), scene)
    cut_s = rng.uniform(*_CUT) * flight.expected_s if flaw == "truncated" else np.inf
    wander = hand(rng, round(LONGEST_S * FPS), person.hand_deg)
    states, scenes, actions = [], [], []
    for t in range(len(wander)):
        now_s = (t + 1) / FPS
        goal = to_units(flight.goal(now_s, to_radians(state), scene))
        asked = goal + wander[t] * min(1.0, t / 10)
        states.append(state)
        scenes.append(scene)
        actions.append(asked)
        sky.act(asked)
        state, scene = sky.observe()[0], np.asarray(sky.robot.task.environment_state(), float)
        if now_s >= min(cut_s, flight.end_s + _LOOK_S):
            break
    success = bool(sky.robot.task.success())
    return Flown(
        seed,
        PICK,
        f"person {PEOPLE.index(person)}",
        measured(np.array(states), rng),
        np.array(actions),
        success,
        flaw,
        scene=np.array(scenes),
    )


def fly_set(sky: Sky, first_seed: int, n_clean: int, n_each: int) -> list[Flown]:
    """Fly a set in random order; clean flights that failed, and others that succeeded, are flown anew.

    Args:
        sky: Robot.
        first_seed: Seeds count up from here.
        n_clean: Clean flights.
        n_each: Flights of each flaw.
    """
    flights: list[Flown] = []
    seed = first_seed
    for flaw in (*[CLEAN] * n_clean, *FLAWS * n_each):
        while True:
            seed += 1
            flown = fly(sky, seed, flaw)
            if flown.success == (flaw == CLEAN):
                break
        flights.append(flown)
        print(f"\rflown {len(flights)}", end="", file=sys.stderr, flush=True)
    order = np.random.default_rng(first_seed).permutation(len(flights))
    return [flights[i] for i in order]
