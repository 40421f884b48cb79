"""Draws what `tmux capture-pane -e -N -p` wrote as a PNG: half blocks and dots as rectangles, the rest in a font.

    tmux capture-pane -e -N -p > screen.ansi
    python docs/pictures/draw.py screen.ansi screen.png

The font is the one that comes with matplotlib.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, ...]  # red, green, blue
_SEQUENCE = re.compile(r"\x1b\[([\d;:]*)m|\x1b[()].|[\x0e\x0f]|\x1b\[[\d;?]*[A-Za-z]")
_GROUND: Colour = (16, 20, 24)
_TEXT: Colour = (240, 240, 240)
# xterm's first 16 colours.
_BASIC = "000 c00 0c0 cc0 00e c0c 0cc eee 777 f00 0f0 ff0 55f f0f 0ff fff"
# Left, top, right and bottom of what is drawn as a rectangle, in shares of a cell.
_SHARES: dict[str, tuple[float, float, float, float]] = {
    "▀": (0, 0, 1, 0.5), "▄": (0, 0.5, 1, 1), "█": (0, 0, 1, 1), "▂": (0, 0.75, 1, 1), "│": (0.4, 0, 0.6, 1),
}  # fmt: skip
# Column and row of a braille sign's dots, by its bits; the font has none.
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
_ATTRIBUTES: dict[int, dict[str, Any]] = {
    1: {"bold": True}, 2: {"dim": True}, 7: {"reverse": True}, 22: {"bold": False, "dim": False},
    27: {"reverse": False}, 39: {"text": _TEXT}, 49: {"ground": _GROUND},
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How a cell is drawn."""

    text: Colour = _TEXT
    ground: Colour = _GROUND
    bold: bool = False
    dim: bool = False
    reverse: bool = False


def indexed(number: int) -> Colour:
    """Return a colour of the 256."""
    if number < 16:
        return tuple(17 * int(digit, 16) for digit in _BASIC.split()[number])
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    steps = (0, 95, 135, 175, 215, 255)
    return steps[(number - 16) // 36], steps[(number - 16) // 6 % 6], steps[(number - 16) % 6]


def turned(look: Look, codes: list[int]) -> Look:
    """Return a look after a sequence of SGR codes (ECMA-48)."""
    changed: dict[str, Any] = {}
    while codes:
        code = codes.pop(0)
        field = "text" if code // 10 in (3, 9) else "ground"
        if code in (38, 48):
            indexes = codes.pop(0) == 5
            changed[field] = indexed(codes.pop(0)) if indexes else tuple(codes.pop(0) for _ in range(3))
        elif code == 0:
            look, changed = Look(), {}
        elif code in _ATTRIBUTES:
            changed |= _ATTRIBUTES[code]
        elif code // 10 in (3, 4, 9, 10):
            changed[field] = indexed(code % 10 + (8 if code >= 90 else 0))
    return replace(look, **changed)


def cells(text: str) -> list[list[tuple[str, Look]]]:
    """Return the lines of a screen, each a list of letters with their looks."""
    lines, look = [], Look()
    for line in text.split("\n"):
        row, at = [], 0
        for found in _SEQUENCE.finditer(line):
            row += [(letter, look) for letter in line[at : found.start()]]
            at = found.end()
            if found.group(1) is not None:
                look = turned(look, [int(code or 0) for code in re.split("[;:]", found.group(1))])
        lines.append(row + [(letter, look) for letter in line[at:]])
    return lines


def draw(text: str, cell: int = 8) -> Image.Image:
    """Return a picture of a screen; a letter is `cell` by twice `cell` pixels."""
    fonts = [
        ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSansMono{bold}.ttf", round(1.62 * cell))
        for bold in ("", "-Bold")
    ]
    rows = cells(text.rstrip("\n"))
    picture = Image.new("RGB", (cell * max(map(len, rows)), 2 * cell * len(rows)), _GROUND)
    pen = ImageDraw.Draw(picture)
    for y, row in enumerate(rows):
        for x, (letter, look) in enumerate(row):
            ink, ground = (look.ground, look.text) if look.reverse else (look.text, look.ground)
            if look.dim:
                ink = tuple((2 * a + b) // 3 for a, b in zip(ink, ground))
            left, top = cell * x, 2 * cell * y
            pen.rectangle((left, top, left + cell - 1, top + 2 * cell - 1), ground)
            if letter in _SHARES:
                x0, y0, x1, y1 = _SHARES[letter]
                box = (left + x0 * cell, top + y0 * 2 * cell, left + x1 * cell - 1, top + y1 * 2 * cell - 1)
                pen.rectangle(box, ink)
            elif 0x2800 <= ord(letter) < 0x2900:
                for dot, (right, down) in enumerate(_DOTS):
                    if ord(letter) - 0x2800 >> dot & 1:
                        x0, y0 = left + right * cell // 2 + cell // 8, top + down * cell // 2 + cell // 8
                        pen.rectangle((x0, y0, x0 + cell // 4 - 1, y0 + cell // 4 - 1), ink)
            elif letter != " ":
                pen.text((left, top + round(1.55 * cell)), letter, ink, fonts[look.bold], anchor="ls")
    return picture


if __name__ == "__main__":
    _, screen, file = sys.argv
    drawn = draw(Path(screen).read_text())
    # By most cover: rare colours, as those of marks, stay what they are.
    few = drawn.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(file, optimize=True)
