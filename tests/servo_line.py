"""The servos of a `ServoBus` and their wire: a program that answers Feetech's protocol on a pseudo-terminal.

Usage: servo_line.py PORT ID...     Questions of a test come on standard input, a JSON list each; see `Line`.
"""

import contextlib
import json
import os
import random
import select
import sys
import time
from pathlib import Path

PING, READ, WRITE, SYNC_READ, SYNC_WRITE = 0x01, 0x02, 0x03, 0x82, 0x83
BROADCAST = 0xFE
STS3215 = 777
RANGE = (800, 3200)
# name: (address, bytes), as lerobot's control table has them.
REGISTERS = {
    "Firmware": (0, 2), "Model_Number": (3, 2), "ID": (5, 1), "Min_Position_Limit": (9, 2),
    "Max_Position_Limit": (11, 2), "Max_Temperature_Limit": (13, 1), "Max_Voltage_Limit": (14, 1),
    "Min_Voltage_Limit": (15, 1), "Max_Torque_Limit": (16, 2), "Homing_Offset": (31, 2), "Torque_Enable": (40, 1),
    "Goal_Position": (42, 2), "Present_Position": (56, 2), "Present_Velocity": (58, 2), "Present_Load": (60, 2),
    "Present_Voltage": (62, 1), "Present_Temperature": (63, 1), "Status": (65, 1), "Moving": (66, 1),
    "Present_Current": (69, 2),
}  # fmt: skip
FACTORY = {
    "Firmware": 0x0903, "Model_Number": STS3215, "Min_Position_Limit": RANGE[0], "Max_Position_Limit": RANGE[1],
    "Max_Temperature_Limit": 70, "Max_Voltage_Limit": 80, "Min_Voltage_Limit": 40, "Max_Torque_Limit": 1000,
    "Goal_Position": 2048, "Present_Voltage": 50, "Present_Temperature": 30,
}  # fmt: skip
TORQUE, GOAL, POSITION = (
    REGISTERS[name][0] for name in ("Torque_Enable", "Goal_Position", "Present_Position")
)


class Servo:
    """One servo: its registers, and where it is."""

    def __init__(self, servo_id: int) -> None:
        self.registers = bytearray(256)
        self.alarm = 0
        self.speed: float | None = None  # [steps/s]
        self._position, self._goal, self._moved_s = 2048.0, 2048.0, time.perf_counter()
        for name, value in {**FACTORY, "ID": servo_id}.items():
            self.put(name, value)

    def put(self, name: str, value: int) -> None:
        address, length = REGISTERS[name]
        self.registers[address : address + length] = value.to_bytes(length, "little")

    def get(self, name: str) -> int:
        address, length = REGISTERS[name]
        return int.from_bytes(self.read(address, length), "little")

    def place(self, position: float) -> None:
        self._position = self._goal = position

    def position(self) -> int:
        """Return the position [steps], having moved on towards the goal."""
        now_s = time.perf_counter()
        way, reach = self._goal - self._position, 4096.0
        if self.speed is not None:
            reach = self.speed * (now_s - self._moved_s)
        self._position += max(-reach, min(reach, way))
        self._moved_s = now_s
        return round(self._position)

    def offset(self) -> int:
        raw = int.from_bytes(self.registers[31:33], "little")  # a sign and a magnitude
        return -(raw & 0x7FF) if raw & 0x800 else raw & 0x7FF

    def shown(self) -> int:
        return (self.position() - self.offset()) & 0xFFF

    def read(self, address: int, length: int) -> bytes:
        self.put("Present_Position", self.shown())
        self.put("Moving", int(self._goal != self._position))
        return bytes(self.registers[address : address + length])

    def write(self, address: int, data: bytes) -> None:
        self.position()
        self.registers[address : address + len(data)] = data
        if not self.registers[TORQUE]:
            self._goal = self._position
        elif address <= GOAL < address + len(data):
            low, high = self.get("Min_Position_Limit"), self.get("Max_Position_Limit")
            self._goal = min(max(self.get("Goal_Position"), low), high) + self.offset()


class Line:
    """The wire: packets in, replies out, and what tests ask (the methods without underscore up to `receive`)."""

    def __init__(self, path: str, ids: list[int]) -> None:
        self.wire: int | None = None
        self._path, self._port = Path(path), -1
        self._servos = {i: Servo(i) for i in ids}
        self._received = bytearray()
        self._goals, self._log = 0, []
        self._share, self._spoiled, self._silent, self._delay_s = 0.0, 0, set(), 0.0
        self._drift: dict[int, int] = {}
        self._left, self._then = (
            0,
            ("ids",),
        )  # readings of the positions, and the question that comes after them

    def ids(self):
        return sorted(self._servos)

    def turn(self, servo, position):
        self._servos[servo].place(position)

    def drift(self, servo, steps):
        self._drift[servo] = steps

    def after(self, readings, question, *arguments):
        self._left, self._then = readings, (question, *arguments)

    def position(self, servo):
        return self._servos[servo].position()

    def speed(self, steps_per_s):
        for servo in self._servos.values():
            servo.position()
            servo.speed = steps_per_s

    def goals(self):
        return self._goals

    def goal_log(self, since):
        return self._log[since:]

    def corrupt(self, share, replies):
        self._share, self._spoiled = share, replies

    def silence(self, servos):
        self._silent = set(servos)

    def slow(self, delay_ms):
        self._delay_s = delay_ms / 1000

    def alarm(self, servo, bits):
        self._servos[servo].alarm = bits

    def set(self, servo, register, value):
        self._servos[servo].put(register, value)

    def get(self, servo, register):
        return self._servos[servo].get(register)

    def renumber(self, servo, new_id):
        self._servos[new_id] = self._servos.pop(servo)
        self._servos[new_id].put("ID", new_id)

    def remove(self, servo):
        del self._servos[servo]

    def restart(self):
        for servo in self._servos.values():
            servo.write(TORQUE, b"\0")
            servo.put("Goal_Position", FACTORY["Goal_Position"])

    def pull(self):
        self._path.unlink(missing_ok=True)
        if self.wire is not None:
            os.close(self.wire)
            os.close(self._port)
        self.wire = None
        self._received.clear()

    def plug(self):
        import pty
        import tty

        if self.wire is not None:
            return
        self.wire, self._port = (
            pty.openpty()
        )  # the port stays open, so that the line is up between connections
        os.set_blocking(self.wire, False)  # replies that nobody reads are lost
        tty.setraw(self._port)
        self._path.symlink_to(os.ttyname(self._port))

    def receive(self) -> None:
        """Take what has arrived and answer every whole packet in it."""
        self._received += os.read(self.wire, 4096)
        while self.wire is not None and (packet := self._next_packet()) is not None:
            if packet[-1] == ~sum(packet[2:-1]) & 0xFF:
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
        if servo_id in self._silent:
            return
        if self._delay_s:
            time.sleep(self._delay_s)
        body = bytes([servo_id, len(parameters) + 2, self._servos[servo_id].alarm]) + parameters
        bad = self._spoiled > 0 or random.random() < self._share
        self._spoiled = max(0, self._spoiled - 1)
        with contextlib.suppress(BlockingIOError):
            os.write(self.wire, b"\xff\xff" + body + bytes([(~sum(body) & 0xFF) ^ (0x55 if bad else 0)]))

    def _answer(self, servo_id: int, instruction: int, parameters: bytes) -> None:
        if instruction == SYNC_READ:
            address, length, *ids = parameters
            if address == POSITION:
                for one in self._drift.keys() & set(ids):
                    self._servos[one].place(self._servos[one].position() + self._drift[one])
            for one in ids:
                if one in self._servos:
                    self._reply(one, self._servos[one].read(address, length))
            if address == POSITION and self._left:
                self._left -= 1
                if not self._left:
                    getattr(self, self._then[0])(*self._then[1:])
        elif instruction == SYNC_WRITE:
            address, length = parameters[:2]
            chunks = range(2, len(parameters), length + 1)
            self._write(address, {parameters[k]: parameters[k + 1 : k + 1 + length] for k in chunks})
            self._goals += address == GOAL
        else:
            ids = sorted(self._servos) if servo_id == BROADCAST else [servo_id]
            for one in filter(self._servos.__contains__, ids):
                if instruction == WRITE:
                    self._write(parameters[0], {one: parameters[1:]})
                content = self._servos[one].read(*parameters[:2]) if instruction == READ else b""
                if servo_id != BROADCAST or instruction == PING:
                    self._reply(one, content)

    def _write(self, address: int, values: dict[int, bytes]) -> None:
        values = {one: data for one, data in values.items() if one in self._servos}
        if address == GOAL:
            goals = {one: int.from_bytes(data[:2], "little") for one, data in values.items()}
            self._log.append((time.perf_counter(), goals, {one: self._servos[one].shown() for one in values}))
        for one, data in values.items():
            self._servos[one].write(address, data)


def serve(path: str, *ids: str) -> None:
    """Serve the wire, and the test's questions on standard input, until that closes."""
    with contextlib.suppress(OSError):
        os.nice(-10)
    line = Line(path, [int(one) for one in ids])
    line.plug()
    print("ready", flush=True)
    while True:
        waiting = [sys.stdin] if line.wire is None else [line.wire, sys.stdin]
        for ready in select.select(waiting, [], [])[0]:
            if ready is not sys.stdin:
                line.receive()
                continue
            if not (question := sys.stdin.readline()):
                return
            name, *arguments = json.loads(question)
            try:
                answer = {"value": getattr(line, name)(*arguments)}
            except (KeyError, ValueError, OverflowError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
            break  # the wire may have changed


if __name__ == "__main__":
    # A control process in real time asks a bus without a pause; a real bus answers from its own processors.
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(60))
    serve(*sys.argv[1:])
