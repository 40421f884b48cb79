"""The scene of gym-pusht: its bodies, its physics in steps of any length, its picture and its measure.

Coordinates are gym-pusht's: pixels of its window of 512 x 512, y downwards.
"""

from __future__ import annotations

import importlib
import os
import warnings
from typing import Any

import numpy as np

from collector.errors import DeviceError, MismatchError

# gym-pusht's step; its people's data were flown at 10 such steps an action.
NOMINAL_STEP_S = 0.01
# Keypoints further than this from a T of the scene's size belong to something else [px].
KEYPOINT_TOLERANCE_PX = 1.0


def import_pusht() -> Any:
    """Import gym-pusht's module.

    Raises:
        DeviceError: If it or what it stands on is not installed.
    """
    # pygame would greet on stdout, which belongs to results.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module("gym_pusht.envs.pusht")
    except ImportError as error:
        raise _not_installed(" ".join(str(error).split())) from error
    # From 7 on pymunk lacks what gym-pusht calls.
    if int(module.pymunk.version.partition(".")[0]) >= 7:
        raise _not_installed(f"pymunk {module.pymunk.version} is too new")
    return module


def _not_installed(why: str) -> DeviceError:
    # Not as its own dependencies ask: they bring opencv-python, which overwrites lerobot's headless cv2 with one
    # that does not load without a screen's libraries.
    return DeviceError(
        f"sim_pusht needs gym-pusht ({why}): run \"pip install 'pymunk<7' 'shapely<3' pygame\" and then "
        "'pip install --no-deps gym-pusht==0.1.8'"
    )


class PushTScene:
    """gym-pusht's environment, driven step by step."""

    def __init__(self, width: int, height: int) -> None:
        """Build the scene; `reset` or `place` it before use.

        Args:
            width: Width of the pictures [pixels].
            height: Height of the pictures [pixels].

        Raises:
            DeviceError: If gym-pusht is not installed.
        """
        self._env = import_pusht().PushTEnv(
            obs_type="environment_state_agent_pos", observation_width=width, observation_height=height
        )
        self._measured: tuple[tuple[float, ...], float] | None = None

    def reset(self, seed: int) -> None:
        """Place agent and block as gym-pusht's own `reset(seed=seed)` does."""
        self._env.reset(seed=seed)

    def place(self, agent: np.ndarray, keypoints: np.ndarray) -> None:
        """Place agent and block, at rest, where a recording saw them.

        Args:
            agent: The agent's position [px], (2,).
            keypoints: The block's keypoints [px], (16,), in the order of `keypoints()`.

        Raises:
            MismatchError: If the keypoints are not those of this T, or a number is missing or not finite.
        """
        agent, keypoints = np.asarray(agent, float).ravel(), np.asarray(keypoints, float).ravel()
        if agent.shape != (2,) or keypoints.shape != (16,):
            raise MismatchError(
                f"a PushT scene is 2 numbers for the agent and 16 for the block, not {agent.size} and "
                f"{keypoints.size}: use a recording of PushT with observation.environment_state"
            )
        self._env._setup()
        corners = [v for shape in self._env._block_shapes for v in shape.get_vertices()]
        local = np.array([complex(v.x, v.y) for v in corners])
        seen = keypoints[0::2] + 1j * keypoints[1::2]
        # The least-squares turn and shift from one to the other; complex numbers make it one line.
        turn = np.sum(np.conj(local - local.mean()) * (seen - seen.mean()))
        angle_rad = float(np.angle(turn))
        position = seen.mean() - np.exp(1j * angle_rad) * local.mean()
        off_px = np.abs(np.exp(1j * angle_rad) * local + position - seen).max()
        if not (np.isfinite(agent).all() and off_px <= KEYPOINT_TOLERANCE_PX):
            raise MismatchError(
                f"the recorded scene is not one of this T (off by {off_px:.1f} px): use a recording of PushT"
            )
        self._env.agent.position = tuple(agent.tolist())
        # The angle first: it turns the block about its centre of mass, which would move the position again.
        self._env.block.angle = angle_rad
        self._env.block.position = (float(position.real), float(position.imag))
        # As gym-pusht does after it has placed them.
        self._env.space.step(NOMINAL_STEP_S)

    def agent(self) -> tuple[float, float]:
        """Return the agent's position [px]."""
        x, y = self._env.agent.position
        return float(x), float(y)

    def keypoints(self) -> np.ndarray:
        """Return the corners of the block's two rectangles, bar and stem [px], float32, (16,)."""
        return self._env.get_keypoints(self._env._block_shapes).ravel().astype(np.float32)

    def coverage(self) -> float:
        """Return the share of the target that the block covers, 0 to 1."""
        block = self._env.block
        pose = (*block.position, block.angle)
        # Cutting polygons costs more than a tick's physics, and reward and success both ask.
        if self._measured is None or self._measured[0] != pose:
            self._measured = pose, float(self._env._get_coverage())
        return self._measured[1]

    @property
    def success_threshold(self) -> float:
        """Coverage above which gym-pusht calls the task done."""
        return float(self._env.success_threshold)

    def advance(self, target: tuple[float, float], steps: int, step_s: float) -> None:
        """Let the agent follow its target by gym-pusht's PD control.

        Args:
            target: Where the agent is to go [px].
            steps: How many steps of physics to take.
            step_s: Length of one [s].
        """
        agent, space = self._env.agent, self._env.space
        k_p, k_v = self._env.k_p, self._env.k_v
        for _ in range(steps):
            (x, y), (vx, vy) = agent.position, agent.velocity
            ax, ay = k_p * (target[0] - x) - k_v * vx, k_p * (target[1] - y) - k_v * vy
            agent.velocity = (vx + ax * step_s, vy + ay * step_s)
            space.step(step_s)

    def draw(self) -> np.ndarray:
        """Return the picture, uint8, (height, width, 3), RGB."""
        return self._env._render()
