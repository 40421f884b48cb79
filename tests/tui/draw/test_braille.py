"""A known value lies in the known dot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.tui.draw.braille import GUIDE, NOBODY, plot

# The dots of a cell by (column, line from the top), as Unicode numbers them.
DOT = {(0, 0): 1, (0, 1): 2, (0, 2): 4, (1, 0): 8, (1, 1): 16, (1, 2): 32, (0, 3): 64, (1, 3): 128}


def dots_of(rows):
    """Return the dots that are set, as (column, line from the top)."""
    found = set()
    for y, row in enumerate(rows):
        text = "".join(run[0] for run in row)
        for x, sign in enumerate(text):
            bits = 0 if sign == " " else ord(sign) - 0x2800
            found |= {(2 * x + dx, 4 * y + dy) for (dx, dy), bit in DOT.items() if bits & bit}
    return found


@pytest.mark.parametrize(("value", "line"), [(0.0, 7), (7.0, 0), (3.0, 4), (3.4, 4), (3.6, 3)])
def test_a_level_is_one_line_of_dots(value, line):
    rows = plot(np.full((1, 6), value), columns=3, rows=2, low=0.0, high=7.0)
    assert dots_of(rows) == {(x, line) for x in range(6)}


def test_one_point_lies_where_it_should():
    series = np.full((1, 20), np.nan)
    series[0, 13] = 5.0
    assert dots_of(plot(series, 10, 3, 0.0, 11.0)) == {(13, 6)}


def test_a_step_is_an_upright():
    rows = plot(np.array([[0.0, 0.0, 7.0, 7.0]]), 2, 2, 0.0, 7.0)
    assert dots_of(rows) == {(0, 7), (1, 7), (3, 0)} | {(2, line) for line in range(7)}


def test_no_peak_is_lost_between_columns():
    series = np.zeros((1, 1000))
    series[0, 501] = 1.0
    assert min(line for _, line in dots_of(plot(series, 20, 2, 0.0, 1.0))) == 0


def test_points_lie_at_their_times_and_hold_until_the_next():
    rows = plot(np.array([[9.0, 1.0, 2.0]]), 5, 1, 0.0, 3.0, at=np.array([-5.0, 0.5, 1.0]))
    # What held before the window is above the plot; the line from there comes into view with the next point.
    assert dots_of(rows) == {(5, line) for line in (0, 1, 2)} | {(6, 2), (7, 2), (8, 2), (9, 1)}


def test_before_the_first_point_there_is_nothing():
    rows = plot(np.array([[1.0]]), 5, 1, 0.0, 3.0, at=np.array([0.5]))
    assert dots_of(rows) == {(x, 2) for x in range(5, 10)}


def test_the_last_series_owns_the_cell():
    rows = plot(np.array([[0.0, 0.0, 0.0, 0.0], [np.nan, np.nan, np.nan, 3.0]]), 2, 1, 0.0, 3.0)
    assert rows == [[("⣀", 0), ("⣈", 1)]]
    assert plot(np.array([[0.0, np.nan]]), 1, 2, 0.0, 7.0) == [[(" ", NOBODY)], [("⡀", 0)]]


def test_guides_are_dotted_and_lie_under():
    rows = plot(np.array([[np.nan, np.nan, 3.0, 3.0]]), 2, 1, 0.0, 3.0, guides=(3.0, 90.0))
    assert rows == [[("⠁", GUIDE), ("⠉", 0)]]


def test_what_lies_outside_is_left_out():
    assert dots_of(plot(np.array([[-5.0, 50.0, np.inf, -np.inf]]), 1, 1, 100.0, 200.0)) == set()


@given(
    st.integers(0, 4),
    st.integers(0, 50),
    st.integers(0, 20),
    st.integers(0, 6),
    st.floats(-1e6, 1e6),
    st.randoms(use_true_random=False),
)
def test_every_row_is_full(n_series, n_points, columns, rows, low, random):
    choices = [np.nan, np.inf, -np.inf, low, low + 0.5, low + 1.0, 0.0]
    series = np.array(random.choices(choices, k=n_series * n_points)).reshape(n_series, n_points)
    drawn = plot(series, columns, rows, low, low + 1.0)
    assert [sum(len(text) for text, _ in row) for row in drawn] == [columns] * rows
    assert all(NOBODY <= owner < n_series for row in drawn for _, owner in row)
    assert all(set(text) == {" "} for row in drawn for text, owner in row if owner == NOBODY)


def test_a_range_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"from 1\.0 to 1\.0"):
        plot(np.zeros((1, 3)), 2, 2, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"not \(3,\)"):
        plot(np.zeros(3), 2, 2, 0.0, 1.0)
