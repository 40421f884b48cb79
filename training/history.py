"""How a run went, told in its last checkpoint: the learning curve as a picture, the flights while it trained."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collector.dataset.durable import write_bytes
from training.card import write_card
from training.metrics import Metrics

PICTURE = "learning_curve.png"
_SIZE_IN, _DPI = (7.0, 3.2), 110


def tell_history(
    model: Path, record: dict[str, Any], lines: Sequence[Metrics], flown: Sequence[dict[str, Any]]
) -> None:
    """Add to a checkpoint's card what its run's log says; without matplotlib, without the picture.

    Args:
        model: The checkpoint's `pretrained_model`.
        record: As `training.card.write_card`'s.
        lines: The run's log.
        flown: The flights while it trained; see `training.trials.Trials`.

    Raises:
        OSError: If the disk refuses; the card is then the one before.
    """
    parts = []
    if picture := curve(lines, flown):
        write_bytes(model / PICTURE, picture)
        parts.append(f"![Loss and success by gradient step]({PICTURE})")
    if flown:
        parts.append(_table(flown))
    write_card(model / "README.md", record, "\n\n".join(parts))


def curve(lines: Sequence[Metrics], flown: Sequence[dict[str, Any]]) -> bytes | None:
    """Return the loss and, where it flew, the success with its 95 % interval by gradient step, as PNG.

    Returns:
        None where matplotlib is not installed, or there is nothing to draw.
    """
    losses = [(line["step"], line["loss"]) for line in lines if line["loss"] is not None and line["loss"] > 0]
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    if len(losses) < 2 and not flown:
        return None
    figure = Figure(_SIZE_IN, _DPI, layout="constrained")
    axes = figure.add_subplot()
    if losses:
        axes.plot(*zip(*losses, strict=True), color="tab:blue", label="training loss")
    axes.set(xlabel="gradient step", ylabel="training loss", yscale="log")
    axes.grid(alpha=0.3)
    if flown:
        other = axes.twinx()
        steps, rates = [line["step"] for line in flown], [100 * line["rate"] for line in flown]
        bounds = [[100 * bound for bound in line["wilson_95"]] for line in flown]
        spread = [
            [rate - low for rate, (low, _) in zip(rates, bounds, strict=True)],
            [high - rate for rate, (_, high) in zip(rates, bounds, strict=True)],
        ]
        other.errorbar(steps, rates, spread, color="tab:orange", marker="o", capsize=3)
        other.set(ylim=(0, 100), ylabel="succeeded [%], 95 % interval")
        other.yaxis.label.set_color("tab:orange")
        axes.yaxis.label.set_color("tab:blue")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _table(flown: Sequence[dict[str, Any]]) -> str:
    rows = [
        "Flights in simulation while it trained, from seeds of their own; no checkpoint was chosen by them:",
        "",
        "| step | succeeded | 95 % interval (Wilson) | best reward, mean |",
        "|---|---|---|---|",
    ]
    for line in flown:
        low, high = line["wilson_95"]
        rows.append(
            f"| {line['step']} | {line['successes']} of {line['n']} | {low:.0%} to {high:.0%} | "
            f"{line['mean_max_reward']:.3f} |"
        )
    return "\n".join(rows)
