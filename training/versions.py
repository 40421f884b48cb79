"""The versions that a result depends on, for its record."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("demodeck", "lerobot", "torch", "diffusers", "numpy", "mujoco")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter, leaving out what is not installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # run from a checkout, or without the simulator
    return found
