"""Starting fast: what a command that answers in a second cannot afford to import."""

from __future__ import annotations

import sys
from collections.abc import Sequence


class _NoPandas:
    """Finds no pandas."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError("pandas is left out to start fast")


def arrow_without_pandas() -> None:
    """Import pyarrow so that it does not import pandas at its first array, which costs a third of a second.

    pyarrow looks for pandas once, and goes without it for as long as the process lives: so only where the process
    does nothing else, and neither is loaded yet. Else nothing is done.
    """
    if "pyarrow" in sys.modules or "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        import pyarrow

        pyarrow.array([0])
    finally:
        sys.meta_path.remove(finder)
