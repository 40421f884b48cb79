"""What goes to the terminal, taken apart by small decoders, is the picture."""

import base64
import re
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from collector.tui.draw.still import Protocol, kitty, protocol_of, sixel, still

SIDES = st.integers(1, 20)
PICTURES = st.tuples(SIDES, SIDES).flatmap(lambda side: arrays(np.uint8, (*side, 3)))


def read_sixel(data):
    """Return the picture of a sixel escape; -1 where nothing was drawn."""
    body = re.fullmatch(r"\x1bP[0-9;]*q(.*)\x1b\\", data.decode("ascii"), re.DOTALL)[1]
    raster = re.match(r'"1;1;(\d+);(\d+)', body)
    width, height = int(raster[1]), int(raster[2])
    picture = np.full((-(-height // 6) * 6, width, 3), -1)
    registers, colour, x, top = {}, None, 0, 0
    for define, number, repeat, sign in re.findall(
        r"#(\d+;2;[\d;]+)|#(\d+)|(?:!(\d+))?([?-~$-])", body[raster.end() :]
    ):
        if define:
            register, _, *shares = map(int, define.split(";"))
            registers[register] = [round(share * 255 / 100) for share in shares]
        elif number:
            colour = registers[int(number)]
        elif sign == "$":
            x = 0
        elif sign == "-":
            x, top = 0, top + 6
        else:
            end = x + int(repeat or 1)
            for line in range(6):
                if ord(sign) - 63 >> line & 1:
                    picture[top + line, x:end] = colour
            x = end
    assert len(registers) <= 256
    assert (picture[height:] == -1).all()
    return picture[:height]


@given(PICTURES)
def test_sixels_are_the_picture_in_six_levels(picture):
    nearest = np.round(picture / 51) * 51
    assert np.array_equal(read_sixel(sixel(picture)), nearest)


def test_sixel_repeats_are_counted():
    data = sixel(np.full((600, 800, 3), 51, np.uint8))
    assert len(data) < 2000
    assert (read_sixel(data) == 51).all()


@given(PICTURES)
def test_kitty_carries_the_picture_whole(picture):
    read_kitty(kitty(picture), picture)


def test_kitty_goes_in_chunks_that_the_terminal_takes():
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    assert read_kitty(kitty(picture), picture) > 5


def read_kitty(data, picture):
    """Check an escape against the picture; return its number of chunks."""
    escapes = re.findall(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", data)
    assert b"".join(b"\x1b_G%s;%s\x1b\\" % escape for escape in escapes) == data
    keys = [dict(pair.split(b"=") for pair in head.split(b",")) for head, _ in escapes]
    height, width = picture.shape[:2]
    wanted = {b"a": b"T", b"f": b"24", b"o": b"z", b"s": b"%d" % width, b"v": b"%d" % height}
    assert wanted.items() <= keys[0].items()
    assert [key[b"m"] for key in keys] == [b"1"] * (len(keys) - 1) + [b"0"]
    assert all(set(key) == {b"m", b"q"} for key in keys[1:])
    assert all(key[b"q"] == b"2" for key in keys)
    assert all(len(part) <= 4096 and len(part) % 4 == 0 for _, part in escapes)
    raw = zlib.decompress(base64.standard_b64decode(b"".join(part for _, part in escapes)))
    assert raw == picture.tobytes()
    return len(escapes)


@pytest.mark.parametrize(
    ("environ", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, Protocol.KITTY),
        ({"TERM": "xterm-ghostty"}, Protocol.KITTY),
        ({"TERM": "foot"}, Protocol.SIXEL),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Protocol.SIXEL),
        ({"TERM": "mlterm"}, Protocol.SIXEL),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1", "TMUX": "/tmp/s"}, None),
        ({"TERM": "screen", "KITTY_WINDOW_ID": "1"}, None),
        ({}, None),
    ],
)
def test_the_protocol_of_the_environment(environ, protocol):
    assert protocol_of(environ) is protocol
    picture = np.zeros((6, 6, 3), np.uint8)
    encoded = {None: None, Protocol.KITTY: kitty(picture), Protocol.SIXEL: sixel(picture)}
    assert still(picture, environ) == encoded[protocol]


@pytest.mark.parametrize("draw", [kitty, sixel])
@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 3), (4, 4, 4)])
def test_what_is_no_picture_is_refused(draw, shape):
    with pytest.raises(ValueError, match=r"a picture is uint8 \(height, width, 3\)"):
        draw(np.zeros(shape, np.uint8))
