"""The control process: owns robot, cameras and teleoperator, and flies the episodes."""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection

from collector.session import ipc
from collector.session.attach import Berth
from collector.session.config import RecordConfig, TeleopConfig
from collector.session.devices import register_devices
from collector.session.port import ScreenPort
from collector.session.record_sitting import RecordSitting
from collector.session.teleop_sitting import TeleopSitting


def parse_record_flags(args: list[str]) -> RecordConfig:
    """Return the checked config of a `demodeck record` command line.

    Raises:
        UsageError: If a flag is unknown, missing or makes no sense.
    """
    from collector.flags import parse_flags

    return parse_flags(RecordConfig, register_devices(args), "record").checked()


def parse_teleop_flags(args: list[str]) -> TeleopConfig:
    """Return the checked config of a `demodeck teleop` command line.

    Raises:
        UsageError: If a flag is unknown, missing or makes no sense.
    """
    from collector.flags import parse_flags

    return parse_flags(TeleopConfig, register_devices(args), "teleop").checked()


def run_control(
    args: list[str], screen: Connection, recorder: Connection | None, interactive: bool, berth: Berth
) -> None:
    """Entry point of the process.

    Args:
        args: The flags.
        screen: The pipe to the screen.
        recorder: The pipe to the recorder; None flies without recording.
        interactive: Whether a person sits at the screen.
        berth: Where another screen can attach.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # the screen decides
    port = ScreenPort(screen)
    try:
        if recorder is None:
            TeleopSitting(parse_teleop_flags(args), port, interactive, berth).run()
        else:
            RecordSitting(parse_record_flags(args), port, recorder, interactive, berth).run()
    except BaseException as error:
        port.tell("error", **ipc.error_message(error))
    finally:
        berth.remove()
        port.close()
        if recorder is not None:
            recorder.close()
