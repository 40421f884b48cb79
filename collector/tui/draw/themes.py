"""Themes whose colours the colour-blind tell apart, after the palette of Okabe and Ito (2008)."""

from __future__ import annotations

from typing import Any

from textual.theme import Theme

_COMMON: dict[str, Any] = {
    "primary": "#56b4e9",
    "secondary": "#0072b2",
    "success": "#009e73",
    "warning": "#e69f00",
    "error": "#d55e00",
    "accent": "#cc79a7",
}
THEMES = (
    Theme(
        "demodeck", dark=True, background="#101418", surface="#161b20", panel="#20272e", foreground="#f0f0f0",
        **_COMMON,
    ),
    Theme(
        "demodeck-light", dark=False, background="#ffffff", surface="#f4f4f4", panel="#e4e8ec", foreground="#101418",
        primary="#0072b2", secondary="#56b4e9", success="#007a59", warning="#a06a00", error="#b34700", accent="#a04c80",
    ),
    Theme(
        "demodeck-contrast", dark=True, background="#000000", surface="#000000", panel="#1a1a1a", foreground="#ffffff",
        **_COMMON,
    ),
)  # fmt: skip
