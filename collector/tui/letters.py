"""Letters of 3 by 5 dots, drawn so large that they are read from across the room."""

from __future__ import annotations

HEIGHT = 5
# Rows from top to bottom, '#' for a dot; letters without a shape are left out.
_SHAPES = {
    "A": ".#. #.# ### #.# #.#", "B": "##. #.# ##. #.# ##.", "C": ".## #.. #.. #.. .##",
    "D": "##. #.# #.# #.# ##.", "E": "### #.. ##. #.. ###", "F": "### #.. ##. #.. #..",
    "G": ".## #.. #.# #.# .##", "H": "#.# #.# ### #.# #.#", "I": "### .#. .#. .#. ###",
    "J": "..# ..# ..# #.# .#.", "K": "#.# #.# ##. #.# #.#", "L": "#.. #.. #.. #.. ###",
    "M": "#...# ##.## #.#.# #...# #...#", "N": "#..# ##.# #.## #..# #..#", "O": ".#. #.# #.# #.# .#.",
    "P": "##. #.# ##. #.. #..", "Q": ".#. #.# #.# ##. .##", "R": "##. #.# ##. #.# #.#",
    "S": ".## #.. .#. ..# ##.", "T": "### .#. .#. .#. .#.", "U": "#.# #.# #.# #.# ###",
    "V": "#.# #.# #.# #.# .#.", "W": "#...# #...# #.#.# ##.## #...#", "X": "#.# #.# .#. #.# #.#",
    "Y": "#.# #.# .#. .#. .#.", "Z": "### ..# .#. #.. ###",
    "0": "### #.# #.# #.# ###", "1": ".#. ##. .#. .#. ###", "2": "##. ..# .#. #.. ###",
    "3": "##. ..# .#. ..# ##.", "4": "#.# #.# ### ..# ..#", "5": "### #.. ##. ..# ##.",
    "6": ".## #.. ### #.# ###", "7": "### ..# .#. .#. .#.", "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ##.", "/": "..# ..# .#. #.. #..", ":": ". # . # .", "-": "... ... ### ... ...",
    ".": ". . . . #", "!": "# # # . #", " ": ".. .. .. .. ..",
}  # fmt: skip
_SMALL = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def width(text: str, small: bool = False) -> int:
    """Return how many cells wide `large` (or `small`) draws a text."""
    dots = sum(len(_SHAPES[letter].split()[0]) + 1 for letter in text.upper() if letter in _SHAPES) - 1
    return max(0, dots * (1 if small else 2))


def large(text: str) -> list[str]:
    """Return `HEIGHT` lines; a dot is two cells wide and one high, which is square."""
    return ["".join("██" if dot else "  " for dot in row) for row in _dots(text)]


def small(text: str) -> list[str]:
    """Return three lines, of half the size."""
    rows = [*_dots(text), []]
    rows[-1] = [False] * len(rows[0])
    return ["".join(_SMALL[pair] for pair in zip(rows[y], rows[y + 1])) for y in range(0, HEIGHT + 1, 2)]


def _dots(text: str) -> list[list[bool]]:
    shapes = [_SHAPES[letter].split() for letter in text.upper() if letter in _SHAPES]
    lines = [".".join(shape[y] for shape in shapes) for y in range(HEIGHT)]
    return [[dot == "#" for dot in line] for line in lines]
