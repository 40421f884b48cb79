"""Buttons as events: short, long, several together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.session.state import Event
from collector.teleoperators.pad.mapping import read_mapping
from collector.teleoperators.pad.names import BUTTONS
from collector.teleoperators.pad.presses import Presses


def played(*steps):
    """Return the events of (now [s], changes) steps on the shipped mapping."""
    mapping = read_mapping()
    presses = Presses(mapping.session, mapping.hold_s)
    return [presses.feed(changes, now_s) for now_s, changes in steps]


def down(*names):
    return [(name, True) for name in names]


def up(*names):
    return [(name, False) for name in names]


def test_a_button_with_one_meaning_acts_as_it_goes_down():
    assert played((0, down("start")), (1, up("start"))) == [[Event.END], []]
    assert played((0, down("start") + up("start") + down("start"))) == [[Event.END, Event.END]]


def test_a_button_with_two_meanings_tells_them_by_how_long_it_is_held():
    assert played((0, down("back")), (0.3, up("back")), (2, [])) == [[], [Event.PAUSE], []]
    assert played((0, down("back")), (0.79, []), (0.8, []), (5, []), (6, up("back"))) == [
        [], [], [Event.TAKE_BACK], [], [],
    ]  # fmt: skip


def test_a_long_press_only_is_nothing_when_short():
    assert played((0, down("b")), (0.5, up("b")), (9, [])) == [[], [], []]
    assert played((0, down("b")), (0.9, [])) == [[], [Event.DISCARD]]
    assert played((0, down("b")), (0.9, up("b"))) == [[], [Event.DISCARD]]  # nobody looked meanwhile


def test_both_sticks_halt_at_once_whichever_comes_first():
    assert played((0, down("leftstick")), (3, down("rightstick"))) == [[], [Event.HALT]]
    assert played((0, down("rightstick", "leftstick"))) == [[Event.HALT]]


def test_a_halt_comes_again_only_when_both_were_let_go():
    steps = [
        (0, down("leftstick", "rightstick")),
        (1, up("leftstick")),
        (2, down("leftstick")),
        (3, up("leftstick", "rightstick")),
        (4, down("leftstick", "rightstick")),
    ]
    assert played(*steps) == [[Event.HALT], [], [], [], [Event.HALT]]


@given(st.lists(st.tuples(st.floats(0, 2), st.lists(st.tuples(st.sampled_from(BUTTONS), st.booleans())))))
def test_every_press_has_one_event_at_most(steps):
    mapping = read_mapping()
    presses = Presses(mapping.session, mapping.hold_s)
    now_s, pressed, events = 0.0, 0, 0
    for wait_s, changes in steps:
        now_s += wait_s
        events += len(presses.feed(changes, now_s))
        pressed += sum(is_down for _, is_down in changes)
    assert events <= pressed


def test_mashing_every_button_never_discards_without_a_long_press():
    everything = down(*BUTTONS) + up(*BUTTONS)
    flat = [event for events in played(*[(n * 0.1, everything) for n in range(20)]) for event in events]
    assert Event.DISCARD not in flat and Event.TAKE_BACK not in flat
