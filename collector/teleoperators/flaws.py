"""Ways in which a scripted flight can go wrong on purpose: what curation's checks are to find.

Which seeds are flawed, and how, is decided by the seed alone, so that a test knows it without flying.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collector.errors import UsageError

# Each is a change of what is flown, not of what is written down.
FLAWS = ("miss", "early_stop", "stall", "tremor", "spike", "slip")
STALL_S = (1.6, 2.4)
TREMOR_DEG = 2.0
SPIKE_DEG = (25.0, 40.0)


def flaw_of(seed: int, rate: float, flaws: list[str]) -> str | None:
    """Return the flaw of the episode with this seed, or None for a good one.

    Args:
        seed: The episode's seed.
        rate: Share of the episodes that are flawed, 0 to 1.
        flaws: Names among `FLAWS`; each is as likely.

    Raises:
        UsageError: If a name is unknown or the rate is out of range.
    """
    check_flaws(rate, flaws)
    rng = np.random.default_rng([seed, 0xF1A])
    if rng.random() >= rate:
        return None
    return flaws[int(rng.integers(len(flaws)))]


def check_flaws(rate: float, flaws: list[str]) -> None:
    """Raise `UsageError` where `flaw_of` would."""
    if not 0 <= rate <= 1:
        raise UsageError(f"flaw_rate={rate} is not a share of the episodes: choose 0 to 1")
    for flaw in flaws:
        if flaw not in FLAWS:
            raise UsageError(f"there is no flaw '{flaw}': choose among {', '.join(FLAWS)}")
    if rate > 0 and not flaws:
        raise UsageError(f"flaw_rate={rate} needs at least one of the flaws {', '.join(FLAWS)}")


@dataclass
class Disturbance:
    """What a flaw does to the asked joint positions, tick by tick (`tremor`, `spike`).

    Attributes:
        flaw: The flaw's name.
        rng: The flaw's own random numbers, so that they do not shift those of the flight.
        moment_s: When a momentary flaw happens [s].
    """

    flaw: str | None
    rng: np.random.Generator
    moment_s: float
    _struck: bool = False

    def apply(self, action: np.ndarray, now_s: float) -> np.ndarray:
        """Return the action with the flaw in it.

        Args:
            action: Asked joint positions in lerobot's units, (6,), the gripper last.
            now_s: Seconds since the flight began.
        """
        if self.flaw == "tremor":
            action = action.copy()
            action[:5] += self.rng.normal(0.0, TREMOR_DEG, 5)
        elif self.flaw == "spike" and now_s >= self.moment_s and not self._struck:
            self._struck = True
            action = action.copy()
            size_deg = self.rng.uniform(*SPIKE_DEG) * self.rng.choice([-1.0, 1.0])
            action[int(self.rng.integers(1, 4))] += size_deg
        return action
