"""Markdown tables, printed as they are measured."""

from __future__ import annotations

from collections.abc import Iterable


def heading(title: str, explained: str) -> None:
    """Print a section's title and what its columns mean."""
    print(f"\n## {title}\n\n{explained}\n", flush=True)


def head(*columns: str) -> None:
    """Print a table's head."""
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|", flush=True)


def row(*cells: object) -> None:
    """Print one row; numbers keep three digits."""
    print("| " + " | ".join(_text(cell) for cell in cells) + " |", flush=True)


def _text(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"


def quantiles(values: Iterable[float]) -> tuple[float, float, float]:
    """Return the median, the 99th percentile and the maximum."""
    import numpy as np

    array = np.asarray(list(values))
    return float(np.median(array)), float(np.quantile(array, 0.99)), float(array.max())
