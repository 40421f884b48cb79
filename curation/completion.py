"""What a condition that is being typed may go on with: columns, checks, selections, values and SQL's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from collector.dataset.reader import Dataset
from collector.dataset.saved import Selections
from collector.dataset.views import VIEWS, episodes
from curation.wishes import quoted

WORDS = (
    "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS NULL", "IS NOT NULL", "true", "false", "list_contains(tags, ",
    "SELECT episode_index FROM ",
)  # fmt: skip
# A name that is written just now: a word, an @name, or a quoted value that is still open.
_LAST = re.compile(r"(@\w*|'[^']*|[A-Za-z_][\w.]*)$")


def names_of(dataset: Dataset, tags: Sequence[str] = ()) -> list[str]:
    """Return all that can be named in a condition on a dataset, the most likely first.

    Raises:
        DataError: If the dataset's selections are damaged.
    """
    columns = [
        name if re.fullmatch(r"\w+", name) else f'"{name}"' for name in episodes(dataset, ()).column_names
    ]
    first = [
        name for name in ("verdict", "success", "rating", "faults", "warnings", "length") if name in columns
    ]
    saved = [f"@{name}" for name in Selections(dataset.root).all()]
    values = [quoted(value) for value in ("keep", "drop", *tags)]
    return list(dict.fromkeys([*first, *saved, *columns, *VIEWS, *values, *WORDS]))


def completions(text: str, names: Sequence[str]) -> list[str]:
    """Return what the end of a text may become, the whole text each time; none where nothing is begun."""
    if text.count("'") % 2 == 0 and text.endswith("'"):
        return []
    match = _LAST.search(text)
    if match is None:
        return []
    begun = match[1].lower()
    fit = [name for name in names if name.lower().startswith(begun) and name.lower() != begun]
    return [text[: match.start()] + name for name in fit]
