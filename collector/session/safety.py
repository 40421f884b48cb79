"""Leave the robot safe: hold it where it is when something fails, and let go of every device in the end."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

from collector.robots.protocols import measured


def hold(robot: Any, last_known: dict[str, float] | None = None) -> str | None:
    """Ask the robot to stay where it measures itself to be; return None, or in words why it could not be asked.

    Never raises: it runs when something else may already have failed.

    Args:
        last_known: Where it last measured itself to be, by action key, for when it cannot be observed now (a camera
            that fails takes the whole observation with it).
    """
    try:
        if not robot.is_connected and last_known is None:
            return None
    except Exception as error:
        return str(error)
    try:
        where = measured(robot, robot.get_observation())
    except Exception as error:
        if last_known is None:
            return str(error)
        where = last_known
    try:
        robot.send_action({name: where[name] for name in robot.action_features})
    except Exception as error:
        return str(error)
    return None


def release(*devices: Any) -> None:
    """Disconnect every device that is connected; one that fails never keeps the others connected."""
    for device in devices:
        with contextlib.suppress(Exception):
            if device.is_connected:
                device.disconnect()
        # lerobot's arms count as not connected once a camera is gone, and leave the rest as it is.
        torque_off = getattr(getattr(device, "config", None), "disable_torque_on_disconnect", True)
        close_parts(device, torque_off)


def close_parts(device: Any, torque_off: bool) -> None:
    """Close what is still open of a device's cameras and motor bus, each by itself; never raises.

    Args:
        torque_off: Whether the motors are let go. Where they do not answer, the port is closed all the same.
    """
    bus, cameras = getattr(device, "bus", None), getattr(device, "cameras", None) or {}
    closing = [(camera, camera.disconnect) for camera in cameras.values() if hasattr(camera, "disconnect")]
    if bus is not None:
        ways = (True, False) if torque_off else (False,)
        closing += [(bus, partial(bus.disconnect, way)) for way in ways]
    for part, close in closing:
        with contextlib.suppress(Exception):
            if part.is_connected:
                close()
