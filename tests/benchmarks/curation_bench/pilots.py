"""The benchmark's pilots: several people's styles, two tasks, and flights that are unusual but clean."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from collector.robots.sim_so101.task import TARGET_XY_M
from collector.teleoperators.pick_place import (
    BASE_AXIS_M,
    BEARING,
    CLOSED_RAD,
    DISTANCE,
    HEIGHT,
    JAW,
    TURN,
    Flight,
    Style,
    _polar,
    _wrap,
)
from collector.teleoperators.strokes import Strokes

PICK, PUSH = (
    "Pick up the red cube and place it on the blue disc.",
    "Push the red cube aside with closed jaws.",
)
UNUSUAL = ("return_home", "planned_pause", "other_side", "recovery", "slow", "high_arc")


@dataclass(frozen=True)
class Person:
    """How one person flies.

    Attributes:
        tempo: Usual speed.
        sway: Multiplies the slow sway of the hand.
        hand_deg: Standard deviation of the hand's quick wandering, low-passed at about 3 Hz [degrees].
        carry_m: Added to the height at which things are carried [m].
        linger_s: How long the hand stays before it ends the flight [s].
    """

    tempo: float
    sway: float
    hand_deg: float
    carry_m: float
    linger_s: float


PEOPLE = (
    Person(0.80, 1.0, 0.10, 0.00, 0.20),
    Person(0.95, 1.5, 0.20, 0.01, 0.10),
    Person(1.05, 0.7, 0.05, 0.00, 0.05),
    Person(1.20, 1.8, 0.30, 0.02, 0.15),
    Person(0.90, 1.2, 0.15, -0.005, 0.30),
)


class Pushing(Flight):
    """Sweeps the closed jaws into the cube and pushes it aside, then lifts them."""

    def _fetch(self, now_s: float, scene: np.ndarray) -> None:
        style = self._style
        bearing, distance_m = _polar(scene[:2] + style.grasp_m)
        away = -1.0 if bearing > 0 else 1.0
        path = Strokes(self._coordinates(self._last_rad))
        swing_s = self._swing_s(abs(bearing - 0.3 * away - path.start[BEARING]))
        path.to(
            {
                BEARING: bearing - 0.3 * away,
                DISTANCE: distance_m,
                HEIGHT: style.hover_m + 0.02,
                TURN: 0.0,
                JAW: CLOSED_RAD,
            },
            swing_s,
        )
        path.to({HEIGHT: 0.028}, 0.6, begin_s=path.end_s - style.overlap * swing_s)
        path.to({BEARING: bearing + 0.25 * away}, 1.3)
        path.to({HEIGHT: style.carry_m}, 0.6, begin_s=path.end_s - 0.1)
        self._carrying, self._released_s = True, -np.inf
        self._begin(now_s, path)
        self.end_s = self._part_end_s


class Homing(Flight):
    """Goes back to where it began when the cube is placed."""

    def _carry(self, now_s: float, joints_rad: np.ndarray, scene: np.ndarray) -> None:
        if not hasattr(self, "_home"):
            self._home = self._coordinates(self._start_rad)
        super()._carry(now_s, joints_rad, scene)

    def __init__(self, style: Style, reach: object, joints_rad: np.ndarray, scene: np.ndarray) -> None:
        self._start_rad = joints_rad.copy()
        super().__init__(style, reach, joints_rad, scene)

    def goal(self, now_s: float, joints_rad: np.ndarray, scene: np.ndarray) -> np.ndarray:
        if self._carrying and now_s >= self._part_end_s and not hasattr(self, "_going"):
            self._going = True
            path = Strokes(self._coordinates(self._last_rad))
            path.to(dict(enumerate(self._home)), 1.4)
            self._begin(now_s, path)
            self.end_s = self._part_end_s
        return super().goal(now_s, joints_rad, scene)


class OtherSide(Flight):
    """Grasps the cube by its other pair of sides: the wrist is turned a quarter further."""

    def _coordinates(self, angles_rad: np.ndarray) -> np.ndarray:
        result = super()._coordinates(angles_rad)
        result[TURN] = _wrap(result[TURN], 2 * np.pi)
        return result

    def _fetch(self, now_s: float, scene: np.ndarray) -> None:
        style = self._style
        self._tries += 1
        self._carrying = False
        yaw = np.arctan2(scene[3], scene[4]) / 4
        bearing, distance_m = _polar(scene[:2] + style.aim_m[:2])
        turn = _wrap(yaw - bearing, np.pi / 2)
        turn += np.pi / 2 if turn < 0 else -np.pi / 2
        path = Strokes(self._coordinates(self._last_rad))
        rise_s = self._swing_s(abs(bearing - path.start[BEARING])) + 0.2
        path.to(
            {
                BEARING: bearing,
                DISTANCE: distance_m,
                HEIGHT: scene[2] + style.hover_m,
                TURN: turn,
                JAW: style.open_rad,
            },
            rise_s,
        )
        across = bearing + np.pi + turn
        grasp_m = scene[:2] - 0.0025 * np.array([np.cos(across), np.sin(across)]) + style.grasp_m
        bearing, distance_m = _polar(grasp_m)
        path.to(
            {BEARING: bearing, DISTANCE: distance_m, HEIGHT: 0.0135},
            0.6,
            begin_s=path.end_s - style.overlap * rise_s,
        )
        path.to({JAW: CLOSED_RAD}, 0.45, begin_s=path.end_s - 0.05)
        self._begin(now_s, path)


class Recovering(Flight):
    """Misses the cube at first, sees it, and goes back for it."""

    def _fetch(self, now_s: float, scene: np.ndarray) -> None:
        first = self._tries == 0
        kept = self._style
        if first:
            self._style = replace(kept, grasp_m=kept.side * np.array([0.0, 0.036]))
        super()._fetch(now_s, scene)
        self._style = kept


def style_of(person: Person, seed: int, unusual: str | None = None) -> Style:
    """Draw one flight's style of a person."""
    rng = np.random.default_rng([seed, 0x57])
    style = Style.draw(rng, person.tempo, None)
    style = replace(style, sway_m=style.sway_m * person.sway, carry_m=style.carry_m + person.carry_m)
    if unusual == "slow":
        style = replace(style, tempo=0.6 * style.tempo)
    if unusual == "high_arc":
        style = replace(style, carry_m=style.carry_m + 0.05, hover_m=style.hover_m + 0.02)
    return style


KINDS = {"return_home": Homing, "other_side": OtherSide, "recovery": Recovering}
__all__ = [
    "BASE_AXIS_M",
    "KINDS",
    "PEOPLE",
    "PICK",
    "PUSH",
    "TARGET_XY_M",
    "UNUSUAL",
    "Person",
    "Pushing",
    "style_of",
]
