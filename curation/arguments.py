"""What the curators' commands share: how a dataset is named, who decides, JSON for machines."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from collector.errors import UsageError
from collector.flags import PlainParser

if TYPE_CHECKING:
    from collector.dataset.reader import Dataset

DATASET = "folder of a dataset, or its name (looked for in datasets/ and in the LeRobot cache)"
REMOTE = (
    "folder of a dataset, or its name (looked for in datasets/, in the LeRobot cache, and then on the Hub)"
)
EPISODES = "episode numbers and ranges: 3,5,7-9"
WHERE = "SQL condition over the columns that 'demodeck query DATASET' knows"


def verb_parser(verb: str, about: str) -> PlainParser:
    """Return the parser of a verb."""
    return PlainParser(prog=f"demodeck {verb}", description=about)


def open_dataset(name: str) -> Dataset:
    """Open a dataset by folder or name.

    Raises:
        DataError: If there is none, or it is damaged.
    """
    from collector.dataset.locate import locate
    from collector.dataset.reader import Dataset

    return Dataset.open(locate(name))


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(json.dumps(value, default=str))


def author_name(given: str | None) -> str:
    """Return who decides: the flag, else `DEMODECK_AUTHOR`, else the user's name.

    Raises:
        UsageError: If there is none, or it looks like an automatic author.
    """
    name = given or os.environ.get("DEMODECK_AUTHOR") or os.environ.get("USER") or os.environ.get("LOGNAME")
    if not name or not name.strip():
        import getpass

        try:
            name = getpass.getuser()
        except (OSError, KeyError):
            raise UsageError("who decides? give --author NAME or set DEMODECK_AUTHOR") from None
    if name.startswith("check:"):
        raise UsageError(
            f"the author '{name}' is kept for automatic verdicts: choose a name without 'check:'"
        )
    return name.strip()
