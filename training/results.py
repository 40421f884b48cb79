"""Read what `demodeck eval --output` wrote, by this version or an older one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from collector.errors import DataError

_NEEDED = ("name", "n", "successes", "rate", "wilson_95", "mean_time_s", "seeds", "flights")


def load_result(path: Path, also: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read an evaluation.

    Args:
        path: The file.
        also: Keys that are needed beside those of every evaluation.

    Raises:
        DataError: If the file is missing, damaged or no evaluation.
    """
    try:
        result = json.loads(path.read_text())
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): make it with 'demodeck eval --output'"
        ) from None
    except ValueError:
        raise DataError(f"{path} is not JSON: make it with 'demodeck eval --output'") from None
    lacking = [key for key in (*_NEEDED, *also) if not isinstance(result, dict) or key not in result]
    if lacking:
        raise DataError(
            f"{path} is no evaluation (it lacks {', '.join(lacking)}): make it with 'demodeck eval'"
        )
    if wrong := _contradiction(result):
        raise DataError(f"{path} contradicts itself ({wrong}): make it anew with 'demodeck eval'")
    return result


def _contradiction(result: dict[str, Any]) -> str | None:
    """Return what in an evaluation cannot be, or None."""
    flights = result["flights"]
    if not isinstance(flights, list) or not all(
        isinstance(flight, dict) and {"seed", "success"} <= flight.keys() for flight in flights
    ):
        return "not every flight has a seed and an outcome"
    if not flights:
        return "nothing was flown"
    if len({flight["seed"] for flight in flights}) < len(flights):
        return "a seed was flown twice"
    successes = sum(bool(flight["success"]) for flight in flights)
    if (result["n"], result["successes"]) != (len(flights), successes):
        counted = f"{successes} of {len(flights)} flights succeeded"
        return f"{counted}, and it says {result['successes']} of {result['n']}"
    return None
