"""What a terminal makes of escape codes, and what segments say: both as a grid of (character, fore, back)."""

import re

_TOKEN = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|(.)", re.DOTALL)
_CUBE = [0, 95, 135, 175, 215, 255]


def palette_rgb(number):
    """Return what xterm shows for one of its colours 16 to 255."""
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    number -= 16
    return _CUBE[number // 36], _CUBE[number // 6 % 6], _CUBE[number % 6]


def _select(codes, fore, back):
    codes = [int(code or 0) for code in codes.split(";")]
    while codes:
        code = codes.pop(0)
        if code == 0:
            fore = back = None
        elif code in (38, 48):
            if codes.pop(0) == 2:
                colour, codes = tuple(codes[:3]), codes[3:]
            else:
                colour = palette_rgb(codes.pop(0))
            fore, back = (colour, back) if code == 38 else (fore, colour)
    return fore, back


def decode(text):
    """Return {(x, y): (character, fore, back)} of text with colours and cursor moves; None is the default colour."""
    cells, x, y, fore, back = {}, 0, 0, None, None
    for codes, command, character in _TOKEN.findall(text):
        if command == "m":
            fore, back = _select(codes, fore, back)
        elif command == "H":
            y, x = (int(part) - 1 for part in codes.split(";"))
        elif command:
            raise AssertionError(f"unknown escape: {codes}{command}")
        elif character != "\n":  # the compositor moves the cursor too
            cells[x, y] = character, fore, back
            x += 1
    return cells


def _triplet(colour):
    if colour is None or colour.is_default:
        return None
    return palette_rgb(colour.number) if colour.triplet is None else tuple(colour.triplet)


def of_segments(segments, y=0):
    """Return the same of one line of segments."""
    cells, x = {}, 0
    for text, style, _ in segments:
        fore, back = (None, None) if style is None else (_triplet(style.color), _triplet(style.bgcolor))
        for character in text:
            cells[x, y] = character, fore, back
            x += 1
    return cells


def of_rows(rows):
    """Return the same of encoded rows, one below the other."""
    return {(x, y): cell for y, row in enumerate(rows) for (x, _), cell in decode(row).items()}
