"""Every screen of the review room, in every size, looks as it did when somebody last read it through.

Where the player stands there are blanks: it has tests of its own.
"""

import difflib
import os
from pathlib import Path

import pytest
from room_rig import SIZES, review, run, settled, text_of, until

from curation.tui.screens import TextScreen

GOLDEN = Path(__file__).parents[2] / "golden" / "review"
WRITE = "write"  # DEMODECK_GOLDEN=write

# Of each screen the keys that lead to it, and those that lead back.
SCREENS = {
    "queue": ([], []),
    "filter": (["/", *"faults > 0 and ver"], ["escape"]),
    "help": (["?"], ["escape"]),
    "note": (["n", *"slips"], ["escape"]),
    "tags": (["t"], ["escape"]),
    "words": (["W"], ["escape"]),
    "disputes": (["A"], ["A"]),
    "list": (["z"], []),
    "player": (["z"], ["z"]),
    "decided": (["d", "k", "s", "5", "x", "x"], ["escape"]),
}


def compare(name, size, text):
    """Compare a screen with the one that somebody has read through."""
    file = GOLDEN / f"{name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("DEMODECK_GOLDEN") == WRITE:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return
    known = file.read_text() if file.exists() else ""
    changes = "\n".join(
        difflib.unified_diff(known.splitlines(), text.splitlines(), str(file), "the screen now", lineterm="")
    )
    assert text == known, (
        f"{changes}\nif it shall look so: DEMODECK_GOLDEN={WRITE} .venv/bin/python -m pytest {__file__}"
    )


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_screens(size, judged):
    app = review(judged)

    async def test(pilot):
        for name, (keys, back) in SCREENS.items():
            await pilot.press(*keys)
            await settled(pilot)
            compare(name, size, text_of(app, without_player=True))
            await pilot.press(*back)
        app.listing.narrow("length > 9999")
        await until(pilot, lambda: not len(app.room.rows))
        await settled(pilot)
        compare("empty", size, text_of(app, without_player=True))

    run(test, app, size)


def test_the_blind_screen(judged):
    app = review(judged, "dan", blind=[6, 7])

    async def test(pilot):
        await settled(pilot)
        compare("blind", (80, 24), text_of(app, without_player=True))

    run(test, app, (80, 24))


@pytest.mark.parametrize("size", [(300, 80), (20, 5), (1, 1)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_no_size_breaks_it(size, judged):
    app = review(judged)

    async def test(pilot):
        for key in [
            "z",
            "z",
            "z",
            "?",
            "escape",
            "/",
            "escape",
            "W",
            "escape",
            "t",
            "escape",
            "A",
            "A",
            "d",
            "u",
        ]:
            await pilot.press(key)
        app.push_screen(TextScreen("What would change", ["a line"] * 50, "Publish this? (y / n)"))
        await pilot.press("escape")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "unseen" in text_of(app))

    run(test, app, size)


def test_what_a_stranger_wrote_is_text_and_nothing_else(judged):
    from collector.dataset.labels import Labels

    Labels(judged).set([11], "note", "[red]x[/] $y \x1b[2Jz", "eve")
    Labels(judged).set([11], "tags", ["[b]t", "\u4f60\u597d"], "eve")
    app = review(judged)

    async def test(pilot):
        await settled(pilot)
        shown = text_of(app)
        assert "[red]x[/] $y" in shown and "\x1b" not in shown and "[b]t" in shown
        widths = {len(strip.text) for strip in app.screen._compositor.render_strips()}
        assert max(widths) <= 160
        await pilot.press("t")
        await settled(pilot)
        assert "[b]t" in text_of(app)

    run(test, app, (160, 48))
