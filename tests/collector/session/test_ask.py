"""A device that does not answer at once is asked again, and counted once however long that takes."""

from types import SimpleNamespace

import pytest

from collector.session import fly
from collector.session.fly import DeviceGoneError, FlightResult, ask


class Pad:
    """A device whose next answers are lost."""

    def __init__(self, lost, error=ConnectionError):
        self.lost, self.error, self.asked = lost, error, 0

    def get_action(self):
        self.asked += 1
        if self.asked <= self.lost:
            raise self.error("no answer")
        return {"x": 1.0}


def test_an_outage_counts_once_however_often_it_was_asked():
    result, pad = FlightResult(), Pad(lost=3)
    assert ask(pad, pad.get_action, result) == {"x": 1.0}
    assert (pad.asked, result.asked_again) == (4, 1)
    ask(pad, pad.get_action, result)
    assert result.asked_again == 1, "an answer at once is none"
    pad.lost = pad.asked + 1
    ask(pad, pad.get_action, result)
    assert result.asked_again == 2


def test_a_device_that_is_gone_is_not_one_that_answered_late(monkeypatch):
    monkeypatch.setattr(fly, "_PATIENCE_S", 0.05)
    result, pad = FlightResult(), Pad(lost=10**9)
    with pytest.raises(DeviceGoneError, match=r"teleoperator .* failed in flight: no answer"):
        ask(pad, pad.get_action, result)
    assert pad.asked > 1
    assert result.asked_again == 0


def test_a_machine_that_stood_still_is_no_device_that_is_gone(monkeypatch):
    result, pad, clock = FlightResult(), Pad(lost=3), SimpleNamespace(now_s=0.0)
    monkeypatch.setattr(fly, "time", SimpleNamespace(perf_counter=lambda: clock.now_s, sleep=lambda _: None))

    def answer_after_a_stall():
        clock.now_s += 100 * fly._PATIENCE_S if pad.asked == 1 else 0.001
        return pad.get_action()

    assert ask(pad, answer_after_a_stall, result) == {"x": 1.0}
    assert (pad.asked, result.asked_again) == (4, 1)


def test_what_is_no_lost_answer_is_not_asked_again():
    result, pad = FlightResult(), Pad(lost=1, error=ZeroDivisionError)
    with pytest.raises(DeviceGoneError):
        ask(pad, pad.get_action, result)
    assert (pad.asked, result.asked_again) == (1, 0)
