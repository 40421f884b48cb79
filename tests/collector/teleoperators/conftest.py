"""Virtual pads, and an arm in lock-step to fly."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.robots.sim_so101.joints import ACTION_KEYS
from collector.teleoperators.motion import steered


@pytest.fixture
def pads():
    """Plug virtual pads in; all are unplugged in the end."""
    pytest.importorskip("pygame")
    from rigs.virtual_pad import VirtualPad

    plugged = []

    def plug(name="Virtual Pad", product=1, known=True):
        plugged.append(VirtualPad(name, product, known))
        return plugged[-1]

    yield plug
    for pad in plugged:
        pad.unplug()


@pytest.fixture
def arm():
    with SimSO101(SimSO101Config(realtime=False, cameras=[])) as robot:
        robot.set_control_period(1 / 30)
        robot.reset(1)
        yield robot


@pytest.fixture
def clock(monkeypatch):
    """The clock by which a pilot notices a pause: it goes with the ticks that are flown."""
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(steered, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


@pytest.fixture
def fly(arm, clock):
    """Fly the arm by a pad of a config for some seconds; returns the pilot and what it asked for, (n, 6)."""
    from collector.teleoperators.pad import Pad, PadConfig

    flying = []

    def fly(seconds, pilot=None, **config):
        if pilot is None:
            pilot = Pad(PadConfig(**config))
            pilot.fit_to(arm)
            pilot.connect()
            pilot.set_control_period(1 / 30)
            pilot.reset(1)
            flying.append(pilot)
        asked = []
        for _ in range(round(seconds * 30)):
            pilot.observe(arm.get_observation())
            action = pilot.get_action()
            assert list(action) == list(ACTION_KEYS)
            asked.append(list(action.values()))
            arm.send_action(action)
            clock.now_s += 1 / 30
        return pilot, np.array(asked).reshape(-1, 6)

    yield fly
    for pilot in flying:
        if pilot.is_connected:
            pilot.disconnect()
