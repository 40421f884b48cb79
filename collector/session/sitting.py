"""What every sitting at a robot has, recorded or not: a rig, a helm, flights, and a screen that may see them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from collector.errors import UsageError
from collector.session.attach import Berth
from collector.session.flights import Flights
from collector.session.helm import Helm
from collector.session.port import ScreenPort
from collector.session.rig import Rig
from collector.session.state import Event
from collector.session.view import View


class Sitting:
    """What both kinds of session have: a rig, a helm, and flights."""

    def __init__(
        self, config: Any, screen: ScreenPort, fps: float, interactive: bool, berth: Berth, **told: Any
    ) -> None:
        self._tell = screen.tell
        ignored = [flag for flag in ("display_data",) if getattr(config, flag)]
        self.display = _display(config, interactive)
        self.reattach_s = config.reattach_time_s if self.display == "cockpit" else 0.0
        if self.reattach_s:
            screen.await_others(berth.control, bytes.fromhex(berth.key))
        if self.display == "cockpit":
            berth.keep_output("control")
        self._tell(
            "config",
            display=self.display,
            json=config.json,
            ignored=ignored,
            keys=config.keys,
            voice=config.voice,
            sounds=getattr(config, "play_sounds", True),
            reattach_s=self.reattach_s,
            robot=config.robot.type,
            teleop=config.teleop.type,
            **told,
        )
        self.rig = Rig(config.robot, config.teleop, config.safety, fps, config.takeover)
        if hasattr(self.rig.pilot, "feed"):
            self._tell("feed")
        self.helm = Helm(screen, self.reattach_s)
        self.view = self._make_view(config, fps) if self.display == "cockpit" else None
        if config.takeover_after_s is not None and not self.rig.pilot.leader_can_be_left_alone:
            raise UsageError(
                f"--takeover_after_s={config.takeover_after_s}: only a program takes over by itself, and "
                f"--takeover.type={config.takeover.type} needs a person's hand on it: leave it out, and press o"
            )
        self.flights = Flights(
            self.rig,
            self.helm,
            self._tell,
            fps=fps,
            reconnect_time_s=config.reconnect_time_s,
            interactive=interactive,
            squeeze=config.squeeze,
            view=self.view,
            practice_seed=config.seed,
            takeover_after_s=config.takeover_after_s,
        )

    def _make_view(self, config: Any, fps: float) -> View:
        """Make the memory in which the screen sees the flights, and tell the screen of it."""
        features = self.rig.robot.observation_features
        cameras = {name: shape[:2] for name, shape in features.items() if isinstance(shape, tuple)}
        view = View(list(self.rig.robot.action_features), cameras)
        self._tell(
            "view",
            name=view.name,
            joints=view.joints,
            cameras=view.cameras,
            limits=config.safety.limits,
            fps=fps,
        )
        return view

    def _look_at_rig(self, root: Path | None) -> None:
        """Show the person how the rig is, and wait until the first flight is wanted."""
        from collector.session.preflight import look_at  # which imports what the doctor needs

        findings = [vars(finding) for finding in look_at(self.rig, root)]
        self._tell("rig", findings=findings)
        self.helm.take(Event.PAUSE)

    def close(self) -> None:
        """Remove the memory that the screen looks at."""
        if self.view is not None:
            self.view.close()


def _display(config: Any, interactive: bool) -> str:
    """Return which display the flags mean.

    By itself the cockpit comes where a person sits: not for a simulation in lock-step, which nobody flies, and not
    where the person flies by the keys of the same terminal.

    Raises:
        UsageError: If the cockpit cannot be.
    """
    by_keys = any(getattr(part, "type", "") == "keys" for part in (config.teleop, config.takeover))
    person = interactive and sys.stderr.isatty() and os.environ.get("TERM") not in (None, "dumb")
    if config.display == "cockpit" and not person:
        raise UsageError("--display=cockpit needs a terminal: use log, or none")
    if config.display == "cockpit" and by_keys:
        raise UsageError("--display=cockpit takes the keys that fly the robot: use log")
    if config.display != "auto":
        return config.display
    shown = person and not by_keys and getattr(config.robot, "realtime", True) and not config.json
    return "cockpit" if shown else "log"
