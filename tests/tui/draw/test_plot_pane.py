"""The joints' pane: plots where there is room, a line a joint where there is little, and nothing breaks it."""

import asyncio

import numpy as np
import pytest
from ansi_grid import of_segments
from textual.app import App

from collector.tui.draw.joints import PlotPane

NAMES = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
N = 300
TIMES_S = np.arange(N) / 30
MEASURED = 20 * np.sin(TIMES_S[:, None] + np.arange(6))
ASKED = MEASURED + 5
CLIPPED = np.zeros((N, 6), bool)


def draw(size, clipped=CLIPPED, asked=ASKED, limits=None, names=NAMES):
    """Return the screen's strips with these shown."""

    class Room(App):
        def compose(self):
            yield PlotPane(names)

    async def main():
        app = Room()
        async with app.run_test(size=size) as pilot:
            j = len(names)
            app.query_one(PlotPane).show(
                TIMES_S[: len(asked)],
                asked[:, :j],
                asked[:, :j],
                MEASURED[: len(asked), :j],
                clipped[: len(asked), :j],
                limits or {},
            )
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            assert all(strip.cell_length == size[0] for strip in strips)
            app.export_screenshot()
            return strips

    return asyncio.run(main())


def text_of(strips):
    return "\n".join(strip.text for strip in strips)


def braille_of(strips, colour):
    cells = (cell for strip in strips for cell in of_segments(strip).values())
    return {sign for sign, fore, _ in cells if fore == colour and 0x2800 < ord(sign) < 0x2900}


def test_every_joint_has_its_plot_and_numbers():
    strips = draw((120, 40))
    text = text_of(strips)
    for joint, name in enumerate(NAMES):
        assert name in text
        assert f"asked   {ASKED[-1, joint]:6.1f}" in text
        assert f"measured{MEASURED[-1, joint]:6.1f}" in text
    assert braille_of(strips, (0xE6, 0x9F, 0x00))  # executed, which lies over asked
    assert braille_of(strips, (0xF0, 0xF0, 0xF0))  # measured
    assert "!" not in text


def test_as_many_columns_as_fit():
    rows_with_names = [line for line in text_of(draw((120, 40))).splitlines() if "_" in line]
    assert [sum(name in line for name in NAMES) for line in rows_with_names] == [4, 2]
    assert sum(name in text_of(draw((60, 40))).splitlines()[0] for name in NAMES) == 2


def test_in_little_room_a_line_a_joint():
    lines = text_of(draw((36, 6))).splitlines()
    for line, name, asked, measured in zip(lines, NAMES, ASKED[-1], MEASURED[-1]):
        assert line.split() == [name, f"{asked:.1f}", "→", f"{measured:.1f}"]


def test_a_clipped_stretch_is_marked_where_it_was():
    clipped = CLIPPED.copy()
    clipped[100:131, 0] = True
    lines = text_of(draw((75, 10), clipped, names=NAMES[:1])).splitlines()
    marks = lines[-1]
    assert set(marks[:60]) == {" ", "!"}
    # The window is the ten seconds before the newest of 300 moments, drawn 60 cells wide.
    newest_s = TIMES_S[-1]
    first, last = ((1 - (newest_s - TIMES_S[k]) / 10) * 60 for k in (100, 130))
    assert [x for x, sign in enumerate(marks) if sign == "!"] == list(range(int(first), int(last) + 1))
    assert "clipped" not in lines[0]


@pytest.mark.parametrize(("size", "mark"), [((75, 30), "shoulder_pan ! clipped"), ((36, 6), "!")])
def test_a_joint_that_is_clipped_now_says_so(size, mark):
    clipped = CLIPPED.copy()
    clipped[-1, 0] = True
    strips = draw(size, clipped)
    assert mark in strips[0].text
    fore = of_segments(strips[0])[0, 0][1]
    assert fore != of_segments(draw(size)[0])[0, 0][1]


def test_a_limit_within_range_is_dotted():
    limit = (0xCC, 0x79, 0xA7)
    near = draw((75, 12), limits={"shoulder_pan": (-500.0, 0.0)}, names=NAMES[:1])
    assert len(braille_of(near, limit)) == 1
    far = draw((75, 12), limits={"shoulder_pan": (-500.0, 500.0)}, names=NAMES[:1])
    assert not braille_of(far, limit)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (27, 4), (28, 24), (300, 80), (36, 2), (200, 3)])
@pytest.mark.parametrize("points", [0, 1, 300])
def test_any_size_and_any_number_of_moments(size, points):
    draw(size, asked=ASKED[:points])


def test_unknown_numbers_leave_holes():
    asked = ASKED.copy()
    asked[-50:] = np.nan
    assert "asked        -" in text_of(draw((75, 30), asked=asked))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"measured is \(300, 5\), for 300 times and 6 joints"):
        PlotPane(NAMES).show(TIMES_S, ASKED, ASKED, MEASURED[:, :5], CLIPPED, {})
