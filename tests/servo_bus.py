"""Feetech STS3215 servos on a pseudo-terminal: lerobot's own arm classes talk to it as to a real arm.

Protocol: Feetech's SMS/STS manual (instruction packets `FF FF id length instruction parameters checksum`,
little-endian registers). A servo follows its goal at once; its position is read back less its homing offset.
The servos live in a process of their own, since a real bus answers within a millisecond however busy we are.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
PING, READ, WRITE, SYNC_READ, SYNC_WRITE = 0x01, 0x02, 0x03, 0x82, 0x83
BROADCAST = 0xFE
MODEL, ID, HOMING, TORQUE, GOAL, POSITION = 3, 5, 31, 40, 42, 56
STS3215 = 777
RANGE = (800, 3200)


class ServoBus:
    """Six servos behind the serial port `path`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.path = self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def turn(self, servo: int, position: int) -> None:
        """Turn a servo by hand [steps, 0..4095]."""
        self._ask(f"turn {servo} {position}")

    def goals(self) -> int:
        """Return how often goal positions were written to all servos together."""
        return int(self._ask("goals"))

    def _ask(self, question: str) -> str:
        self._process.stdin.write(question + "\n")
        return self._process.stdout.readline()

    @staticmethod
    def write_calibration(folder: Path, name: str) -> None:
        """Write the calibration file that lerobot looks for, as the servos are set."""
        folder.mkdir(parents=True, exist_ok=True)
        joints = {
            joint: {
                "id": i + 1,
                "drive_mode": 0,
                "homing_offset": 0,
                "range_min": RANGE[0],
                "range_max": RANGE[1],
            }
            for i, joint in enumerate(JOINTS)
        }
        (folder / f"{name}.json").write_text(json.dumps(joints))


class Servo:
    """The registers of one servo."""

    def __init__(self, servo_id: int) -> None:
        self.registers = bytearray(256)
        self.position = 2048
        self.registers[ID] = servo_id
        for address, value in ((MODEL, STS3215), (9, RANGE[0]), (11, RANGE[1]), (16, 1000), (GOAL, 2048)):
            self.put(address, value)

    def put(self, address: int, value: int) -> None:
        self.registers[address : address + 2] = value.to_bytes(2, "little")

    def get(self, address: int) -> int:
        return int.from_bytes(self.registers[address : address + 2], "little")

    def read(self, address: int, length: int) -> bytes:
        raw = self.get(HOMING)
        offset = -(raw & 0x7FF) if raw & 0x800 else raw & 0x7FF
        self.put(POSITION, (self.position - offset) & 0xFFF)
        return bytes(self.registers[address : address + length])

    def write(self, address: int, data: bytes) -> None:
        self.registers[address : address + len(data)] = data
        if address <= GOAL < address + len(data) and self.registers[TORQUE]:
            self.position = self.get(GOAL)


class Line:
    """The wire: packets in, replies out."""

    def __init__(self, descriptor: int) -> None:
        self.servos = {i: Servo(i) for i in range(1, 7)}
        self.goals = 0
        self._descriptor = descriptor
        self._received = bytearray()

    def receive(self) -> None:
        """Take what has arrived and answer every whole packet in it."""
        self._received += os.read(self._descriptor, 4096)
        while (packet := self._next_packet()) is not None:
            self._answer(packet[2], packet[4], packet[5:-1])

    def _next_packet(self) -> bytes | None:
        received = self._received
        start = received.find(b"\xff\xff")
        if start < 0:
            return None
        del received[:start]
        if len(received) < 4 or len(received) < received[3] + 4:
            return None
        packet = bytes(received[: received[3] + 4])
        del received[: len(packet)]
        return packet

    def _reply(self, servo_id: int, parameters: bytes = b"") -> None:
        body = bytes([servo_id, len(parameters) + 2, 0]) + parameters
        os.write(self._descriptor, b"\xff\xff" + body + bytes([~sum(body) & 0xFF]))

    def _answer(self, servo_id: int, instruction: int, parameters: bytes) -> None:
        if instruction == SYNC_READ:
            address, length, *ids = parameters
            for one in ids:
                self._reply(one, self.servos[one].read(address, length))
        elif instruction == SYNC_WRITE:
            address, length = parameters[:2]
            for start in range(2, len(parameters), length + 1):
                self.servos[parameters[start]].write(address, parameters[start + 1 : start + 1 + length])
            self.goals += address == GOAL
        else:
            for one in sorted(self.servos) if servo_id == BROADCAST else [servo_id]:
                if instruction == WRITE:
                    self.servos[one].write(parameters[0], parameters[1:])
                content = self.servos[one].read(*parameters[:2]) if instruction == READ else b""
                if servo_id != BROADCAST or instruction == PING:
                    self._reply(one, content)


def serve() -> None:
    """Serve the wire, and the test's questions on standard input, until killed."""
    import pty
    import tty

    with contextlib.suppress(OSError):
        os.nice(-10)
    wire, port = pty.openpty()  # the port stays open here, so that the line is up between two connections
    tty.setraw(port)
    line = Line(wire)
    print(os.ttyname(port), flush=True)
    while True:
        for ready in select.select([wire, sys.stdin], [], [])[0]:
            if ready is wire:
                line.receive()
                continue
            match sys.stdin.readline().split():
                case ["turn", servo, position]:
                    line.servos[int(servo)].position = int(position)
                    print("turned", flush=True)
                case ["goals"]:
                    print(line.goals, flush=True)
                case []:
                    return


if __name__ == "__main__":
    serve()
