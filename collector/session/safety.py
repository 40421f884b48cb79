"""Leave the robot safe: hold it where it is when something fails, and let go of every device in the end."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

_log = logging.getLogger(__name__)


def hold(robot: Any) -> bool:
    """Ask the robot to stay where it measures itself to be; return whether it took that.

    Never raises: it runs when something else has already failed.
    """
    try:
        if not robot.is_connected:
            return False
        measured = robot.get_observation()
        robot.send_action({name: measured[name] for name in robot.action_features})
    except Exception as error:
        _log.error("the robot could not be held: %s", error)
        return False
    return True


def release(*devices: Any) -> None:
    """Disconnect every device that is connected; one that fails never keeps the others connected."""
    for device in devices:
        with contextlib.suppress(Exception):
            if device.is_connected:
                device.disconnect()
