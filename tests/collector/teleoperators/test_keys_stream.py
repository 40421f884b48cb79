"""A terminal's bytes as keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.session.keystream import LEFT, PRESS, RELEASE, REPEAT, SPEAKS, Key, KeyStream

PIECES = [
    b"w", b"W", b" ", b"\r", b"\t", b"\x7f", b"\x1b", b"\xc3\xa4", b"\xf0\x9f\x98\x80", b"5", b"\x1b[A", b"\x1b[D",
    b"\x1bOC", b"\x1b[1;2A", b"\x1b[1;1:3B", b"\x1b[119u", b"\x1b[119;1:1u", b"\x1b[119;1:2u", b"\x1b[119;1:3u",
    b"\x1b[119;5:1u", b"\x1b[97:65;2:1;65u", b"\x1b[?11u", b"\x1b[?62;4c", b"\x1b[I", b"\x1b[O", b"\x1b[25~",
    b"\x1b[[A", b"\x1bx", b"\x1b[200~", b"\xff", b"\x1b[999999999u", b"\x1b[;;;u", b"\x00",
]  # fmt: skip


def keys(*parts):
    stream = KeyStream()
    return [key for part in parts for key in stream.feed(part)] + stream.flush()


@pytest.mark.parametrize(
    "data, expected",
    [
        (b"wW a", [Key("w"), Key("w"), Key("space"), Key("a")]),
        (b"\r\n\t\x7f", [Key("enter"), Key("enter"), Key("tab"), Key("backspace")]),
        (b"\xc3\xa4\xc3\x84", [Key("ä"), Key("ä")]),
        (b"\x1b", [Key("escape")]),
        (b"\x1b\x1b[A", [Key("escape"), Key("up")]),
        (b"\x1b[A\x1bOB\x1b[C\x1b[D", [Key("up"), Key("down"), Key("right"), Key("left")]),
        (b"\x1b[119;1:1u\x1b[119;1:2u\x1b[119;1:3u", [Key("w", kind, True) for kind in (PRESS, REPEAT, RELEASE)]),
        (b"\x1b[119u", [Key("w", PRESS, True)]),
        (b"\x1b[119;65:1u\x1b[119:87;2:3u", [Key("w", PRESS, True), Key("w", RELEASE, True)]),  # Caps Lock, Shift
        (b"\x1b[27u\x1b[13;1:3u", [Key("escape", PRESS, True), Key("enter", RELEASE, True)]),
        (b"\x1b[1;1:3C", [Key("right", RELEASE, True)]),
        (b"\x1b[119;5:1u\x1b[1;5C\x1bw", []),  # Ctrl and Alt belong to others
        (b"\x1b[?11u\x1b[O", [SPEAKS, LEFT]),
        (b"\x1b[?62;4c\x1b[I\x1b[26~\x1b[[A\x00\xff", [Key("�")]),  # not for us
        (b"\x1b[" + b"1" * 100 + b"w", [Key("1")] * 37 + [Key("w")]),  # noise does not swallow what follows for ever
    ],
)  # fmt: skip
def test_keys_are_told(data, expected):
    assert keys(data) == expected


@given(st.data())
def test_it_does_not_matter_how_the_bytes_are_split(data):
    pieces = data.draw(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=12))
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    parts = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)])]
    assert keys(*parts) == keys(whole)


@pytest.mark.parametrize("data", [b"w", b" ", b"\r", b"\x1b", b"\x1b[A", b"\x1b[D", "ä".encode()])
def test_a_key_of_the_protocol_is_what_a_plain_terminal_sends(data):
    (plain,) = keys(data)
    assert plain.plain() == data
    assert Key(plain.name, REPEAT, True).plain() == data
    assert Key(plain.name, RELEASE, True).plain() == b""
