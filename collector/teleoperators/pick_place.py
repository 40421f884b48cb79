"""The scripted pilot's flight: from where the arm and the cube are to the cube on the disc.

Planned as strokes of the grip in cylindrical coordinates about the arm's base (an arm swings more readily
than it slides), turned into joint angles by inverse kinematics at a few points, and run through them by a
spline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from collector.robots.sim_so101.reach import Reach
from collector.robots.sim_so101.task import CUBE_HALF_M, TARGET_XY_M
from collector.teleoperators.strokes import Strokes, least_jerk

# A path's coordinates: bearing and distance from the base's axis, height, the jaws' turn from where the wrist
# is not rolled, and the gripper's angle.
BEARING, DISTANCE, HEIGHT, TURN, JAW = range(5)
BASE_AXIS_M = np.array([0.0388, 0.0])
# Time between the points at which inverse kinematics is solved [s].
KNOT_S = 0.1
# Where the arm's joints and the plan disagree at a plan's start, they are brought together in this time [s].
MERGE_S = 0.5
# Height of the grip around a cube that lies on the table [m]: the moving jaw sweeps up to 8 mm lower, and whoever
# presses it on the table is thrown back. And how far above the table a cube is let go [m].
GRASP_M, LET_GO_M = 0.0135, 0.0015
# The grip is held this far off the cube's middle, so that the fixed jaw passes 5 mm beside the cube [m].
JAW_OFFSET_M = 0.0025
# Letting go, the fixed jaw backs off the cube by this much, lest it take it along [m].
FREE_M = 0.004
# A `miss` goes this far beside the cube, along the jaws' flanks [m].
MISS_M = 0.036
# The gripper's goal when closed [rad]: well inside the cube, so that the servo presses with all its force.
CLOSED_RAD = 0.0
# The cube is lost where it lies this low while the grip is this high [m].
LOST_CUBE_M, LOST_GRIP_M = 0.02, 0.045
MAX_TRIES = 3


@dataclass(frozen=True)
class Style:
    """How this episode's person flies.

    Attributes:
        tempo: Divides every duration.
        overlap: How early the next stroke begins, as a share of the one before.
        hover_m: Height of the grip over the cube before it goes down [m].
        carry_m: Height of the grip on its way to the disc [m].
        open_rad: How wide the gripper opens before the grasp and after it [rad].
        aim_m: How far off the first aim over the cube is, (3,) [m]; corrected on the way down.
        grasp_m: How far off the grasp itself is, (2,) [m].
        place_m: How far from the disc's centre the cube is put, (2,) [m].
        sway_m: Amplitudes of a slow sway of the hand, (3, 2) [m].
        sway_hz: Its frequencies, (3, 2) [Hz].
        sway_phase: Its phases, (3, 2) [rad].
        flaw: What goes wrong on purpose, or None.
        side: Which side a `miss` goes to, 1 or -1.
    """

    tempo: float
    overlap: float
    hover_m: float
    carry_m: float
    open_rad: float
    aim_m: np.ndarray
    grasp_m: np.ndarray
    place_m: np.ndarray
    sway_m: np.ndarray
    sway_hz: np.ndarray
    sway_phase: np.ndarray
    flaw: str | None
    side: float

    @classmethod
    def draw(cls, rng: np.random.Generator, speed: float, flaw: str | None) -> Style:
        """Draw a style; `speed` multiplies its tempo."""
        return cls(
            tempo=speed * rng.uniform(0.88, 1.15),
            overlap=rng.uniform(0.25, 0.4),
            hover_m=rng.uniform(0.045, 0.06),
            carry_m=rng.uniform(0.06, 0.08),
            open_rad=rng.uniform(0.9, 1.1),
            aim_m=rng.normal(0.0, 0.005, 3).clip(-0.01, 0.01),
            grasp_m=rng.normal(0.0, 0.001, 2).clip(-0.002, 0.002),
            place_m=rng.normal(0.0, 0.003, 2).clip(-0.007, 0.007),
            sway_m=rng.normal(0.0, 0.0007, (3, 2)),
            sway_hz=rng.uniform(0.3, 1.2, (3, 2)),
            sway_phase=rng.uniform(0, 2 * np.pi, (3, 2)),
            flaw=flaw,
            side=rng.choice([-1.0, 1.0]),
        )


class Flight:
    """One flight; ask it for `goal` at rising times.

    It looks at the cube twice: at the start, and when the gripper has closed, to see how the cube lies in it.
    Where the cube was lost on the way up it goes back for it.

    Attributes:
        expected_s: How long the flight takes if nothing is lost [s].
        end_s: When it ends [s]; infinite while that is not yet known.
    """

    def __init__(self, style: Style, reach: Reach, joints_rad: np.ndarray, scene: np.ndarray) -> None:
        """Plan the way to the cube.

        Args:
            style: How to fly.
            reach: The arm's kinematics.
            joints_rad: Joint angles at the start [rad], (6,).
            scene: The task's `environment_state`, (5,).
        """
        self._style = style
        self._reach = reach
        self._tries = 0
        self._last_rad = joints_rad
        self._speed_rad_s = np.zeros(len(joints_rad))
        self._last_s = 0.0
        self.end_s = np.inf
        self._fetch(0.0, scene)
        swing = abs(_polar(TARGET_XY_M)[0] - _polar(scene[:2])[0])
        self.expected_s = self._part_end_s + (1.6 + self._swing_s(swing)) / style.tempo

    def goal(self, now_s: float, joints_rad: np.ndarray, scene: np.ndarray) -> np.ndarray:
        """Return the joints' goals.

        Args:
            now_s: Seconds since the flight began.
            joints_rad: Observed joint angles [rad], (6,).
            scene: The task's `environment_state`, (5,).

        Returns:
            Joint angles [rad], (6,).
        """
        if not self._carrying and now_s >= self._part_end_s:
            self._carry(now_s, joints_rad, scene)
        elif self._lost(now_s, joints_rad, scene):
            self._fetch(now_s, scene)
        goal_rad = self._spline(min(now_s, self._part_end_s) - self._part_begin_s)
        self._speed_rad_s = (goal_rad - self._last_rad) / max(now_s - self._last_s, 1e-3)
        self._last_rad, self._last_s = goal_rad, now_s
        return goal_rad

    def _fetch(self, now_s: float, scene: np.ndarray) -> None:
        """Plan from here to where the gripper has closed around the cube."""
        style = self._style
        self._tries += 1
        self._carrying = False
        cube_yaw = np.arctan2(scene[3], scene[4]) / 4
        aim_m = scene[:2] + style.aim_m[:2]
        bearing, distance_m = _polar(aim_m)
        # Any of the cube's four sides will do: take the one for which the wrist rolls least.
        turn = _wrap(cube_yaw - bearing, np.pi / 2)
        yaw = bearing + np.pi + turn
        across = np.array([np.cos(yaw), np.sin(yaw)])
        grasp_m = scene[:2] - JAW_OFFSET_M * across + style.grasp_m
        if style.flaw == "miss":
            grasp_m = grasp_m + style.side * MISS_M * np.array([-across[1], across[0]])
        path = Strokes(self._coordinates(self._last_rad))
        swing = abs(bearing - path.start[BEARING])
        rise_s = self._swing_s(swing)
        hover_m = scene[2] + style.hover_m + style.aim_m[2]
        goal = {BEARING: bearing, DISTANCE: distance_m, HEIGHT: hover_m, TURN: turn, JAW: style.open_rad}
        path.to(goal, rise_s)
        bearing, distance_m = _polar(grasp_m)
        goal = {
            BEARING: bearing,
            DISTANCE: distance_m,
            HEIGHT: GRASP_M,
            TURN: _wrap(cube_yaw - bearing, np.pi / 2),
        }
        path.to(goal, 0.6, begin_s=path.end_s - style.overlap * rise_s)
        path.to({JAW: CLOSED_RAD}, 0.45, begin_s=path.end_s - 0.05)
        self._begin(now_s, path)

    def _carry(self, now_s: float, joints_rad: np.ndarray, scene: np.ndarray) -> None:
        """Plan from the closed gripper to the cube on the disc and the hand off it."""
        style = self._style
        self._carrying = True
        place_m, yaw = self._reach.grip(joints_rad)
        path = Strokes(self._coordinates(self._last_rad))
        target_m = TARGET_XY_M + style.place_m
        bearing, _ = _polar(target_m)
        # The cube lies off the grip's middle, and turns with it.
        held_m = scene[:2] - place_m[:2]
        if np.linalg.norm(held_m) > 2 * CUBE_HALF_M:
            held_m = np.zeros(2)
        turned = bearing + np.pi - yaw
        cos, sin = np.cos(turned), np.sin(turned)
        bearing, distance_m = _polar(target_m - np.array([[cos, -sin], [sin, cos]]) @ held_m)
        height_m = place_m[2] - min(scene[2], 2 * CUBE_HALF_M) + CUBE_HALF_M
        swing_s = self._swing_s(abs(bearing - path.start[BEARING]))
        path.to({HEIGHT: style.carry_m}, 0.5)
        goal = {BEARING: bearing, DISTANCE: distance_m, TURN: 0.0}
        swung_s = path.to(goal, swing_s, begin_s=path.end_s - 0.25)
        if style.flaw == "slip":
            path.to({JAW: style.open_rad}, 0.25, begin_s=swung_s - 0.9 * swing_s)
        path.to({HEIGHT: height_m + LET_GO_M}, 0.55, begin_s=swung_s - style.overlap * swing_s)
        opened_s = path.to({JAW: style.open_rad, DISTANCE: distance_m - FREE_M}, 0.4)
        self._released_s = now_s + (opened_s - 0.4) / style.tempo
        path.to({HEIGHT: height_m + style.hover_m}, 0.55, begin_s=opened_s - 0.15)
        self._begin(now_s, path)
        self.end_s = self._part_end_s

    def _lost(self, now_s: float, joints_rad: np.ndarray, scene: np.ndarray) -> bool:
        """Return whether the cube stayed behind; one who flies badly on purpose does not look."""
        if not self._carrying or self._style.flaw or self._tries >= MAX_TRIES or now_s >= self._released_s:
            return False
        place_m, _ = self._reach.grip(joints_rad)
        return bool(place_m[2] > LOST_GRIP_M and scene[2] < LOST_CUBE_M)

    def _begin(self, now_s: float, path: Strokes) -> None:
        """Turn a path into joint angles over time."""
        tempo = self._style.tempo
        self._part_begin_s, self._part_end_s = now_s, now_s + path.end_s / tempo
        self.end_s = np.inf
        times_s = np.linspace(0.0, path.end_s / tempo, int(np.ceil(path.end_s / tempo / KNOT_S)) + 1)
        angles = []
        start_rad = self._last_rad
        for time_s, coordinates in zip(times_s, path.at(times_s * tempo)):
            bearing, distance_m, height_m, turn, jaw = coordinates
            xy_m = BASE_AXIS_M + distance_m * np.array([np.cos(bearing), np.sin(bearing)])
            place_m = np.array([*xy_m, height_m]) + self._sway(now_s + time_s)
            start_rad = self._reach.solve(place_m, bearing + np.pi + turn, start_rad)
            start_rad[5] = jaw
            angles.append(start_rad)
        knots = np.array(angles)
        knots += (1 - least_jerk(times_s / MERGE_S))[:, None] * (self._last_rad - knots[0])
        rest = np.zeros(knots.shape[1])
        self._spline = CubicSpline(times_s, knots, bc_type=((1, self._speed_rad_s), (1, rest)))

    def _coordinates(self, angles_rad: np.ndarray) -> np.ndarray:
        place_m, yaw = self._reach.grip(angles_rad)
        bearing, distance_m = _polar(place_m[:2])
        turn = _wrap(yaw - bearing - np.pi, 2 * np.pi)
        return np.array([bearing, distance_m, place_m[2], turn, angles_rad[5]])

    def _sway(self, time_s: float) -> np.ndarray:
        style = self._style
        waves = style.sway_m * np.sin(2 * np.pi * style.sway_hz * time_s + style.sway_phase)
        return waves.sum(axis=1)

    @staticmethod
    def _swing_s(angle_rad: float) -> float:
        """Return how long a swing about the base takes at tempo 1 [s]: longer for a longer one."""
        return 0.75 + 0.5 * angle_rad


def _polar(xy_m: np.ndarray) -> tuple[float, float]:
    """Return bearing [rad] and distance [m] from the base's axis of a place on the table."""
    x, y = np.asarray(xy_m[:2]) - BASE_AXIS_M
    return float(np.arctan2(y, x)), float(np.hypot(x, y))


def _wrap(angle_rad: float, period_rad: float) -> float:
    """Return the angle within half a period of zero."""
    return float((angle_rad + period_rad / 2) % period_rad - period_rad / 2)
