"""Fewer frames a second, by a whole number: every second, third, ... frame stays.

Timestamps become `frame_index / fps` of the new rate; the clock columns keep what really happened. A policy that
learns from the new set sees a frame and gives one action until the next, so an action must be what brought the arm
there: of absolute targets (joint positions) that is the *last* one asked for before the next frame that stays, which
keeps "the next state follows this action" as it was. Of differences and speeds it is the sum (`sum`). `first` takes
the row as it is, as plain thinning does. Rewards add up; `next.done`, `next.success` and `intervention` hold where they
held in any of the frames between.
"""

from __future__ import annotations

from collector.dataset.reader import Dataset
from collector.dataset.spans import Changes, Span
from collector.errors import UsageError

ACTIONS = ("last", "first", "sum")
_BETWEEN = {
    "next.reward": "sum",
    "next.done": "any",
    "next.success": "any",
    "intervention": "any",
}


def slower(dataset: Dataset, fps: float, actions: str = "last") -> tuple[list[Span], Changes]:
    """Return a dataset's episodes at a lower frame rate.

    Args:
        fps: New frames a second [Hz]; the old ones are a whole multiple of it.
        actions: Which action a frame gets of those between it and the next: `last`, `first` or `sum`.

    Raises:
        UsageError: If the rate is no whole part of the old one, or `actions` is none of these.
    """
    if actions not in ACTIONS:
        raise UsageError(f"--actions is '{actions}': it is {', '.join(ACTIONS)}")
    step = round(dataset.fps / fps) if fps > 0 else 0
    if step < 2 or abs(dataset.fps / step - fps) > 1e-6 * fps:
        able = [f"{dataset.fps / k:g}" for k in range(2, 7)]
        raise UsageError(
            f"{fps:g} frames a second is no whole part of the {dataset.fps:g} of {dataset.root}: "
            f"frames are left out, none made up, so choose one of {', '.join(able)}, ..."
        )
    lengths = dataset.lengths().tolist()
    spans = [Span(dataset, episode, 0, n, n, step=step) for episode, n in enumerate(lengths)]
    windows = {name: rule for name, rule in _BETWEEN.items() if name in dataset.features}
    for name in ("action", "executed_action"):
        if name in dataset.features and actions != "first":
            windows[name] = actions
    return spans, Changes(windows=windows)
