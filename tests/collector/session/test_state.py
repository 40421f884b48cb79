"""The state table is total, and a refused event never acts later."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.session.state import Event, State, step


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_has_an_answer(state, event):
    answer = step(state, event)
    assert isinstance(answer.state, State)
    if answer.refused is not None:
        assert answer.state is state
        assert answer.refused


@given(st.lists(st.sampled_from(list(Event))))
def test_a_session_that_is_over_stays_over(events):
    state = State.DONE
    for event in events:
        state = step(state, event).state
    assert state is State.DONE


@given(st.lists(st.sampled_from([Event.END, Event.DISCARD])))
def test_keys_pressed_between_flights_do_not_touch_the_next_one(events):
    state = State.READY
    for event in events:
        state = step(state, event).state
        assert state is State.READY
    assert step(state, Event.BEGIN).state is State.RECORDING


@given(st.lists(st.sampled_from(list(Event))))
def test_a_failed_or_stopping_session_never_flies_again(events):
    for start in (State.FAULT, State.STOPPING):
        state = start
        for event in events:
            state = step(state, event).state
            assert state not in (State.READY, State.RECORDING, State.PAUSED)


@given(st.lists(st.sampled_from([event for event in Event if event is not Event.END])))
def test_after_an_emergency_stop_only_the_person_frees_the_robot(events):
    state = step(State.RECORDING, Event.HALT).state
    for event in events:
        state = step(state, event).state
        assert state not in (State.READY, State.RECORDING)
        if state is State.PAUSED:
            assert Event.BACK in events, "a device that came back leaves it to the person, too"
            return
