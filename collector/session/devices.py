"""Robots and teleoperators by name: ours, lerobot's, and every installed lerobot plugin."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from pathlib import Path
from typing import Any

from collector.errors import DeviceError, UsageError
from collector.session.bus import be_patient
from collector.session.named import CAMERA, ROBOT, TELEOP, named_devices
from collector.session.safety import close_parts

_OURS = {
    ROBOT: {
        "sim_so101": "collector.robots.sim_so101",
        "sim_pusht": "collector.robots.sim_pusht",
    },
    TELEOP: {
        "scripted": "collector.teleoperators.scripted",
        "policy": "collector.teleoperators.policy",
        "blind": "collector.teleoperators.blind",
        "hold": "collector.teleoperators.hold",
        "keys": "collector.teleoperators.keys",
        "pad": "collector.teleoperators.pad",
        "replay": "collector.teleoperators.replay",
    },
    CAMERA: {"test_card": "collector.cameras"},
}
_LEROBOT = {ROBOT: "lerobot.robots", TELEOP: "lerobot.teleoperators", CAMERA: "lerobot.cameras"}


def register_devices(args: list[str]) -> list[str]:
    """Import what registers the devices that `args` name, and return `args` without the plugin flags.

    Only what is named is imported, since all of lerobot's devices cost seconds: packages given by
    `--robot.discover_packages_path` or `--teleop.discover_packages_path`, then ours, lerobot's, and the installed
    `lerobot_*` distributions. Where a name stays unknown everything is imported, so that the choices can be listed.

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
    named = named_devices(kept)
    if named is None or not _register(named):
        _register_everything()
    return kept


def _register(named: set[tuple[str, str]]) -> bool:
    """Import what registers these (kind, type); return whether all of them are known now."""
    for kind, name in sorted(named):
        if name in _OURS[kind]:
            importlib.import_module(_OURS[kind][name])
        elif not _known(kind, name):
            with contextlib.suppress(ImportError):  # a device whose driver is not installed cannot be chosen
                importlib.import_module(_lerobots_package(kind, name))
    if not all(_known(*one) for one in named):
        _register_plugins()
    return all(_known(*one) for one in named)


def _known(kind: str, name: str) -> bool:
    from lerobot.cameras import CameraConfig
    from lerobot.robots import RobotConfig
    from lerobot.teleoperators import TeleoperatorConfig

    registry = {ROBOT: RobotConfig, TELEOP: TeleoperatorConfig, CAMERA: CameraConfig}[kind]
    return name in registry.get_known_choices()


def _lerobots_package(kind: str, name: str) -> str:
    """Return which package of lerobot's registers a name, as its text says: asking it costs importing them all.

    Raises:
        ModuleNotFoundError: If none says so.
    """
    family = importlib.import_module(_LEROBOT[kind])
    for folder in family.__path__:
        for file in sorted(Path(folder).glob("*/config*.py")):
            if f'register_subclass("{name}")' in file.read_text(encoding="utf-8"):
                return f"{_LEROBOT[kind]}.{file.parent.name}"
    raise ModuleNotFoundError(f"lerobot has no {kind} '{name}'")


def _register_everything() -> None:
    for ours in _OURS.values():
        for module in ours.values():
            importlib.import_module(module)
    for family in _LEROBOT.values():
        package = importlib.import_module(family)
        for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            if found.ispkg:
                with contextlib.suppress(ImportError):
                    importlib.import_module(found.name)
    _register_plugins()


def _register_plugins() -> None:
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
        device = factory(config)
        be_patient(device)
        return device
    except Exception as error:
        cause = error.__cause__
        if isinstance(error, DemodeckError) or isinstance(cause, DemodeckError):
            raise (error if isinstance(error, DemodeckError) else cause) from None  # type: ignore[misc]
        reason = " ".join(str(cause or error).split())
        raise DeviceError(f"{what} '{config.type}' cannot be made: {reason}") from error


_CONNECT_TRIES = 3  # the first packets after a port is opened may be lost


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
            except (ConnectionError, RuntimeError, IndexError):  # the last: their library on half a reply
                # lerobot leaves the port open when a motor did not answer, and would refuse to open it again.
                close_parts(device, torque_off=False)
                if not left:
                    raise
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
