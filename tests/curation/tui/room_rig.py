"""A review room without a terminal: keys are pressed, and what is on the screen is read."""

import asyncio
import json

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from curation.room import Room
from curation.tui.app import ReviewApp
from curation.tui.player import Player

SIZES = [(40, 10), (80, 24), (160, 48)]


def room_of(root, author="ann", **options):
    """Return the room of a dataset."""
    return Room(Dataset.open(root), author, **options)


def review(root, author="ann", keys=None, advance="verdict", why_not="", notice="", **options):
    """Return the app over the room of a dataset."""
    return ReviewApp(room_of(root, author, **options), keys, advance, why_not, notice)


def run(test, app, size=(120, 36)):
    """Run `test(pilot)`, a coroutine, in the app; what it decided is on the disk afterwards."""

    async def main():
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await test(pilot)
        assert app.ledger is None or app.ledger.close() == []

    asyncio.run(main())


async def until(pilot, holds, looks=1500):
    """Wait until `holds()`."""
    for _ in range(looks):
        if holds():
            await pilot.pause()
            return
        await pilot.pause(0.02)
    raise AssertionError(f"it never came to hold; it says: {pilot.app.said}")


async def written(pilot):
    """Wait until all that was decided is on the disk, and taken in again."""
    await until(pilot, lambda: pilot.app.ledger.backlog == 0)


async def settled(pilot):
    """Wait until the screen changes no more; what the player shows does not matter."""
    await written(pilot)
    shown = None
    while shown != (shown := text_of(pilot.app, without_player=True)):
        await asyncio.sleep(0.05)


def text_of(app, without_player=False):
    """Return what is on the screen, a line a row; where the player stands, blanks if that is asked."""
    strips = app.screen._compositor.render_strips()
    lines = [strip.text for strip in strips]
    if without_player and app.screen is app.screen_stack[0]:
        where = app.screen.query_one(Player).region
        for y in range(where.y, min(where.bottom, len(lines))):
            lines[y] = lines[y][: where.x] + " " * where.width + lines[y][where.right :]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def entries(root):
    """Return the label file's entries as (author, episodes, field or 'undo', value)."""
    found = []
    for line in (root / "curation" / "labels.jsonl").read_text().splitlines():
        entry = json.loads(line)
        kind = entry.get("field", "undo")
        found.append((entry["author"], entry.get("episodes"), kind, entry.get("value")))
    return found


def current(root, by=None):
    """Return the labels as they are on the disk."""
    return Labels(root).current(by)
