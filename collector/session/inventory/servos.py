"""Which servos answer on a serial port: Feetech's and Dynamixel's protocols, asked without moving anything.

Sources: Feetech's SMS/STS manual, and Robotis' e-manual for Dynamixel protocol 2.0.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from collector.errors import DeviceError

BAUD_RATES = (1_000_000, 115_200, 57_600, 500_000)  # lerobot's own first, then how servos are delivered
FEETECH = {777: "STS3215", 2825: "STS3250", 11272: "SM8512BL", 1284: "SCS0009"}
DYNAMIXEL = {
    1190: "XL330-M077", 1200: "XL330-M288", 1060: "XL430-W250", 1020: "XM430-W350", 1120: "XM540-W270",
    1070: "XC430-W150", 1110: "XH540-W150", 1220: "XC330-T288", 1210: "XC330-T181",
}  # fmt: skip
_ALARMS = {1: "voltage", 2: "sensor", 4: "heat", 8: "current", 16: "angle", 32: "overload"}
_FIRST_S, _QUIET_S = 0.12, 0.06  # servos answer a question to all one after the other, by their ids
_ONE_S = 0.03  # for one servo's answer, behind a USB adapter that collects for 16 ms
_KNOWN_S = 0.1  # for one that is known to be there
_LOOK_S = 0.005  # at the port; no more than twice that counts as waiting, for longer is the machine that stood still
_TRIES = 3
_ALONE = range(1, 10)  # asked one by one too, since answers to a question to all may collide


@dataclass
class Servo:
    """What one servo says of itself.

    Attributes:
        servo_id: Its id.
        model: Its model, or its model number where that is not known.
        volts: Supply [V].
        temperature_c: Its temperature [deg C].
        alarms: What it complains of.
        limits: Homing offset, least and greatest position as it holds them [steps]; None where not read.
    """

    servo_id: int
    model: str
    volts: float | None = None
    temperature_c: int | None = None
    alarms: tuple[str, ...] = ()
    limits: tuple[int, int, int] | None = None


@dataclass
class Bus:
    """What answers on a port: the protocol (`feetech` or `dynamixel`), its baud rate and the servos by id."""

    protocol: str
    baud: int
    servos: list[Servo]


def scan(path: str, baud_rates: tuple[int, ...] = BAUD_RATES) -> Bus | None:
    """Return what answers on a port, or None. Takes up to a second where nothing does.

    Raises:
        DeviceError: If the port cannot be opened or fails meanwhile.
    """
    import serial

    try:
        with serial.Serial(path, baud_rates[0], timeout=_LOOK_S, write_timeout=1) as port:
            for baud in baud_rates:
                port.baudrate = baud
                for protocol, ask in (("feetech", _feetech), ("dynamixel", _dynamixel)):
                    if servos := ask(port):
                        return Bus(protocol, baud, servos)
    except DeviceError:
        raise
    except Exception as error:  # termios.error is no OSError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DeviceError(f"port {path} fails ({reason}): check its cable") from error
    return None


def _exchange(port: Any, packet: bytes, first_s: float, quiet_s: float, enough: int | None = None) -> bytes:
    """Send a packet; return what comes until the line is quiet, or `enough` bytes are there."""
    port.reset_input_buffer()
    port.write(packet)
    received, waited_s, patience_s = bytearray(), 0.0, first_s
    while waited_s < patience_s and (enough is None or len(received) < enough):
        began_s = time.perf_counter()
        if chunk := port.read(max(1, port.in_waiting)):
            received += chunk
            waited_s, patience_s = 0.0, quiet_s
        else:
            waited_s += min(time.perf_counter() - began_s, 2 * _LOOK_S)
    return bytes(received)


def _feetech_packet(servo: int, instruction: int, parameters: bytes = b"") -> bytes:
    body = bytes([servo, len(parameters) + 2, instruction]) + parameters
    return b"\xff\xff" + body + bytes([~sum(body) & 0xFF])


def _feetech_answers(received: bytes) -> dict[int, tuple[int, bytes]]:
    """Return (error byte, parameters) by servo of the whole, unspoiled packets in `received`."""
    answers, at = {}, 0
    while (at := received.find(b"\xff\xff", at)) >= 0 and at + 6 <= len(received):
        end = at + received[at + 3] + 4
        body = received[at + 2 : end - 1]
        if len(body) >= 3 and end <= len(received) and received[end - 1] == ~sum(body) & 0xFF:
            answers[body[0]] = (body[2], body[3:])
            at = end
        else:
            at += 1
    return answers


def _feetech_read(port: Any, servo: int, address: int, length: int) -> bytes | None:
    packet = _feetech_packet(servo, 2, bytes([address, length]))
    for _ in range(_TRIES):
        answer = _feetech_answers(_exchange(port, packet, _KNOWN_S, _ONE_S, length + 6)).get(servo)
        if answer is not None and len(answer[1]) == length:
            return answer[1]
    return None


def _feetech(port: Any) -> list[Servo]:
    errors = {
        servo: error
        for servo, (error, _) in _feetech_answers(
            _exchange(port, _feetech_packet(0xFE, 1), _FIRST_S, _QUIET_S)
        ).items()
    }
    if errors or port.baudrate == BAUD_RATES[0]:
        for servo in [one for one in _ALONE if one not in errors] * 2:  # one answer may be spoiled
            answer = _feetech_answers(_exchange(port, _feetech_packet(servo, 1), _ONE_S, _ONE_S, 6))
            errors |= {servo: answer[servo][0]} if servo in answer else {}
    servos = []
    for servo, error in sorted(errors.items()):
        model = _feetech_read(port, servo, 3, 2)
        if model is None:
            continue  # noise, or a Dynamixel that misunderstood
        low, high = int.from_bytes(model, "little"), int.from_bytes(model, "big")
        found = Servo(servo, FEETECH.get(low) or FEETECH.get(high) or f"model {low}")
        if state := _feetech_read(port, servo, 62, 2):
            found.volts, found.temperature_c = state[0] / 10, state[1]
        ranges, homing = _feetech_read(port, servo, 9, 4), _feetech_read(port, servo, 31, 2)
        if ranges and homing:
            offset = int.from_bytes(homing, "little")
            offset = -(offset & 0x7FF) if offset & 0x800 else offset
            found.limits = (
                offset,
                int.from_bytes(ranges[:2], "little"),
                int.from_bytes(ranges[2:], "little"),
            )
        found.alarms = tuple(word for bit, word in _ALARMS.items() if error & bit)
        servos.append(found)
    return servos


def _crc(data: bytes) -> int:
    """CRC-16 of Dynamixel protocol 2.0: polynomial 0x8005, nothing reflected, from 0."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x8005 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc


def _dynamixel_packet(servo: int, instruction: int, parameters: bytes = b"") -> bytes:
    length = (len(parameters) + 3).to_bytes(2, "little")
    packet = b"\xff\xff\xfd\x00" + bytes([servo]) + length + bytes([instruction]) + parameters
    return packet + _crc(packet).to_bytes(2, "little")


def _dynamixel_answers(received: bytes) -> dict[int, tuple[int, bytes]]:
    answers, at = {}, 0
    while (at := received.find(b"\xff\xff\xfd\x00", at)) >= 0 and at + 11 <= len(received):
        end = at + 7 + int.from_bytes(received[at + 5 : at + 7], "little")
        packet = received[at:end]
        whole = len(packet) >= 11 and end <= len(received) and packet[7] == 0x55
        if whole and int.from_bytes(packet[-2:], "little") == _crc(packet[:-2]):
            answers[packet[4]] = (packet[8], packet[9:-2])
            at = end
        else:
            at += 1
    return answers


def _dynamixel(port: Any) -> list[Servo]:
    answers = _dynamixel_answers(_exchange(port, _dynamixel_packet(0xFE, 1), _FIRST_S, _QUIET_S))
    servos = []
    for servo, (error, parameters) in sorted(answers.items()):
        number = int.from_bytes(parameters[:2], "little")
        found = Servo(servo, DYNAMIXEL.get(number, f"model {number}"))
        found.alarms = ("hardware",) if error & 0x80 else ()
        packet = _dynamixel_packet(servo, 2, (144).to_bytes(2, "little") + (3).to_bytes(2, "little"))
        for _ in range(_TRIES):
            answer = _dynamixel_answers(_exchange(port, packet, _KNOWN_S, _ONE_S, 14)).get(servo)
            if answer is not None and len(answer[1]) == 3:
                found.volts = int.from_bytes(answer[1][:2], "little") / 10
                found.temperature_c = answer[1][2]
                break
        servos.append(found)
    return servos
