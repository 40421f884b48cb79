"""A Linux input device: presses and releases of a keyboard plugged into this machine, whatever window is in front."""

from __future__ import annotations

import contextlib
from typing import Any

from collector.errors import DeviceError
from collector.session.keystream import PRESS, RELEASE, REPEAT, Key

_KINDS = {0: RELEASE, 1: PRESS, 2: REPEAT}
# Linux names keys by where they are on an American keyboard.
_NAMES = {
    "comma": ",", "dot": ".", "slash": "/", "semicolon": ";", "apostrophe": "'", "minus": "-", "equal": "=",
    "leftbrace": "[", "rightbrace": "]", "backslash": "\\", "grave": "`", "esc": "escape",
}  # fmt: skip


class EvdevKeyboard:
    """One keyboard's keys."""

    def __init__(self, path: str) -> None:
        """Open it; an empty path is the first keyboard.

        Raises:
            DeviceError: If evdev is missing, or there is no keyboard that may be read.
        """
        try:
            import evdev
        except ImportError as error:
            raise DeviceError(
                f"--teleop.source=evdev needs evdev ({error}): pip install evdev (Linux)"
            ) from error
        self._names = {code: name_of(names) for code, names in evdev.ecodes.KEY.items()}
        self._key_type = evdev.ecodes.EV_KEY
        wanted = [path] if path else evdev.list_devices()
        self._device: Any = None
        for each in wanted:
            with contextlib.suppress(OSError):
                device = evdev.InputDevice(each)
                codes = device.capabilities().get(evdev.ecodes.EV_KEY, [])
                if {evdev.ecodes.KEY_W, evdev.ecodes.KEY_SPACE} <= set(codes):
                    self._device = device
                    break
                device.close()
        if self._device is None:
            raise DeviceError(
                f"no keyboard can be read at {path or '/dev/input/event*'}: add your user to the group 'input' and log "
                "in again, or use --teleop.source=terminal"
            )

    def read(self) -> list[Key]:
        """Return the keys that came since the last call.

        Raises:
            ConnectionError: If the keyboard is gone.
        """
        keys = []
        try:
            while event := self._device.read_one():
                if event.type == self._key_type and event.value in _KINDS and event.code in self._names:
                    keys.append(Key(self._names[event.code], _KINDS[event.value], told=True))
        except OSError as error:
            raise ConnectionError(f"keyboard '{self._device.name}' is gone: plug it in again") from error
        return keys

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):
            self._device.close()


def name_of(names: str | tuple[str, ...] | list[str]) -> str:
    """Return our name of one of Linux' keys (`KEY_W`: `w`)."""
    first = names if isinstance(names, str) else names[0]
    name = first.removeprefix("KEY_").lower()
    return _NAMES.get(name, name)
