"""The files in which users say what their controls do."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from collector.errors import UsageError


def read_tables(file: Path, advice: str) -> dict[str, Any]:
    """Return the tables of a TOML file given by `--teleop.mapping`.

    Args:
        advice: What to do where it cannot be read.

    Raises:
        UsageError: If it cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise UsageError(f"--teleop.mapping={file} cannot be read ({reason}): {advice}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not TOML: {error}: {advice}") from error
