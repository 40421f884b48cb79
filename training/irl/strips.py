"""Strips of frames, half a second apart, that show how somebody drives: the road runs upwards, we stay in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training.irl.highway import FARTHEST, LANES, LAST, STEP_S, places
from training.irl.pictures import figure, save
from training.irl.tabular import TabularMdp

_FRAMES, _EVERY_S = 20, 0.5
_CAR_WIDTH = 0.6  # of a lane
_SECONDS_BEFORE = 2.0  # not shown: all begin in the middle lane
_GRASS, _ROAD, _OTHER, _OURS, _HIT = "#b8d8a0", "#707070", "#e8e8e8", "#1f77b4", "#d62728"


def draw_strips(
    model: TabularMdp, flown: dict[str, tuple[np.ndarray, np.ndarray]], seed: int, path: Path
) -> None:
    """Draw for each style the driver's strip and below it the learner's, as PNG.

    Args:
        model: The highway.
        flown: The driver's policy and the learner's, int, (n_states,) each, by style.
        seed: Of the traffic.
        path: The file.

    Raises:
        OSError: If the disk refuses.
    """
    drawn, axes = figure(1, 2 * len(flown), 9.5, 1.0)
    for i, (style, policies) in enumerate(flown.items()):
        for j, (who, policy) in enumerate(zip(("driver", "learnt"), policies)):
            _strip(axes[2 * i + j, 0], model, policy, seed)
            axes[2 * i + j, 0].set_ylabel(f"{style}\n{who}", fontsize=7, rotation=0, ha="right", va="center")
    save(drawn, path)


def _strip(axis: Any, model: TabularMdp, policy: np.ndarray, seed: int) -> None:
    from matplotlib.patches import Rectangle

    every, skipped = round(_EVERY_S / STEP_S), round(_SECONDS_BEFORE / STEP_S)
    states, _ = model.sample(policy, 1, skipped + _FRAMES * every, seed)
    lanes, distances = places(states[0, skipped::every])
    width, low, high = len(LANES) + 1, LAST - 0.5, FARTHEST + 0.5
    for i, (lane, cars) in enumerate(zip(lanes, distances)):
        left = i * width
        axis.add_patch(Rectangle((left, low), len(LANES), high - low, color=_GRASS))
        axis.add_patch(Rectangle((left + 1, low), len(LANES) - 2, high - low, color=_ROAD))
        for at in (2, 3):
            axis.plot([left + at] * 2, [low, high], color="white", lw=0.5, ls=(0, (3, 3)))
        hit = False
        for place, distance in enumerate(cars, start=1):
            if np.isfinite(distance):
                hit |= bool(distance == 0 and place == lane)
                axis.add_patch(_car(left + place, distance, _OTHER))
        axis.add_patch(_car(left + lane, 0, _HIT if hit else _OURS))
    axis.set(xlim=(0, _FRAMES * width - 1), ylim=(low, high), xticks=[], yticks=[])
    for side in axis.spines.values():
        side.set_visible(False)


def _car(left: float, distance: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left + (1 - _CAR_WIDTH) / 2, distance - 0.4), _CAR_WIDTH, 0.8, color=colour)
