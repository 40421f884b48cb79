"""The player's keys, each with an id to remap it by and a line that says what it does."""

from __future__ import annotations

from textual.binding import Binding, BindingType


def _key(key: str, id: str, action: str, title: str, tooltip: str) -> Binding:
    return Binding(key, action, title, show=False, id=f"player.{id}", tooltip=tooltip)


KEYS: list[BindingType] = [
    _key("space", "play", "play", "play", "Play, or pause"),
    _key("left", "back", "step(-1)", "back", "A frame back"),
    _key("right", "on", "step(1)", "on", "A frame on"),
    _key("shift+left", "back_10", "step(-10)", "10 back", "Ten frames back"),
    _key("shift+right", "on_10", "step(10)", "10 on", "Ten frames on"),
    _key("home", "first", "first", "first", "To the first frame"),
    _key("end", "last", "last", "last", "To the last frame"),
    _key("right_square_bracket", "next_span", "span(1)", "next span", "To the next marked span"),
    _key("left_square_bracket", "previous_span", "span(-1)", "previous span", "To the previous marked span"),
    _key("minus", "slower", "speed(-1)", "slower", "Play slower"),
    _key("plus,equals_sign", "faster", "speed(1)", "faster", "Play faster"),
    _key("l", "loop", "loop", "loop", "Play the present span again and again, or no longer"),
    _key("e", "enlarge", "enlarge", "enlarge", "Enlarge a camera, the next one, or show all again"),
    _key("v", "plots", "plots", "plots", "Plot the next vector"),
    _key("b", "beside", "beside", "beside", "Show another episode beside this one, or no longer"),
    _key("i", "still", "still", "picture", "Show a picture as it is (kitty or sixel terminals)"),
    _key("o", "elsewhere", "elsewhere", "open", "Open this moment in rerun or the system's video player"),
]
