"""What `demodeck doctor` looks at on an arm: its port, its servos, its calibration. Everything is read, nothing set."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collector.session.doctor import Finding
from collector.session.inventory.rights import trouble

TRIES = 2  # beside the first: packets are lost on a healthy bus too
_STALL_S = 0.25  # for which a machine may stand still; a servo is asked once more after it
_HOT_C = 60.0  # where the servo itself does not say its limit, and where it is spoken of
_NOMINAL_V = {5.0: 4.5, 7.4: 6.4, 12.0: 10.5}  # supply: the least that it may fall to
_LATENCY_MS = 2  # of a USB serial adapter: it collects for so long before it hands on


def arms_of(device: Any) -> Iterator[tuple[str, Any]]:
    """Give (name, arm) of each part of a lerobot device that has a motor bus; the name is empty where it is alone."""
    if hasattr(device, "bus"):
        yield "", device
    for side in ("left", "right"):
        arm = getattr(device, f"{side}_arm", None)
        if hasattr(arm, "bus"):
            yield side, arm


def words_of(error: BaseException) -> str:
    """Return what an error says, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"\[(TxRxResult|RxPacketError|Errno \d+)\] ", "", text)


def open_bus(what: str, arm: Any) -> Iterator[Finding]:
    """Open an arm's port without asking its servos anything; give what was found."""
    path = str(getattr(arm.bus, "port", ""))
    problem = trouble(path, "tty", _usb_of(path))
    if problem:
        yield Finding(f"{what} port", False, True, f"{path} {problem}")
        return
    try:
        arm.bus.connect(handshake=False)
    except Exception as error:
        reason = words_of(error.__cause__ or error)
        yield Finding(f"{what} port", False, True, f"{path} does not open ({reason}): check its cable")
        return
    collects_ms = latency_ms(path)
    if collects_ms is not None and collects_ms > _LATENCY_MS:
        timer = f"/sys/class/tty/{Path(path).resolve().name}/device/latency_timer"
        seen = f"{path} collects for {collects_ms} ms before it hands on: 'echo 1 | sudo tee {timer}'"
        yield Finding(f"{what} port", False, False, seen)
    else:
        yield Finding(f"{what} port", True, True, f"{path} opens")


def latency_ms(path: str, sys_root: Path = Path("/sys")) -> int | None:
    """Return for how long a USB serial adapter collects [ms]; None where it does not say."""
    file = sys_root / "class" / "tty" / Path(path).resolve().name / "device" / "latency_timer"
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _usb_of(path: str) -> str | None:
    with contextlib.suppress(Exception):
        from serial.tools.list_ports import comports

        real = str(Path(path).resolve())
        return next((f"{p.vid:04x}:{p.pid:04x}" for p in comports() if p.device == real and p.vid), None)
    return None


def check_servos(what: str, arm: Any) -> Finding:
    """Return whether every servo of an arm answers and is of the right model."""
    bus, silent, wrong, alarms = arm.bus, [], [], []
    for name, motor in bus.motors.items():
        number, alarm = _ping(bus, motor.id)
        if alarm:
            alarms.append(f"{motor.id} ({name}) reports: {alarm}")
        elif number is None:
            silent.append(f"{motor.id} ({name})")
        elif number != bus.model_number_table[motor.model]:
            models = {v: k for k, v in bus.model_number_table.items()}
            wrong.append(f"{motor.id} ({name}) is {models.get(number, number)}, not {motor.model}")
    if not silent and not wrong and not alarms:
        kinds = sorted({motor.model for motor in bus.motors.values()})
        ids = " ".join(str(motor.id) for motor in bus.motors.values())
        return Finding(f"{what} servos", True, True, f"{ids} answer, {' and '.join(kinds)}")
    parts = [f"servo {', '.join(wrong)}: is it this arm?"] if wrong else []
    if alarms:
        parts.append(f"servo {', '.join(alarms)}: cut its power for a moment, and see that nothing blocks it")
    if len(silent) == len(bus.motors):
        parts.append("no servo answers: switch its power on, and check its cable and that it is this port")
    elif silent:
        others = _others(bus)
        instead = f"; instead answers {', '.join(map(str, others))}: set the ids anew" if others else ""
        parts.append(f"servo {', '.join(silent)} does not answer: check the cable before it{instead}")
    return Finding(f"{what} servos", False, True, "; ".join(parts))


def _ping(bus: Any, servo: int) -> tuple[int | None, str]:
    """Return (model number, alarm) of a servo; None where it does not answer."""
    for pause_s in (0.0,) * (1 + TRIES) + (_STALL_S,):
        time.sleep(pause_s)
        try:
            number, result, error = bus.packet_handler.ping(bus.port_handler, servo)
        except IndexError:  # the maker's library trips over half a reply
            result = -1
        if result == 0:
            return number, words_of(Exception(bus.packet_handler.getRxPacketError(error))) if error else ""
    return None, ""


def _others(bus: Any) -> list[int]:
    """Return ids that answer on a bus and do not belong to it."""
    found: dict[int, int] = {}
    with contextlib.suppress(Exception):
        found = bus.broadcast_ping() or {}
    return sorted(set(found) - {motor.id for motor in bus.motors.values()})


@contextlib.contextmanager
def counted(bus: Any) -> Iterator[list[int]]:
    """Note each reading of all servos that failed, though lerobot may have asked again and said nothing."""
    failures: list[int] = []
    reader, ask = bus.sync_reader, bus.sync_reader.txRxPacket

    def noted() -> int:
        result = ask()
        if result != 0:
            failures.append(result)
        return result

    reader.txRxPacket = noted
    try:
        yield failures
    finally:
        reader.txRxPacket = ask


def check_calibration(what: str, part: str, arm: Any) -> Finding:
    """Return whether there is a calibration file and the servos hold the same.

    Args:
        part: `robot` or `teleop`, for the command that calibrates.
    """
    file = Path(arm.calibration_fpath)
    kind = getattr(arm.config, "type", arm.name)
    command = f"lerobot-calibrate --{part}.type={kind} --{part}.port={arm.bus.port} --{part}.id={arm.id}"
    if not file.is_file():
        also = "" if arm.id else f" (no --{part}.id is given)"
        return Finding(f"{what} calibration", False, True, f"{file} is not there{also}: run '{command}'")
    held = arm.bus.read_calibration()
    differing = [name for name, joint in arm.calibration.items() if not _alike(joint, held.get(name))]
    differing += sorted(set(held) - set(arm.calibration))
    if differing:
        seen = (
            f"the servos of {', '.join(differing)} hold another calibration than {file}: choose the id that belongs "
            f"to this arm, or run '{command}', which can also write the file to them"
        )
        return Finding(f"{what} calibration", False, True, seen)
    return Finding(f"{what} calibration", True, True, f"{file} is what the servos hold")


def _alike(file: Any, held: Any) -> bool:
    names = ("homing_offset", "range_min", "range_max")
    return held is not None and all(getattr(file, name) == getattr(held, name) for name in names)


def check_health(what: str, arm: Any) -> Finding:
    """Return temperatures, voltages and alarms of an arm's servos."""
    bus = arm.bus
    heat = {name: _read(bus, name, "Present_Temperature") for name in bus.motors}
    limits = [_read(bus, name, "Max_Temperature_Limit", "Temperature_Limit") for name in bus.motors]
    volts = {name: _read(bus, name, "Present_Voltage", "Present_Input_Voltage") for name in bus.motors}
    known_c = {name: value for name, value in heat.items() if value is not None}
    known_v = {name: 0.1 * value for name, value in volts.items() if value is not None}
    if not known_c and not known_v:
        return Finding(f"{what} heat and voltage", True, False, "the servos do not say")
    seen, todo, needed = [], [], False
    if known_c:
        hottest = max(known_c, key=lambda name: known_c[name])
        limit = min((one for one in limits if one), default=70.0)
        seen.append(f"at most {known_c[hottest]:.0f} deg C ({hottest}; limit {limit:.0f})")
        if known_c[hottest] >= min(_HOT_C, limit - 5):
            needed = known_c[hottest] >= limit
            todo.append("let it cool")
    if known_v:
        low = min(known_v, key=lambda name: known_v[name])
        nominal = min(_NOMINAL_V, key=lambda one: abs(one - max(known_v.values())))
        seen.append(f"{known_v[low]:.1f} to {max(known_v.values()):.1f} V")
        if known_v[low] < _NOMINAL_V[nominal]:
            todo.append(f"{low} has too little of {nominal:g} V: check the power supply and the cable to it")
    return Finding(
        f"{what} heat and voltage", not todo, needed, ", ".join(seen) + "".join(f": {one}" for one in todo)
    )


def _read(bus: Any, motor: str, *registers: str) -> float | None:
    """Return the first of these registers that the motor has; None where it has none of them.

    Raises:
        ConnectionError: If it does not answer.
        RuntimeError: If it reports an alarm.
    """
    table = bus.model_ctrl_table[bus.motors[motor].model]
    name = next((one for one in registers if one in table), None)
    if name is None:
        return None
    return float(bus.read(name, motor, normalize=False, num_retry=TRIES))
