"""The camera pane in a running app: what a terminal would get is what screenshots show, and both are the picture."""

import asyncio

import numpy as np
import pytest
from ansi_grid import decode, of_segments
from rich.console import Console
from textual.app import App
from textual.widgets import Static

from collector.tui.draw.camera import CameraPane
from collector.tui.draw.halfblocks import ColourMode, dots, fitting
from collector.tui.draw.strips import PictureStrip

PICTURE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
TERMINAL = Console(color_system="truecolor", force_terminal=True)


class Room(App):
    """A camera pane with a small notice that lies over its middle."""

    CSS = """
    Screen { layers: below above; }
    CameraPane { layer: below; }
    #notice { layer: above; width: 6; height: 2; offset: 3 2; background: #123456; }
    """
    colours = ColourMode.TRUE

    def compose(self):
        yield CameraPane("wrist", colours=self.colours)
        yield Static("notice", id="notice")


def lines_of(app):
    return app.screen._compositor.render_strips()


def seen(app):
    """Return the screen's cells twice: from segments and from what would go to a terminal."""
    strips = lines_of(app)
    cells = {at: cell for y, strip in enumerate(strips) for at, cell in of_segments(strip, y).items()}
    sent = app.screen._compositor.render_update(full=True).render_segments(TERMINAL)
    return cells, decode(sent)


def run(test, app=None, size=(24, 12)):
    async def main():
        chosen = app or Room()
        async with chosen.run_test(size=size) as pilot:
            await test(chosen, chosen.query_one(CameraPane), pilot)

    asyncio.run(main())


@pytest.mark.parametrize("size", [(24, 12), (80, 24), (9, 30), (5, 3), (3, 2), (1, 1), (200, 4)])
def test_the_picture_is_centred_under_its_title(size):
    async def test(app, pane, pilot):
        app.query_one("#notice").display = False
        pane.show(PICTURE, 0.034, 29.7)
        await pilot.pause()
        cells, sent = seen(app)
        assert cells == sent
        width, height = size[0], size[1] - 1
        columns, rows = fitting(30, 40, width, height)
        left, top = (width - columns) // 2, 1 + (height - rows) // 2
        grid = dots(PICTURE, columns, rows)
        for y in range(1, size[1]):
            for x in range(width):
                if left <= x < left + columns and top <= y < top + rows:
                    upper, lower = grid[2 * (y - top) : 2 * (y - top) + 2, x - left].tolist()
                    assert cells[x, y] == ("▀", tuple(upper), tuple(lower))
                else:
                    assert cells[x, y][0] == " "

    run(test, size=size)


def test_what_lies_over_it_hides_just_its_cells():
    async def test(app, pane, pilot):
        app.query_one("#notice").display = False
        pane.show(PICTURE)
        await pilot.pause()
        alone, _ = seen(app)
        app.query_one("#notice").display = True
        await pilot.pause()
        cells, sent = seen(app)
        assert cells == sent
        hidden = {(x, y) for x in range(3, 9) for y in (2, 3)}
        assert {at for at in cells if cells[at] != alone[at]} == hidden
        assert {cells[at][2] for at in hidden} == {(0x12, 0x34, 0x56)}

    run(test)


def test_a_frame_of_the_stylesheet_is_drawn_around_the_same_picture():
    async def test(app, pane, pilot):
        app.query_one("#notice").display = False
        pane.styles.border = ("heavy", "red")
        pane.show(PICTURE)
        await pilot.pause()
        cells, sent = seen(app)
        assert cells == sent
        assert cells[0, 0][0] == "┏"
        grid = dots(PICTURE, *fitting(30, 40, 22, 9))
        first = min(at for at in cells if cells[at][0] == "▀")
        assert cells[first][1] == tuple(grid[0, 0].tolist())

    run(test)


def test_a_screenshot_has_the_colours():
    async def test(app, pane, pilot):
        picture = np.zeros((20, 20, 3), np.uint8)
        picture[:10], picture[10:] = (250, 3, 77), (1, 201, 99)
        pane.show(picture)
        await pilot.pause()
        svg = app.export_screenshot()
        assert "#fa034d" in svg
        assert "#01c963" in svg

    run(test)


def test_the_terminal_gets_encoded_rows():
    async def test(app, pane, pilot):
        app.query_one("#notice").display = False
        pane.show(PICTURE)
        await pilot.pause()
        pictures = [line for line in pane.render_lines(pane.size.region) if isinstance(line, PictureStrip)]
        assert len(pictures) == fitting(30, 40, 24, 11)[1]
        assert all(line._made is None for line in pictures)

    run(test)


def test_the_newest_picture_is_shown_and_none_keeps_it():
    async def test(app, pane, pilot):
        pane.show(PICTURE)
        await pilot.pause()
        first, _ = seen(app)
        pane.show(255 - PICTURE, 0.1)
        await pilot.pause()
        second, _ = seen(app)
        pane.show(None, 0.9)
        await pilot.pause()
        third, _ = seen(app)
        assert first != second
        assert {at for at in second if second[at] != third[at]} <= {(x, 0) for x in range(24)}
        assert "0.90 s ago" in lines_of(app)[0].text

    run(test)


def test_resizing_down_to_nothing_and_back():
    async def test(app, pane, pilot):
        pane.show(PICTURE, 0.0, 30.0)
        for size in [(60, 20), (1, 1), (2, 9), (0, 0), (40, 12)]:
            pane.styles.width, pane.styles.height = size
            await pilot.pause()
            cells, sent = seen(app)
            assert cells == sent
            assert all(strip.cell_length == 24 for strip in lines_of(app))

    run(test)


def test_before_the_first_picture_it_says_so():
    async def test(app, pane, pilot):
        app.query_one("#notice").display = False
        await pilot.pause()
        text = "\n".join(strip.text for strip in lines_of(app))
        assert "wrist" in text
        assert "no picture yet" in text

    run(test)


@pytest.mark.parametrize("width", [60, 24, 15])
def test_a_warning_is_a_word_and_a_colour(width):
    async def test(app, pane, pilot):
        app.query_one("#notice").display = False
        pane.show(PICTURE, 0.8, 30.0)
        await pilot.pause()
        well, _ = seen(app)
        pane.warning = "frozen 0.8 s"
        await pilot.pause()
        cells, sent = seen(app)
        assert cells == sent
        assert lines_of(app)[0].text.startswith(" ! frozen 0.8 s")
        assert cells[0, 0][2] != well[0, 0][2]
        pane.warning = None
        await pilot.pause()
        assert seen(app)[0] == well

    run(test, size=(width, 12))


def test_without_colours_there_are_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    class Plain(Room):
        colours = None

    async def test(app, pane, pilot):
        app.query_one("#notice").display = False
        pane.show(PICTURE, 0.8, 30.0)
        pane.warning = "frozen 0.8 s"
        await pilot.pause()
        text = "".join(strip.render(TERMINAL) for strip in pane.render_lines(pane.size.region))
        assert "38;" not in text
        assert "48;" not in text
        assert "frozen 0.8 s" in text

    run(test, Plain())


def test_what_is_no_picture_is_refused_by_the_cameras_name():
    with pytest.raises(ValueError, match=r"camera 'wrist' gave uint8 \(4, 4\)"):
        CameraPane("wrist").show(np.zeros((4, 4), np.uint8))
