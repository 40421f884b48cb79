"""Flags of the keys."""

from __future__ import annotations

from dataclasses import dataclass

from lerobot.teleoperators.config import TeleoperatorConfig

from collector.errors import UsageError
from collector.teleoperators.motion.config import SteeringConfig

STYLES = ("auto", "step", "latch", "held")
SOURCES = ("auto", "terminal", "session", "evdev")


@TeleoperatorConfig.register_subclass("keys")
@dataclass(kw_only=True)
class KeysConfig(SteeringConfig):
    """The keyboard, in a plain terminal too (`--teleop.type=keys`).

    Raises:
        UsageError: If a value is out of range or unknown.
    """

    # step: each press moves a bit. latch: a press moves until the opposite key, the stop key or latch_s. held: a key
    # moves as long as it is held, which the terminal must tell (the kitty keyboard protocol). auto: held where the
    # terminal tells, else step.
    style: str = "auto"
    # How long one step moves, and a latched key at most [s].
    step_s: float = 0.1
    latch_s: float = 5.0
    # Where the keys come from: the session's screen, a terminal that is opened here, or a Linux input device, which
    # hears its keyboard whatever window is in front. auto: the session where there is one, else the terminal.
    source: str = "auto"
    # The terminal, or the input device (/dev/input/event*, empty for the first keyboard). In lerobot-record, which
    # reads its own keys from its terminal, name another terminal, such as /dev/pts/3 (`tty` says its name).
    terminal: str = "/dev/tty"
    device: str = ""
    # What the keys do: an edited copy of the shipped file; empty for that.
    mapping: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for flag, allowed in (("style", STYLES), ("source", SOURCES)):
            value = getattr(self, flag)
            if value not in allowed:
                raise UsageError(f"--teleop.{flag}={value} is unknown: choose among {', '.join(allowed)}")
        for flag, low, high in (("step_s", 0.01, 2.0), ("latch_s", 0.1, 60.0)):
            value = getattr(self, flag)
            if not low <= value <= high:
                raise UsageError(f"--teleop.{flag}={value}: choose {low:g} to {high:g} seconds")
