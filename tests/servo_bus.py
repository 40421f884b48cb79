"""Feetech STS3215 servos on a pseudo-terminal: lerobot's own arm classes talk to it as to a real arm.

Protocol: Feetech's SMS/STS manual (instruction packets `FF FF id length instruction parameters checksum`,
little-endian registers). A servo follows its goal at once, or at a limited speed where asked to; its position is
read back less its homing offset. The servos live in a process of their own, since a real bus answers within a
millisecond however busy we are.
"""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

import servo_line

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")


class Goal(NamedTuple):
    """Goal positions as they arrived.

    Attributes:
        t_s: `time.perf_counter()` [s]; one clock for all processes.
        goals: Asked position of each servo [steps], as written.
        positions: Where the servos were at that moment [steps], so that `goals - positions` is the jump asked for.
    """

    t_s: float
    goals: dict[int, int]
    positions: dict[int, int]


class ServoBus:
    """Servos behind the serial port `path`, a link that leads to a pseudo-terminal while the cable is in.

    The wire: `corrupt` (wrong checksums), `silence`, `slow`, `pull` and `plug` (the cable), `alarm`.
    The servos: `turn`, `drift`, `position`, `speed`, `set`, `get`, `renumber`, `remove`, `uncalibrate`, `restart`.
    What arrived: `goals`, `goal_log`. Everything can be called at any time, from any thread, and `after` lets it
    happen at a certain tick.

    Args:
        ids: Their ids.
    """

    def __init__(self, ids: tuple[int, ...] = (1, 2, 3, 4, 5, 6)) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="servo-bus-")
        self.path = str(Path(self._folder.name) / "port")
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, servo_line.__file__, self.path, *map(str, ids)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._process.stdout.readline()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def turn(self, servo: int, position: int) -> None:
        """Turn a servo by hand [steps, 0..4095]."""
        self._ask("turn", servo, position)

    def drift(self, servo: int, steps: int) -> None:
        """From here on turn a servo by so many steps each time before the positions of all are read together."""
        self._ask("drift", servo, steps)

    def after(self, readings: int, question: str, *arguments: object) -> None:
        """Do what the method `question` does once the positions have been read together so often.

        A session reads them once a tick, so that a fault comes in the tick that is meant, whoever stands still when.
        """
        self._ask("after", readings, question, *arguments)

    def position(self, servo: int) -> int:
        """Return where a servo is [steps], before its homing offset."""
        return self._ask("position", servo)

    def speed(self, steps_per_s: float | None) -> None:
        """Let the servos go to their goals at this speed, a turn being 4096 steps; None: at once."""
        self._ask("speed", steps_per_s)

    def goals(self) -> int:
        """Return how often goal positions were written to all servos together."""
        return self._ask("goals")

    def goal_log(self, since: int = 0) -> list[Goal]:
        """Return the goal positions that arrived, from number `since` on."""
        numbered = self._ask("goal_log", since)
        return [
            Goal(t_s, *({int(k): v for k, v in one.items()} for one in (goals, positions)))
            for t_s, goals, positions in numbered
        ]

    def corrupt(self, share: float = 0.0, replies: int = 0) -> None:
        """Spoil the checksum of a share [0..1] of the replies, or of the next `replies`; without either, of none.

        lerobot asks again without emptying its input: what came late then answers later questions.
        """
        self._ask("corrupt", share, replies)

    def silence(self, *servos: int) -> None:
        """Let these servos do as told and answer nothing; the others answer (again)."""
        self._ask("silence", servos)

    def slow(self, delay_ms: float) -> None:
        """Delay every reply [ms], one after the other; lerobot gives all replies to one reading some 50 ms."""
        self._ask("slow", delay_ms)

    def alarm(self, servo: int, bits: int) -> None:
        """Set the error byte of a servo's replies: 1 voltage, 4 heat, 8 current, 32 overload; 0 none."""
        self._ask("alarm", servo, bits)

    def pull(self) -> None:
        """Pull the cable: who has the port open gets errors, and `path` vanishes. The servos keep their power."""
        self._ask("pull")

    def plug(self) -> None:
        """Put the cable back: the same `path` again, over another pseudo-terminal."""
        self._ask("plug")

    def restart(self) -> None:
        """Cut the servos' power for a moment: torque is off, their goals are forgotten."""
        self._ask("restart")

    def renumber(self, servo: int, new_id: int) -> None:
        """Give a servo another id."""
        self._ask("renumber", servo, new_id)

    def remove(self, servo: int) -> None:
        """Take a servo off the bus."""
        self._ask("remove", servo)

    def uncalibrate(self) -> None:
        """Set homing offsets and limits as a new servo has them, so that no calibration file fits."""
        for servo in self._ask("ids"):
            self.set(servo, "Homing_Offset", 0)
            self.set(servo, "Min_Position_Limit", 0)
            self.set(servo, "Max_Position_Limit", 4095)

    def set(self, servo: int, register: str, value: int) -> None:
        """Set a register by its name in `REGISTERS` (`Present_Temperature` [deg C], `Present_Voltage` [0.1 V])."""
        self._ask("set", servo, register, value)

    def get(self, servo: int, register: str) -> int:
        """Return a register by its name in `servo_line.REGISTERS`."""
        return self._ask("get", servo, register)

    def _ask(self, question: str, *arguments) -> object:
        with self._lock:
            self._process.stdin.write(json.dumps([question, *arguments]) + "\n")
            answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ValueError(f"servo bus: {question}{arguments}: {answer['error']}")
        return answer["value"]

    @staticmethod
    def write_calibration(folder: Path, name: str) -> None:
        """Write the calibration file that lerobot looks for, as the servos are set."""
        folder.mkdir(parents=True, exist_ok=True)
        joints = {
            joint: {
                "id": i + 1,
                "drive_mode": 0,
                "homing_offset": 0,
                "range_min": servo_line.RANGE[0],
                "range_max": servo_line.RANGE[1],
            }
            for i, joint in enumerate(JOINTS)
        }
        (folder / f"{name}.json").write_text(json.dumps(joints))
