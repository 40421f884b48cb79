"""Pictures of what was learnt, by matplotlib, which comes with the extra `pictures`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from collector.errors import UsageError

if TYPE_CHECKING:
    from training.irl.apprenticeship import Outcome
    from training.irl.gridworld import Gridworld

_DPI = 80
_ARROWS = ((0, -1), (1, 0), (0, 1), (-1, 0))  # up, right, down, left, as x and y of a picture
_EVERY = 8  # cells between two arrows


def check_picture(path: Path) -> None:
    """Check before the work that a picture can be drawn behind it.

    Raises:
        UsageError: If matplotlib is missing, or the file's name does not end in .png.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise UsageError("pictures need matplotlib: pip install 'demodeck[pictures]'")
    if path.suffix != ".png":
        raise UsageError(f"--picture={path}: its name must end in .png")


def figure(columns: int, rows: int, width: float, height: float) -> tuple[Any, Any]:
    """Return a matplotlib figure without a screen, and its axes, (rows, columns).

    Args:
        columns: Axes side by side.
        rows: Axes one below the other.
        width: Of each [inch].
        height: Of each [inch].
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(
        rows, columns, figsize=(columns * width, rows * height), squeeze=False, layout="constrained"
    )


def save(drawn: Any, path: Path) -> None:
    """Write a figure as a small PNG, and forget it.

    Raises:
        OSError: If the disk refuses.
    """
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, dpi=_DPI)
    pyplot.close(drawn)


def draw_gridworld(world: Gridworld, outcome: Outcome, figures: dict[str, Any], path: Path) -> None:
    """Draw the true reward with the expert's actions, the learnt one with the best policy's, and the distances.

    Raises:
        OSError: If the disk refuses.
    """
    from training.irl.gridworld import square
    from training.irl.tabular_learner import ACTION

    drawn, axes = figure(3, 1, 4.2, 4)
    best = outcome.iterates[outcome.best]
    shown = (
        ("true reward, expert", world.true_weights, world.expert_policy),
        (f"reward and policy {best.number} (the nearest)", best.weights, best.policy[ACTION].astype(int)),
    )
    for axis, (title, weights, policy) in zip(axes[0], shown):
        axis.imshow(square(world, world.model.features @ weights), cmap="viridis")
        arrows = np.array(_ARROWS)[square(world, policy)[_EVERY // 2 :: _EVERY, _EVERY // 2 :: _EVERY]]
        at = np.arange(_EVERY // 2, square(world, policy).shape[0], _EVERY)
        axis.quiver(
            at, at, arrows[..., 0], -arrows[..., 1], color="white", scale=28, width=0.004, pivot="mid"
        )
        axis.set(title=title, xticks=[], yticks=[])
    draw_distances(axes[0, 2], {"": figures["iterations"]})
    save(drawn, path)


def draw_distances(axis: Any, runs: dict[str, list[dict[str, Any]]]) -> None:
    """Draw distances to the expert by iteration, in shares of ||mu_E||.

    Args:
        axis: Where.
        runs: `iterations` of `gridworld.summary`, by what to call them.
    """
    for name, rows in runs.items():
        at = [row["iteration"] for row in rows]
        (line,) = axis.plot(at, [row["mixture"] for row in rows], label=f"{name} mixture".strip())
        axis.plot(
            at,
            [row["distance"] for row in rows],
            ":",
            color=line.get_color(),
            label=f"{name} policy itself".strip(),
        )
    axis.set(yscale="log", xlabel="iteration", ylabel="distance / ||mu_E||")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
