"""The evaluation that another pilot has to beat: `demodeck eval --against=FILE`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.errors import MismatchError
from training.results import load_result


@dataclass(frozen=True)
class Rival:
    """What `demodeck eval --output` wrote for the pilot to beat.

    Attributes:
        file: Where it was read.
        name: The pilot's name in comparisons.
        robot: The robot's type.
        fps: Control rate [Hz].
        time_limit_s: How long a flight could take [s]; None where an older file does not say.
        outcomes: Whether each flight succeeded, by seed, in the order flown.
    """

    file: Path
    name: str
    robot: str
    fps: int
    time_limit_s: float | None
    outcomes: dict[int, bool]

    def check_fit(self, robot: str, fps: int, limit_s: float) -> None:
        """Check that flights of the two can be paired.

        Args:
            robot: The robot's type now.
            fps: Control rate now [Hz].
            limit_s: How long a flight may take now [s].

        Raises:
            MismatchError: If something else was flown, naming every difference.
        """
        wrong = []
        if robot != self.robot:
            wrong.append(f"robot '{self.robot}' there, '{robot}' here")
        if fps != self.fps:
            wrong.append(f"{self.fps} Hz there, {fps} Hz here (--fps)")
        if self.time_limit_s is not None and limit_s != self.time_limit_s:
            wrong.append(
                f"at most {self.time_limit_s:g} s a flight there, {limit_s:g} s here (--time_limit_s)"
            )
        if wrong:
            raise MismatchError(
                f"--against={self.file} cannot be paired with this evaluation: {'; '.join(wrong)}: "
                "fly both in the same way"
            )


def load_rival(path: Path) -> Rival:
    """Read an evaluation to beat.

    Raises:
        DataError: If the file is missing, damaged or no evaluation.
    """
    result: dict[str, Any] = load_result(path, also=("robot", "fps"))
    outcomes = {flight["seed"]: bool(flight["success"]) for flight in result["flights"]}
    limit_s = result.get("time_limit_s")
    return Rival(path, result["name"], result["robot"], result["fps"], limit_s, outcomes)
