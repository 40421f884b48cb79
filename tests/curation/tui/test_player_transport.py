"""Which frame is due, told the time: speeds, loops, ends, and a screen that stood still."""

import pytest

from curation.tui.player.spans import Span, at, following, within
from curation.tui.player.tally import Tally
from curation.tui.player.transport import SPEEDS, Transport, share


def test_at_real_time_each_frame_is_due_once():
    transport = Transport(100, 30)
    transport.play(5.0)
    assert [transport.look(5.0 + k / 30) for k in range(100)] == list(range(100))
    assert not transport.playing and transport.look(100.0) == 99


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_speed_is_that_many_frames_a_second(speed):
    transport = Transport(10_000, 30, speed)
    transport.play(0.0)
    for k in range(1, 41):
        transport.look(k / 4)
    assert transport.frame == round(10 * 30 * speed)


def test_another_speed_goes_on_from_where_it_is():
    transport = Transport(1000, 10)
    transport.play(0.0)
    assert transport.look(1.0) == 10
    transport.faster(1, 1.0)
    assert (transport.speed, transport.look(2.0)) == (2.0, 30)
    transport.faster(99, 2.0)
    assert transport.speed == SPEEDS[-1]
    transport.faster(-99, 2.0)
    assert (transport.speed, transport.look(2.9)) == (SPEEDS[0], 30)


def test_a_loop_goes_round_and_a_jump_out_of_it_ends_it():
    transport = Transport(100, 10)
    transport.round(20, 25, 0.0)
    transport.play(0.0)
    assert [transport.look(k / 10) for k in range(12)] == [20, 21, 22, 23, 24] * 2 + [20, 21]
    transport.go(22, 1.1)
    assert transport.loop == (20, 25) and transport.look(1.5) == 21
    transport.go(60, 1.5)
    assert transport.loop is None and transport.look(1.6) == 61


def test_after_a_standstill_it_goes_on_where_it_stood():
    transport = Transport(1000, 10)
    transport.play(0.0)
    transport.look(0.5)
    assert transport.look(60.0) == 5  # nobody saw what was due in between
    assert transport.look(60.3) == 8


def test_it_stays_within_the_episode_and_begins_again_from_its_end():
    transport = Transport(10, 10)
    transport.go(99, 0.0)
    assert transport.frame == 9
    transport.go(-5, 0.0)
    assert transport.frame == 0
    transport.go(9, 0.0)
    transport.play(0.0)
    assert transport.look(0.2) == 2
    one = Transport(1, 10)
    one.play(0.0)
    assert one.look(0.5) == 0 and not one.playing


def test_the_same_share_of_time():
    assert [share(f, 101, 11) for f in (0, 4, 6, 50, 100)] == [0, 0, 1, 5, 10]
    assert share(0, 1, 50) == 0 and share(7, 20, 1) == 0


SPANS = within(
    [
        Span(50, 60, "warn", "b"),
        Span(5, 9, "fault", "a"),
        Span(52, 999, "segment", "c"),
        Span(-3, 0, "", "d"),
    ],
    70,
)


def test_spans_are_cut_to_the_episode_and_in_order():
    assert [(s.first, s.last) for s in SPANS] == [(0, 1), (5, 9), (50, 60), (52, 70)]
    assert within([Span(80, 90, "warn", "")], 70)[0] == Span(69, 70, "warn", "")


def test_where_the_cursor_is_and_where_it_goes():
    assert at(SPANS, 8).words == "a" and at(SPANS, 9) is None
    assert at(SPANS, 51).words == "b" and at(SPANS, 55).words == "c"
    assert following(SPANS, 5, 1).words == "b" and following(SPANS, 5, -1).words == "d"
    assert following(SPANS, 52, 1) is None and following(SPANS, 0, -1) is None


def test_all_shown_is_no_word_and_what_is_left_out_is_counted():
    tally = Tally()
    for k in range(60):
        tally.look(k / 60, k % 2, k % 2 == 1, True)  # each frame is looked at twice
    assert (tally.due, tally.shown, tally.words()) == (30, 30, "")
    for k in range(60, 180):
        tally.look(k / 60, k % 2, k % 2 == 1, k % 8 == 0)
    assert (tally.due, tally.shown) == (90, 45)
    assert tally.words() == "8 of 31 frames"
    tally.clear()
    assert tally.words() == ""


def test_a_picture_that_comes_while_it_is_due_counts_once():
    tally = Tally()
    tally.look(0.0, 1, True, False)
    tally.look(0.01, 0, False, True)
    tally.look(0.02, 0, False, True)
    assert (tally.due, tally.shown) == (1, 1)


def test_at_a_speed_that_leaves_frames_out_each_picture_counts_once():
    tally = Tally()
    for k in range(1, 40):  # 4 frames a look, 8 a picture
        tally.look(k / 60, 4, k % 2 == 0, True)
    assert tally.due == 156 and tally.shown == 20
