"""Faults of processes, devices and disks in `demodeck record`: nothing saved is lost, the arm is left safe."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from rigs.commands import environment
from rigs.faults import ALL_FAULTS, MORE_OF_DEVICE, SAVED, Outcome, inflict
from rigs.plain_lerobot import reader

AT_ONCE = 3  # sessions running beside each other: each costs seconds of imports
FLAGS = {"dataset.rgb_encoder.vcodec": "h264"}  # no measuring of encoders beside each other
LIMIT_S = 0.25  # at most this much is lost before the fault

# Exit code of the command, by fault; kill -9 of the screen is the shell's to report.
CASES = {
    "kill -9 control, in flight": 4,
    "kill -9 recorder, in flight": 4,
    "kill -9 screen, in flight": -9,
    "SIGINT in flight": 130,
    "SIGTERM in flight": 143,
    "SIGHUP in flight": 129,
    "robot unplugged": 4,
    "teleoperator raises once": 0,  # made anew, it flies on
    "camera raises": 4,
    "disk full in flight": 6,
    "disk full while saving": 6,
}


@pytest.fixture(scope="module")
def outcomes(request, tmp_path_factory):
    """The outcome of each chosen case, as a future: they run beside each other."""
    chosen = [item.callspec.params["case"] for item in request.session.items if item.module is request.module]
    folder = tmp_path_factory.mktemp("faults")
    with reader(environment(folder / "home")) as lerobot, ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            case: pool.submit(inflict, ALL_FAULTS[case], "demodeck", _made(folder / str(i)), lerobot, FLAGS)
            for i, case in enumerate(dict.fromkeys(chosen))
        }
        pool.shutdown(cancel_futures=True)


def _made(folder):
    folder.mkdir()
    return folder


@pytest.mark.parametrize("case", CASES)
def test_a_fault_loses_no_saved_episode_and_leaves_the_arm_safe(case, outcomes: dict[str, Future[Outcome]]):
    outcome = outcomes[case].result(timeout=1200)
    assert not outcome.error, "plain lerobot cannot read the set"
    assert outcome.saved == SAVED, outcome
    assert outcome.partial_ticks > 0, outcome
    assert outcome.lost_s is not None
    assert outcome.lost_s <= LIMIT_S + outcome.stalled_s, outcome
    assert outcome.left_safe(ALL_FAULTS[case]), outcome

    assert outcome.exit_code == CASES[case], outcome.err
    assert "Traceback" not in outcome.err
    said = [line for line in outcome.err.splitlines() if "error: " in line]
    assert len(said) == (CASES[case] in (4, 6)), outcome.err
    if CASES[case] == 0:
        assert "the teleoperator is back" in outcome.err
        assert outcome.episodes == SAVED + 1 + MORE_OF_DEVICE, (
            "the interrupted take is kept, and does not count"
        )
