"""A lerobot plugin by which a test sees what a simulated SO-101 is sent while it is flown.

`--robot.discover_packages_path=rigs.action_log`, with `tests` on the Python path; each action is a line of JSON in the
file that the environment variable `ACTION_LOG` names.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

from collector.robots.sim_so101 import SimSO101


def read_actions(path: Path) -> list[list[float]]:
    """Return the actions that were sent by now, oldest first."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]  # the last may be half-written


def _log_actions(path: str) -> None:
    send = SimSO101.send_action
    file = Path(path).open("a", buffering=1)  # noqa: SIM115 - it is open for as long as the process runs

    @functools.wraps(send)
    def logged(robot: SimSO101, action: dict[str, Any]) -> dict[str, Any]:
        file.write(json.dumps([float(value) for value in action.values()]) + "\n")
        return send(robot, action)

    SimSO101.send_action = logged  # type: ignore[method-assign]


if "ACTION_LOG" in os.environ:
    _log_actions(os.environ["ACTION_LOG"])
