"""One list of what a person can ask for; other keys may be given to it, the emergency stop always has one."""

import pytest

from collector.errors import UsageError
from collector.keymap import shown_key
from collector.session.actions import ACTIONS, help_lines, possible, with_keys
from collector.session.state import Event, State

NOT_ASKED_FOR = {
    Event.BEGIN, Event.GONE, Event.BACK, Event.UNSEEN, Event.LOST, Event.FAIL, Event.FINISHED,
}  # fmt: skip


def keys_of(actions):
    return {action.event: action.keys for action in actions}


def test_everything_that_a_person_may_ask_for_has_one_action():
    assert sorted(action.name for action in ACTIONS) == sorted(e.value for e in set(Event) - NOT_ASKED_FOR)


def test_no_key_means_two_things_and_none_is_a_digit():
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(set(keys)) == len(keys)
    assert not any(key.isdigit() for key in keys)
    assert all(action.keys and action.title and action.help for action in ACTIONS)


def test_a_key_that_is_given_away_leaves_its_action():
    actions = keys_of(with_keys({"end": "g", "pause": ["n", "p"]}))
    assert actions[Event.END] == ("g",)
    assert actions[Event.PAUSE] == ("n", "p")
    actions = keys_of(with_keys({"pause": "r"}))
    assert actions[Event.DISCARD] == ("left",)
    assert keys_of(with_keys({})) == keys_of(ACTIONS)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"fly": "x"}, "--keys names 'fly': there are end, succeed, miss"),
        ({"end": "x", "pause": "x"}, "'x' is given to more than one action"),
        ({"end": ["x", "x"]}, "'x' is given to more than one action"),
        ({"end": "5"}, "'5' cannot be a key: digits name an episode"),
        ({"halt": []}, "leaves no key for 'halt', the emergency stop"),
        ({"end": ["space", "f13"]}, "leaves no key for 'halt', the emergency stop"),
    ],
)
def test_keys_that_cannot_be_are_refused(keys, said):
    with pytest.raises(UsageError) as refused:
        with_keys(keys)
    assert said in str(refused.value)


def test_help_has_a_line_for_each_action_that_is_of_use():
    lines = help_lines(ACTIONS, recording=True).splitlines()
    assert len(lines) == len(ACTIONS)
    assert lines[0] == "keys: right or n or enter: End and save the flight; between flights: go on"
    assert any("f13: EMERGENCY STOP" in line for line in lines)
    flying = help_lines(ACTIONS, recording=False)
    assert "take back" not in flying.lower()
    assert "EMERGENCY STOP" in flying
    assert "right" not in help_lines(with_keys({"end": []}), recording=False)


def test_keys_are_shown_as_they_are_printed_on_the_keyboard():
    assert [shown_key(key) for key in ("right", "left", "space", "f13", "f", "n")] == [
        "→",
        "←",
        "Space",
        "F13",
        "f",
        "n",
    ]


def test_what_is_possible_is_what_the_table_takes():
    halt = next(action for action in ACTIONS if action.event is Event.HALT)
    discard = next(action for action in ACTIONS if action.event is Event.DISCARD)
    assert possible(discard, State.RECORDING)
    assert not possible(discard, State.PAUSED)
    flown = [State.READY, State.RECORDING, State.PRACTISING, State.PAUSED, State.HALTED]
    assert [state for state in State if possible(halt, state)] == flown
