"""Time from left to right: grounds, marks, plots and the words beside them."""

import numpy as np
import pytest

from curation.tui.player.lines import (
    AWAY,
    FAULT,
    PLAIN,
    SEGMENT,
    WARN,
    column_of,
    frame_of,
    grounds,
    heights,
    number,
    plot_lines,
    timeline,
)
from curation.tui.player.spans import Span
from curation.tui.player.vectors import Row, lateness_ms, vectors
from curation.tui.player.wall import columns_for


@pytest.mark.parametrize("length, width", [(7, 40), (40, 7), (300, 90), (1, 5), (90, 90)])
def test_a_cell_begins_with_the_frame_that_it_says(length, width):
    for column in {column_of(frame, length, width) for frame in range(length)}:
        first = frame_of(column, length, width)
        assert column_of(first, length, width) == column
        assert first == 0 or column_of(first - 1, length, width) < column


def test_the_more_severe_lies_above_and_what_is_trimmed_away_below():
    spans = [Span(20, 50, "segment", ""), Span(30, 40, "fault", ""), Span(35, 60, "warn", "")]
    ground = grounds(spans, 100, 100, 10, 90)
    assert (ground[:10] == AWAY).all() and (ground[90:] == AWAY).all()
    assert (ground[10:20] == PLAIN).all() and (ground[20:30] == SEGMENT).all()
    assert (ground[30:40] == FAULT).all() and (ground[40:60] == WARN).all()


def test_a_span_of_one_frame_is_seen_in_however_few_cells():
    assert (grounds([Span(999, 1000, "warn", "")], 1000, 30, None, None) == WARN).sum() == 1


def test_the_timeline_has_a_sign_for_each_ground():
    ground = grounds([Span(3, 5, "fault", ""), Span(6, 7, "segment", "")], 10, 10, 1, 9)
    assert "".join(text for text, _, _ in timeline(ground, 10, 1, 9)) == "·[─!!─═─]·"


def test_a_plot_is_split_where_its_ground_changes_and_nowhere_else():
    row = Row("pan", np.stack([np.linspace(0, 1, 60), np.linspace(1, 0, 60)]), ("asked", "measured"))
    ground = grounds([Span(20, 40, "warn", "")], 60, 30, None, None)
    for runs in plot_lines(row, 3, ground):
        assert sum(len(text) for text, _, _ in runs) == 30
        assert [kind for text, _, kind in runs for _ in text] == ground.tolist()


@pytest.mark.parametrize("values", [np.full(20, 5.0), np.full(20, np.nan), np.full(20, 1e30), np.zeros(20)])
def test_what_never_changes_or_is_not_known_is_plotted_too(values):
    plot_lines(Row("x", values[None], ("",)), 2, np.zeros(10, np.uint8))


def test_numbers_are_short():
    values = (0, 1.23456, -45.678, 123456789.0, 4567.8, 0.00001, np.nan, -np.inf)
    assert [number(v) for v in values] == ["0", "1.23", "-45.7", "1.2e+08", "4568", "1.0e-05", "-", "-"]


def columns(**kwargs):
    return {name.replace("__", "."): np.asarray(values, float) for name, values in kwargs.items()}


def test_asked_and_measured_share_a_plot_where_they_are_of_the_same_joints():
    found = vectors(
        columns(
            observation__state=np.ones((4, 2)), action=np.zeros((4, 2)), executed_action=np.full((4, 2), 0.5)
        ),
        {"observation.state": ["x", "y"], "action": ["x", "target_y"], "executed_action": ["x", "y"]},
        10,
    )
    assert [v.title for v in found] == ["action, state, executed_action"]
    assert [row.name for row in found[0].rows] == ["x", "target_y · y"]
    assert found[0].rows[0].words == ("asked", "measured", "sent")
    assert found[0].rows[0].series[:, 0].tolist() == [0, 1, 0.5]


def test_what_was_sent_is_left_out_where_it_is_what_was_asked():
    same = np.array([[1.0, np.nan]])
    found = vectors(
        columns(action=same, executed_action=same),
        {"action": list("xy")} | {"executed_action": list("xy")},
        10,
    )
    assert [v.title for v in found] == ["action"] and found[0].rows[0].words == ("asked",)


def test_all_lines_are_used_and_every_plot_has_one():
    assert heights(6, 17, 8) == [3, 3, 3, 3, 3, 2]
    assert heights(2, 30, 8) == [8, 8] and heights(3, 2, 8) == [1, 1, 1] and heights(0, 5, 8) == []


def test_what_was_measured_lies_above_what_was_asked_and_sent():
    row = Row(
        "x",
        np.array(
            [
                [5.0] * 8,
                [5.0] * 8,
                [5.0] * 8,
            ]
        ),
        ("asked", "measured", "sent"),
    )
    whose = {who for runs in plot_lines(row, 2, np.zeros(4, np.uint8)) for _, who, _ in runs if who >= 0}
    assert whose == {1}


def test_vectors_of_other_sizes_have_plots_of_their_own():
    found = vectors(
        columns(observation__state=np.ones((4, 3)), action=np.zeros((4, 2)), next__reward=np.zeros((4, 1))),
        {"observation.state": list("abc"), "action": list("xy"), "next.reward": ["reward"]},
        10,
    )
    assert [(v.title, len(v.rows)) for v in found] == [("action", 2), ("state", 3), ("next.reward", 1)]
    assert found[2].rows[0].name == "next.reward"


def test_clocks_are_late_against_their_nominal_times():
    np.testing.assert_allclose(lateness_ms(np.array([0.0, 0.1, 0.25]), 10), [0, 0, 50], atol=1e-9)
    found = vectors(columns(clock__tick=np.array([[0.0], [0.101]])), {"clock.tick": ["tick"]}, 10)
    assert found[0].rows[0].name == "tick" and found[0].rows[0].words == ("ms",)
    np.testing.assert_allclose(found[0].rows[0].series, [[0, 1]])


def test_panes_stand_where_pictures_are_largest():
    assert columns_for(2, (480, 640), 160, 30) == 2
    assert columns_for(2, (480, 640), 40, 60) == 1
    assert columns_for(6, (480, 640), 160, 40) == 3
    assert columns_for(1, (96, 96), 80, 24) == 1
    assert columns_for(4, (480, 640), 160, 40, wanted=(4,)) == 4
