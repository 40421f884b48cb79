"""Motor temperature, voltage and load, where the bus reports them: looked at a little in every pause of the loop."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from collector.session.bus import buses

_EVERY_S = 0.1  # one register of one motor, about a millisecond of the bus
_WARN_BELOW_C = 10.0  # a motor is spoken of when it is so near to the limit
_TIRED_LOAD = 0.9  # share of the greatest torque ...
_TIRED_S = 2.0  # ... that a motor may give for so long before it is spoken of
# Registers by kind, as lerobot's Feetech and Dynamixel tables name them, with what one count of them is.
_REGISTERS = {
    "temperature": (("Present_Temperature", 1.0),),
    "voltage": (("Present_Voltage", 0.1), ("Present_Input_Voltage", 0.1)),
    "load": (("Present_Load", 0.001),),
}
_LEAST_VOLTAGE = {"5": 4.5, "12": 10.5}  # by the nominal voltage that a reading is nearest to


@dataclass(frozen=True)
class MotorFault:
    """What is wrong with a motor.

    Attributes:
        motor: Its name, with the arm's where there are two.
        kind: `temperature`, `voltage` or `load`.
        value: What was measured [degrees C, V, share of the greatest torque].
        limit: What is allowed.
        halts: Whether the robot must be halted.
    """

    motor: str
    kind: str
    value: float
    limit: float
    halts: bool

    def words(self) -> str:
        """Return it in words, with what to do."""
        if self.kind == "temperature":
            todo = "the robot is halted, let it cool" if self.halts else "give it a pause"
            return f"motor '{self.motor}' is at {self.value:.0f} degrees C (limit {self.limit:.0f}): {todo}"
        if self.kind == "voltage":
            return f"motor '{self.motor}' has {self.value:.1f} V (at least {self.limit:.1f}): check the power supply"
        return (
            f"motor '{self.motor}' pushes with {self.value:.0%} of its torque (limit {self.limit:.0%}): "
            "it is stuck or overloaded"
        )


class MotorWatch:
    """Looks at the motors of a lerobot robot, one register at a time; a robot without a bus has nothing to see.

    Args:
        robot: A connected lerobot `Robot`; its `bus`, or those of its `left_arm` and `right_arm`, are asked.
        max_temperature_c: Where the robot must be halted [degrees C].
    """

    def __init__(self, robot: Any, max_temperature_c: float) -> None:
        self._robot, self._limit_c = robot, max_temperature_c
        looks = [look for bus, prefix in buses(robot) for look in _looks(bus, prefix)]
        self._looks: Iterator[tuple[Any, str, str, str, float]] = cycle(looks) if looks else iter(())
        self._next_s = 0.0
        self._loaded_since: dict[str, float] = {}
        self._said: defaultdict[tuple[str, str], bool] = defaultdict(bool)
        self.seen: dict[str, dict[str, float]] = {}  # last value by motor and kind

    def look(self, now_s: float) -> MotorFault | None:
        """Look at the next register if it is time; return a fault that was not spoken of yet.

        Args:
            now_s: Any monotonic clock [s].
        """
        if now_s < self._next_s:
            return None
        self._next_s = now_s + _EVERY_S
        for bus, motor, name, register, scale in self._looks:
            kind = next(k for k, registers in _REGISTERS.items() if register in dict(registers))
            try:
                value = bus.read(register, motor, normalize=False) * scale
            except Exception:  # what it has to say comes with the next observation
                return None
            if kind == "load":
                value = abs(value) if abs(value) <= 1.024 else abs(value) - 1.024  # bit 10 is the direction
            self.seen.setdefault(name, {})[kind] = value
            return self._judge(name, kind, value, now_s)
        return None

    def hottest(self) -> dict[str, Any]:
        """Return name, temperature and limit [degrees C] of the hottest motor; empty where none tells."""
        known = {name: seen["temperature"] for name, seen in self.seen.items() if "temperature" in seen}
        if not known:
            return {}
        motor = max(known, key=lambda name: known[name])
        return {"motor": motor, "celsius": known[motor], "limit": self._limit_c}

    def _judge(self, motor: str, kind: str, value: float, now_s: float) -> MotorFault | None:
        fault: MotorFault | None = None
        if kind == "temperature":
            if value >= self._limit_c - _WARN_BELOW_C:
                fault = MotorFault(motor, kind, value, self._limit_c, halts=value >= self._limit_c)
        elif kind == "voltage":
            nominal = min(_LEAST_VOLTAGE, key=lambda volts: abs(float(volts) - value))
            least = _LEAST_VOLTAGE[nominal]
            if 0 < value < least:
                fault = MotorFault(motor, kind, value, least, halts=False)
        elif value >= _TIRED_LOAD:
            since = self._loaded_since.setdefault(motor, now_s)
            if now_s - since >= _TIRED_S:
                fault = MotorFault(motor, kind, value, _TIRED_LOAD, halts=False)
        else:
            self._loaded_since.pop(motor, None)
        key = (motor, kind + ("!" if fault and fault.halts else ""))
        new = fault is not None and not self._said[key]
        self._said[key] = fault is not None
        return fault if new else None


def _looks(bus: Any, prefix: str) -> Iterator[tuple[Any, str, str, str, float]]:
    for registers in _REGISTERS.values():
        for motor, description in bus.motors.items():
            table: dict[str, Any] = {}
            with contextlib.suppress(Exception):
                table = bus.model_ctrl_table[description.model]
            for register, scale in registers:
                if register in table:
                    yield bus, motor, prefix + motor, register, scale
                    break
