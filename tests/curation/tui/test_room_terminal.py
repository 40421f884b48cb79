"""A review in a real terminal, killed in its middle: what was decided is on the disk, and the next one goes on."""

import sys
from pathlib import Path

import pytest
from rigs.tmux import AVAILABLE, Tmux

from collector.dataset.labels import Labels

DEMODECK = [sys.executable, Path(__file__).parents[3] / "demodeck.py"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not AVAILABLE, reason="tmux, the terminal of these tests, is not installed"),
]


def test_ten_decisions_outlive_kill_9_and_the_next_review_goes_on(judged, command_env):
    screen = Tmux([*DEMODECK, "review", judged, "--author", "ann"], command_env, 130, 32)
    try:
        screen.wait_for("14 unseen by ann")
        screen.send(*"dkdkdkdkdk", "s", "4")
        screen.wait_for("4 unseen by ann|3 unseen by ann")
        screen.wait_for("rating 4")
        screen.wait_for(r"\A 14 episodes")  # no star before it: all is on the disk
        screen.kill()
        screen.wait_for_end()
    finally:
        screen.close()
    said = Labels(judged).current("ann")
    verdicts = [fields["verdict"] for fields in said.values() if "verdict" in fields]
    assert len(verdicts) == 10 and sorted(verdicts) == ["drop"] * 5 + ["keep"] * 5
    assert {"success": True, "rating": 4} in said.values()
    screen = Tmux([*DEMODECK, "review", judged, "--author", "ann"], command_env, 130, 32)
    try:
        screen.wait_for("3 unseen by ann")
        screen.send("u")
        screen.wait_for("taken back: rating 4")
        screen.send("q")
        assert screen.wait_for_end() == 0
        shown = screen.capture(history=True)
        assert "3 of 14 unseen by ann" in shown and "Traceback" not in shown
    finally:
        screen.close()
    assert {"success": True} in Labels(judged).current("ann").values()
