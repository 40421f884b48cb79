"""Named features in a file: what a person thinks may matter, of which the flights then say how much it does.

[near_disc]                                              # the feature's name
value = "norm(cube.x_m - 0.22, cube.y_m)"                # arithmetic over entries; see collector.dataset.expressions
range = [0.25, 0]                                        # what becomes 0, and what becomes 1; beyond them it is cut
about = "the cube is near to the disc"
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from collector.errors import UsageError, shown

SHIPPED = Path(__file__).with_name("feature_files")
FITTED = ("fourier", "entries", "dynamics")  # what needs no file
_KEYS = {"value", "range", "about"}

Written = dict[str, tuple[str, tuple[float, float] | None, str]]


def shipped() -> list[str]:
    """Return the names of the files that come with demodeck."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read_features(name: str) -> Written:
    """Read a file, or one of those shipped by its name.

    Returns:
        By feature: expression, range or None, and words.

    Raises:
        UsageError: If it is missing or wrong.
    """
    path = SHIPPED / f"{name}.toml" if name in shipped() else Path(name)
    where = f"--irl.features={shown(name)}"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{where}: there is no such file; give one, or {', '.join([*FITTED, *shipped()])}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{where} cannot be read: {shown(error)}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is no TOML: {shown(error)}") from None
    if not content:
        raise UsageError(f'{where} holds no feature: write [NAME] with value = "EXPRESSION"')
    return {
        shown(feature): _checked(f"{where}, [{shown(feature)}]", entry) for feature, entry in content.items()
    }


def _checked(where: str, entry: Any) -> tuple[str, tuple[float, float] | None, str]:
    if isinstance(entry, str):  # NAME = "EXPRESSION"
        entry = {"value": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("value"), str):
        raise UsageError(f'{where}: it needs value = "EXPRESSION"')
    if unknown := sorted(set(entry) - _KEYS):
        raise UsageError(f"{where}: unknown key '{shown(unknown[0])}', known are {', '.join(sorted(_KEYS))}")
    bounds = entry.get("range")
    if bounds is not None:
        numbers = isinstance(bounds, list) and all(type(x) in (int, float) for x in bounds)
        if not numbers or len(bounds) != 2 or not abs(bounds[1] - bounds[0]) > 0:
            raise UsageError(f"{where}: range must be two different numbers, [what is 0, what is 1]")
        bounds = (float(bounds[0]), float(bounds[1]))
    about = entry.get("about", "")
    if not isinstance(about, str):
        raise UsageError(f"{where}: about must be words in quotes")
    return entry["value"], bounds, shown(about, 200)
