"""Robots and teleoperators by name: ours, lerobot's, and every installed lerobot plugin."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import time
from typing import Any

from collector.errors import DeviceError, UsageError
from collector.session.bus import wait_asleep
from collector.session.safety import close_parts

_OURS = {
    "robot": {
        "sim_so101": "collector.robots.sim_so101",
        "sim_pusht": "collector.robots.sim_pusht",
    },
    "teleop": {
        "scripted": "collector.teleoperators.scripted",
        "policy": "collector.teleoperators.policy",
        "hold": "collector.teleoperators.hold",
        "keys": "collector.teleoperators.keys",
        "pad": "collector.teleoperators.pad",
        "replay": "collector.teleoperators.replay",
    },
}
_LEROBOT = {"robot": "lerobot.robots", "teleop": "lerobot.teleoperators"}
_CAMERAS = ("lerobot.cameras.opencv", "lerobot.cameras.realsense", "lerobot.cameras.zmq", "collector.cameras")


def register_devices(args: list[str]) -> list[str]:
    """Import what registers the devices that `args` name, and return `args` without the plugin flags.

    Our own devices are imported alone, since importing all of lerobot's costs seconds; any other name
    imports lerobot's devices, the installed `lerobot_*` distributions, and the packages given by
    `--robot.discover_packages_path` or `--teleop.discover_packages_path`.

    Raises:
        UsageError: If a given package cannot be imported.
    """
    kept = []
    for arg in args:
        kind, _, path = arg.partition(".discover_packages_path=")
        if not path:
            kept.append(arg)
            continue
        from lerobot.configs.parser import PluginLoadError, load_plugin

        try:
            load_plugin(path)
        except PluginLoadError as error:
            raise UsageError(
                f"{kind}.discover_packages_path={path}: {' '.join(str(error).split())}"
            ) from error
    for kind, modules in _OURS.items():
        # A config file may name any device, so without a flag everything is registered.
        flags = tuple(f"--{part}.type=" for part in (kind, *(["takeover"] if kind == "teleop" else [])))
        names = {arg.partition("=")[2] for arg in kept if arg.startswith(flags)}
        if names and names <= modules.keys():
            for name in names:
                importlib.import_module(modules[name])
        else:
            for module in modules.values():
                importlib.import_module(module)
            _register_lerobot(kind)
    return kept


def _register_lerobot(kind: str) -> None:
    package = importlib.import_module(_LEROBOT[kind])
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if module.ispkg:
            try:
                importlib.import_module(module.name)
            except ImportError:
                continue  # a device whose driver is not installed cannot be chosen
    for cameras in _CAMERAS:
        # Those without their driver can be chosen all the same: their constructors say what to install.
        with contextlib.suppress(ImportError):
            importlib.import_module(cameras)
    from lerobot.utils.import_utils import register_third_party_plugins

    register_third_party_plugins()


def make_robot(config: Any) -> Any:
    """Return the lerobot `Robot` of a config.

    Raises:
        DeviceError: If it cannot be made, with lerobot's reason.
    """
    from lerobot.robots import make_robot_from_config

    return _make(make_robot_from_config, config, "robot")


def make_pilot(config: Any) -> Any:
    """Return the lerobot `Teleoperator` of a config.

    Raises:
        DeviceError: If it cannot be made, with lerobot's reason.
    """
    from lerobot.teleoperators import make_teleoperator_from_config

    return _make(make_teleoperator_from_config, config, "teleoperator")


def _make(factory: Any, config: Any, what: str) -> Any:
    from collector.errors import DemodeckError

    try:
        return factory(config)
    except Exception as error:
        cause = error.__cause__
        if isinstance(error, DemodeckError) or isinstance(cause, DemodeckError):
            raise (error if isinstance(error, DemodeckError) else cause) from None  # type: ignore[misc]
        reason = " ".join(str(cause or error).split())
        raise DeviceError(f"{what} '{config.type}' cannot be made: {reason}") from error


_CONNECT_TRIES = 5  # the first packets after a port is opened may be lost
_PAUSE_S = 0.2  # before the next try


def connect(device: Any, what: str, tries: int = _CONNECT_TRIES) -> None:
    """Connect a device; one that does not answer at once is asked again.

    Raises:
        DeviceError: If it does not answer, with the reason and what to check.
    """
    from collector.errors import DemodeckError

    try:
        for left in reversed(range(tries)):
            try:
                # lerobot would ask on the terminal, which belongs to the screen, and then move the arm by hand.
                device.connect(calibrate=False)
                calibrated = device.is_calibrated
                break
            except (ConnectionError, RuntimeError):
                # lerobot leaves the port open when a motor did not answer, and would refuse to open it again.
                close_parts(device, torque_off=False)
                if not left:
                    raise
                time.sleep(_PAUSE_S)
    except DemodeckError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DeviceError(
            f"{what} '{device}' does not connect: {reason}: check its cable, power and port, "
            "then run 'demodeck doctor'"
        ) from error
    if not calibrated:
        close_parts(device, torque_off=False)
        flags = "teleop" if what == "teleoperator" else "robot"
        config = device.config
        given = " ".join(
            f"--{flags}.{name}={value}"
            for name in ("type", "port", "id")
            if (value := getattr(config, name, None))
        )
        raise DeviceError(
            f"{what} '{device}' is not calibrated, or its motors hold another calibration than its file: run "
            f"'lerobot-calibrate {given}' first"
        )
    wait_asleep(device)
