"""Find a dataset on this machine by path or name."""

from __future__ import annotations

import os
from pathlib import Path

from collector.errors import DataError

DATASETS = Path("datasets")


def default_root(repo_id: str) -> Path:
    """Return where a recording lands by default."""
    return DATASETS / repo_id


def lerobot_home() -> Path:
    """Return where lerobot keeps datasets: `$HF_LEROBOT_HOME`, else below `$HF_HOME`."""
    hugging_face = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return Path(os.environ.get("HF_LEROBOT_HOME") or hugging_face / "lerobot").expanduser()


def locate(name_or_path: str | Path, root: str | Path | None = None) -> Path:
    """Return the folder of an existing dataset.

    Args:
        name_or_path: A folder, or a name such as `owner/name`, looked for in `datasets/` and in lerobot's home.
        root: The folder, where it is known; nothing else is then looked at.

    Raises:
        DataError: If there is no dataset; says where it was looked for.
    """
    if root is not None:
        places = [Path(root)]
    else:
        name = Path(name_or_path).expanduser()
        places = [name] if name.is_absolute() else [name, DATASETS / name, lerobot_home() / name]
    for place in places:
        if (place / "meta" / "info.json").exists():
            return place
    # A folder without meta/info.json is what was meant, if it is the only one there is.
    there = next((place for place in places if place.is_dir()), None)
    if there is not None:
        raise DataError(f"{there} is no LeRobot dataset: it has no meta/info.json")
    looked = ", ".join(str(place) for place in places)
    raise DataError(
        f"no dataset '{root or name_or_path}' on this machine (looked in {looked}): check the name"
    )
