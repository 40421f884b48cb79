"""A session's messages make one account, which every display and the summary at the end agree with."""

import json

import pytest
from session_messages import LATE, ROOT, SESSION, saved, state

from collector.errors import DemodeckError
from collector.session.account import Account
from collector.session.closing import close, in_words, summary
from collector.session.state import State


def account_of(messages):
    account = Account()
    for message in messages:
        account.take_in({"told_s": 0.0, **message})
    return account


def until(kind, n=1):
    """Return the session's messages until the n-th of a kind."""
    at = [number for number, message in enumerate(SESSION) if message["kind"] == kind][n - 1]
    return SESSION[: at + 1]


def test_a_whole_session():
    account = account_of(SESSION)
    assert account.state is State.DONE
    assert account.began_s == SESSION[5]["told_s"]
    assert (account.kept, account.cut, account.taken_back) == ([10], [11], {12})
    assert (account.ticks, account.frames, account.discarded) == (750, 700, 1)
    assert account.successes == {10: True, 11: None, 12: False}
    assert account.clipped == {"speed": 4, "limit": 2}
    assert account.lateness == [LATE] * 3
    assert list(account.camera_faults) == ["camera 'front' froze for 0.8 s"]
    assert set(account.verdicts) == {10}
    assert account.motors["celsius"] == 41
    assert account.rig[0]["what"] == "robot"
    assert (account.clutched, account.person_flies) == (False, True)
    assert account.closed["kept_in"].startswith(ROOT)
    assert account.error() is None


def test_the_summary_for_machines():
    told = json.loads(json.dumps(summary(account_of(SESSION))))
    assert told == {
        "root": ROOT, "episodes": 3, "taken_back": 1, "frames": 700, "successful": 1, "missed_ticks": 1,
        "camera_faults": 1, "lateness_ms": [LATE] * 3, "clipped": {"speed": 4, "limit": 2},
    }  # fmt: skip


def test_the_summary_of_mere_flying():
    account = account_of([{"kind": "teleop", "fps": 30, "seconds": None}, *until("flown")[-1:]])
    assert summary(account) == {"ticks": 300, "lateness_ms": [LATE], "clipped": {"speed": 4, "limit": 2}}


def test_the_end_in_words_and_as_an_exit_code(capsys):
    account, said = account_of(SESSION), []
    assert close(account, said.append, None) == 0
    assert said == [in_words(account)]
    assert "3 flights (1 taken back), 700 frames, 1 successful, in " in said[0]
    assert said[0].endswith(f"next: demodeck score {ROOT}")
    assert json.loads(capsys.readouterr().out) == summary(account)
    assert close(account, said.append, 15) == 143


def test_the_flight_that_goes_on():
    account = account_of(until("take"))
    assert (account.take.number, account.take.episode, account.take.task, account.take.limit_s) == (
        1,
        10,
        "lift",
        60,
    )
    assert account.take.began_s == until("take")[-1]["told_s"]
    assert account.state is State.READY
    assert account_of(until("state", 5)).since_s == until("state", 5)[-1]["told_s"]


def test_the_time_to_put_the_scene_back_runs_until_another_state():
    account = account_of(until("reset"))
    assert account.reset_until_s == until("reset")[-1]["told_s"] + 10
    account.take_in({**state("ready"), "told_s": 0.0})
    assert account.reset_until_s is not None
    account.take_in({**state("recording"), "told_s": 0.0})
    assert account.reset_until_s is None


def test_what_waits_is_fewer_after_each_that_is_saved():
    account = account_of(until("sealing", 2))
    assert account.backlog == {"flights": 2, "pictures": 400, "limit": 8}
    account.take_in(saved(10))
    assert account.backlog == {"flights": 1, "pictures": 400, "limit": 8}
    account.take_in(saved(11))
    account.take_in(saved(12))
    assert account.backlog == {"flights": 0, "pictures": 0, "limit": 8}


@pytest.mark.parametrize("after", ["take", "take_back"])
def test_all_flights_are_flown_until_another_is_wanted(after):
    account = account_of(until("enough"))
    assert account.enough
    account.take_in(until(after)[-1])
    assert not account.enough


def test_of_two_errors_the_earlier_is_the_cause():
    errors = [
        {"kind": "error", "text": text, "exit_code": code, "at": at}
        for text, code, at in [("late", 1, 2.0), ("first", 4, 1.0)]
    ]
    error = account_of(errors).error()
    assert isinstance(error, DemodeckError)
    assert (str(error), error.exit_code) == ("first", 4)


def test_what_is_told_again_to_another_screen_makes_the_same_account():
    again = account_of(
        [{**message, "again": True} for message in SESSION if message["kind"] not in ("sealing", "motors")]
    )
    account = account_of(SESSION)
    assert (again.kept, again.state, again.ticks, again.verdicts.keys()) == (
        account.kept, account.state, account.ticks, account.verdicts.keys(),
    )  # fmt: skip


def test_another_screen_has_taken_the_place():
    assert account_of([{"kind": "replaced"}]).replaced
