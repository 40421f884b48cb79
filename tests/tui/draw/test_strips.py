"""An encoded row does all that a row of segments does."""

import numpy as np
import pytest
from ansi_grid import decode, of_segments
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from collector.tui.draw.halfblocks import ColourMode
from collector.tui.draw.strips import PictureStrip, picture_strips

CONSOLE = Console(color_system="truecolor", force_terminal=True)
MARGIN = Style.parse("on #102030")
PAIRS = st.integers(0, 8).flatmap(
    lambda columns: arrays(np.uint8, (2, columns, 3), elements=st.sampled_from([0, 9, 95, 255]))
)
STRIPS = st.builds(
    PictureStrip,
    PAIRS,
    st.sampled_from(ColourMode),
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    margin=st.just(MARGIN),
)


def plain(strip):
    return Strip(list(strip), strip.cell_length)


@given(STRIPS)
def test_what_is_rendered_is_what_the_segments_say(strip):
    assert decode(strip.render(CONSOLE)) == of_segments(strip)
    assert strip.cell_length == sum(len(segment.text) for segment in strip) == strip.cell_count
    assert bool(strip) == (strip.cell_length > 0)


@given(STRIPS, st.integers(-2, 16), st.one_of(st.none(), st.integers(-2, 16)))
def test_crop_is_that_of_the_segments(strip, start, end):
    part, wanted = strip.crop(start, end), plain(strip).crop(start, end)
    assert list(part) == list(wanted)
    assert part.cell_length == wanted.cell_length
    assert decode(part.render(CONSOLE)) == of_segments(wanted)


@given(STRIPS, st.lists(st.integers(1, 16), unique=True).map(sorted))
def test_divide_is_that_of_the_segments(strip, cuts):
    parts, wanted = strip.divide(cuts), plain(strip).divide(cuts)
    assert [of_segments(part) for part in parts] == [of_segments(part) for part in wanted]
    assert [part.cell_length for part in parts] == [part.cell_length for part in wanted]


@given(STRIPS, STRIPS)
def test_equal_is_what_looks_equal(one, other):
    assert one == PictureStrip(
        one._pair.copy(), one._colours, before=one._before, after=one._after, margin=MARGIN
    )
    assert one == plain(one)
    assert plain(one) == one
    if one == other:
        assert list(one) == list(other)


def test_a_whole_row_goes_to_the_terminal_without_segments(monkeypatch):
    strip = picture_strips(np.zeros((2, 4, 3), np.uint8), 4, 1, ColourMode.TRUE)[0]
    monkeypatch.setattr(Segment, "__new__", lambda *_: pytest.fail("a segment was made"))
    assert strip.divide([4])[0] is strip
    assert strip.crop(0, 4) is strip
    assert "▀▀▀▀" in strip.crop(0, 9).render(CONSOLE)


def test_parts_are_cached_and_cannot_spoil_the_whole():
    strip = picture_strips(np.arange(24, dtype=np.uint8).reshape(2, 4, 3), 4, 1, ColourMode.TRUE)[0]
    before = list(strip)
    assert strip.crop(1, 3) is strip.crop(1, 3)
    strip.apply_style(Style.parse("bold"))
    assert list(strip) == before


def test_joined_with_text_it_renders_both():
    strip = PictureStrip(np.full((2, 2, 3), 9, np.uint8), ColourMode.TRUE)
    joined = Strip.join([Strip([Segment("ab")]), strip])
    assert decode(joined.render(CONSOLE)) == of_segments([Segment("ab"), *strip])
    assert joined.cell_length == 4


def test_extended_cells_follow_the_picture():
    strip = PictureStrip(np.full((2, 2, 3), 9, np.uint8), ColourMode.TRUE)
    assert strip.adjust_cell_length(4, MARGIN).text == "▀▀  "
    assert strip.crop_extend(1, 3, MARGIN).text == "▀ "
