"""Encoded rows, read back as a terminal would, are the picture."""

import numpy as np
import pytest
from ansi_grid import of_rows, palette_rgb
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from collector.tui.draw.halfblocks import ColourMode, colours_of, dots, encode_rows, fitting

SIDES = st.integers(1, 9)
# Few values often, so that like neighbours come up, and all of them.
VALUES = st.one_of(st.sampled_from([0, 7, 95, 100, 255]), st.integers(0, 255))
GRIDS = st.tuples(SIDES, SIDES).flatmap(
    lambda side: arrays(np.uint8, (2 * side[0], side[1], 3), elements=VALUES)
)
PALETTE = np.array([palette_rgb(number) for number in range(16, 256)])


def shown(grid, colours):
    """Return the dots that a terminal would show of a grid that needs no scaling."""
    rows, columns = len(grid) // 2, grid.shape[1]
    cells = of_rows(encode_rows(grid, columns, rows, colours))
    assert set(cells) == {(x, y) for x in range(columns) for y in range(rows)}
    assert {cell[0] for cell in cells.values()} == {"▀"}
    return np.array([[cells[x, y // 2][1 + y % 2] for x in range(columns)] for y in range(2 * rows)])


@given(GRIDS)
def test_true_colours_come_back_exactly(grid):
    assert np.array_equal(shown(grid, ColourMode.TRUE), grid)


@given(GRIDS)
def test_of_256_colours_each_dot_has_the_nearest(grid):
    error = ((shown(grid, ColourMode.PALETTE) - grid.astype(int)) ** 2).sum(axis=2)
    nearest = ((PALETTE - grid[:, :, None].astype(int)) ** 2).sum(axis=3).min(axis=2)
    assert np.array_equal(error, nearest)


@given(GRIDS)
def test_without_colours_there_is_no_escape_and_brighter_is_denser(grid):
    rows = encode_rows(grid, grid.shape[1], len(grid) // 2, ColourMode.NONE)
    assert all(len(row) == grid.shape[1] and set(row) <= set(" .:-=+*#%@") for row in rows)
    light = grid.astype(int) @ [77, 150, 29]
    light = light[0::2] + light[1::2]
    place = np.array([[" .:-=+*#%@".index(sign) for sign in row] for row in rows])
    order = np.argsort(light, axis=None)
    assert (np.diff(place.ravel()[order]) >= 0).all()


def test_the_ramp_has_both_ends():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[:, 1] = 255
    assert encode_rows(picture, 2, 1, ColourMode.NONE) == [" @"]


def test_like_cells_set_their_colours_once_and_every_row_ends_plain():
    rows = encode_rows(np.full((4, 50, 3), 5, np.uint8), 50, 2, ColourMode.TRUE)
    assert rows == ["\x1b[38;2;5;5;5;48;2;5;5;5m" + "▀" * 50 + "\x1b[0m"] * 2


def test_shrunk_dots_are_means():
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    means = picture.reshape(12, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(dots(picture, 16, 6) - means).max() <= 1


def test_a_huge_picture_keeps_its_places():
    picture = np.zeros((1200, 2000, 3), np.uint8)
    picture[:600, 1000:, 0] = 200
    small = dots(picture, 40, 12)
    # The dots at the edges may be of both sides.
    assert (small[:11, 21:] == (200, 0, 0)).all()
    assert not small[13:].any()
    assert not small[:, :19].any()


def test_enlarged_dots_are_pixels():
    picture = np.random.default_rng(2).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    assert np.array_equal(dots(picture, 10, 3), picture.repeat(2, axis=0).repeat(2, axis=1))


@given(*[st.integers(1, 2000)] * 2, *[st.integers(1, 300)] * 2)
def test_fitting_fills_one_side_and_keeps_the_aspect_ratio(height, width, columns, rows):
    across, down = fitting(height, width, columns, rows)
    assert 1 <= across <= columns
    assert 1 <= down <= rows
    assert across == columns or down == rows
    scale = min(columns / width, 2 * rows / height)
    assert across == pytest.approx(width * scale, abs=1)
    assert down == pytest.approx(height * scale / 2, abs=1)


@pytest.mark.parametrize("sides", [(0, 4, 8, 8), (4, 0, 8, 8), (4, 4, 0, 8), (4, 4, 8, 0), (4, 4, -1, 8)])
def test_nothing_fits_nowhere(sides):
    assert fitting(*sides) == (0, 0)


@pytest.mark.parametrize("colours", ColourMode)
@pytest.mark.parametrize(("columns", "rows"), [(0, 0), (0, 3), (4, 0)])
def test_no_cells(columns, rows, colours):
    assert encode_rows(np.zeros((4, 4, 3), np.uint8), columns, rows, colours) == [""] * rows


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1), (4, 4, 4)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match=r"uint8 \(height, width, 3\), not uint8 \(4, 4"):
        dots(np.zeros(shape, np.uint8), 2, 2)
    with pytest.raises(ValueError, match="not float64"):
        dots(np.zeros((4, 4, 3)), 2, 2)


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, ColourMode.TRUE),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, ColourMode.TRUE),
        ({"TERM": "xterm-kitty"}, ColourMode.TRUE),
        ({"TERM": "xterm-direct"}, ColourMode.TRUE),
        ({"TERM": "xterm-256color"}, ColourMode.PALETTE),
        ({"TERM": "screen-256color", "COLORTERM": ""}, ColourMode.PALETTE),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, ColourMode.NONE),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, ColourMode.PALETTE),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, ColourMode.NONE),
        ({"TERM": "vt100"}, ColourMode.NONE),
        ({}, ColourMode.NONE),
    ],
)
def test_colours_of_the_environment(environ, colours):
    assert colours_of(environ) is colours
