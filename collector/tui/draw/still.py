"""A still picture in the terminal's own pixels: the kitty graphics protocol, or sixel.

Protocols: https://sw.kovidgoyal.net/kitty/graphics-protocol/ and DEC's VT330/VT340 manual, chapter 14.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from enum import Enum

import numpy as np

_KITTY_TERMS = ("kitty", "ghostty")
_KITTY_PROGRAMS = ("ghostty", "WezTerm")
_SIXEL_TERMS = ("foot", "mlterm", "contour", "yaft", "sixel")
_SIXEL_PROGRAMS = ("iTerm.app", "mintty")
_CHUNK = 4096  # the most base64 that the kitty protocol allows in one escape
_REPEATED = re.compile(r"(.)\1{3,}")
_LEVELS = 6  # of each colour, so 216 of the 256 registers that every sixel terminal has


class Protocol(Enum):
    """How a terminal takes pictures."""

    KITTY = "kitty"
    SIXEL = "sixel"


def protocol_of(environ: Mapping[str, str]) -> Protocol | None:
    """Return what the terminal of this environment speaks, or None where it is not known to speak either."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    # A multiplexer stands between: it forwards neither unless set up for it, which the environment does not say.
    if "TMUX" in environ or "STY" in environ or term.startswith(("screen", "tmux")):
        return None
    if "KITTY_WINDOW_ID" in environ or program in _KITTY_PROGRAMS or any(t in term for t in _KITTY_TERMS):
        return Protocol.KITTY
    if program in _SIXEL_PROGRAMS or any(t in term for t in _SIXEL_TERMS):
        return Protocol.SIXEL
    return None


def still(picture: np.ndarray, environ: Mapping[str, str]) -> bytes | None:
    """Return the bytes that draw a picture, uint8 (height, width, 3), at the cursor; None where the terminal cannot.

    Raises:
        ValueError: It is not such a picture, or empty.
    """
    protocol = protocol_of(environ)
    if protocol is None:
        return None
    return kitty(picture) if protocol is Protocol.KITTY else sixel(picture)


def kitty(picture: np.ndarray) -> bytes:
    """Return a picture, uint8 (height, width, 3), as deflated RGB in the kitty graphics protocol.

    Raises:
        ValueError: It is not such a picture, or empty.
    """
    height, width = _size(picture)
    data = base64.standard_b64encode(zlib.compress(np.ascontiguousarray(picture).tobytes()))
    # q=2: the terminal does not answer, since its answer would read as keys.
    head = f"a=T,f=24,o=z,s={width},v={height},q=2,"
    escapes = []
    for start in range(0, len(data), _CHUNK):
        more = int(start + _CHUNK < len(data))
        escapes.append(f"\x1b_G{head}m={more};".encode() + data[start : start + _CHUNK] + b"\x1b\\")
        head = "q=2,"
    return b"".join(escapes)


def sixel(picture: np.ndarray) -> bytes:
    """Return a picture, uint8 (height, width, 3), as sixels in up to 216 colours.

    Raises:
        ValueError: It is not such a picture, or empty.
    """
    height, width = _size(picture)
    levels = (picture.astype(np.uint16) * (_LEVELS - 1) + 127) // 255
    colours = levels @ np.array([_LEVELS**2, _LEVELS, 1], np.uint16)
    out = [f'\x1bP0;1q"1;1;{width};{height}']
    for colour in np.unique(colours).tolist():
        shares = (colour // _LEVELS**power % _LEVELS * 100 // (_LEVELS - 1) for power in (2, 1, 0))
        out.append(f"#{colour};2;{';'.join(map(str, shares))}")
    columns = np.arange(width)
    for top in range(0, height, 6):
        band = colours[top : top + 6]
        used, which = np.unique(band, return_inverse=True)
        signs = np.full((len(used), width), 63, np.uint8)
        for line, colour_of in enumerate(which.reshape(band.shape)):
            signs[colour_of, columns] += 1 << line
        lines = (f"#{c}{_run_lengths(row.tobytes().decode())}" for c, row in zip(used.tolist(), signs))
        out.append("$".join(lines) + "-")
    return ("".join(out) + "\x1b\\").encode("ascii")


def _run_lengths(signs: str) -> str:
    """Return a band's sixels of one colour, repeats counted and nothing after its last dot."""
    return _REPEATED.sub(lambda run: f"!{len(run[0])}{run[1]}", signs.rstrip("?"))


def _size(picture: np.ndarray) -> tuple[int, int]:
    if picture.dtype != np.uint8 or picture.shape[2:] != (3,) or not picture.size:
        raise ValueError(f"a picture is uint8 (height, width, 3), not {picture.dtype} {picture.shape}")
    return picture.shape[0], picture.shape[1]
