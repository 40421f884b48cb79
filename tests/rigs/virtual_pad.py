"""Pads that SDL itself simulates: plugged in, moved and unplugged by the test, in the process that reads them."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from collector.teleoperators.pad import sdl
from collector.teleoperators.pad.names import AXES, BUTTONS, TRIGGERS

_TYPE_GAMEPAD, _TYPE_FLIGHT_STICK = 1, 4
_callbacks: list[Any] = []  # of every pad there was: SDL may call them until the process ends


class _Description(ctypes.Structure):
    """SDL_VirtualJoystickDesc of SDL 2.28."""

    _fields_ = [
        ("version", ctypes.c_uint16),
        ("type", ctypes.c_uint16),
        ("naxes", ctypes.c_uint16),
        ("nbuttons", ctypes.c_uint16),
        ("nhats", ctypes.c_uint16),
        ("vendor_id", ctypes.c_uint16),
        ("product_id", ctypes.c_uint16),
        ("padding", ctypes.c_uint16),
        ("button_mask", ctypes.c_uint32),
        ("axis_mask", ctypes.c_uint32),
        ("name", ctypes.c_char_p),
        ("userdata", ctypes.c_void_p),
        ("update", ctypes.c_void_p),
        ("set_player_index", ctypes.c_void_p),
        ("rumble", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint16, ctypes.c_uint16)),
        ("rumble_triggers", ctypes.c_void_p),
        (
            "set_led",
            ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint8, ctypes.c_uint8, ctypes.c_uint8),
        ),
        ("send_effect", ctypes.c_void_p),
    ]


@functools.cache
def library() -> Any:
    """Return the SDL that pygame is linked with."""
    pygame, _ = sdl.load()
    library = ctypes.CDLL(pygame.base.__file__)
    library.SDL_JoystickFromInstanceID.restype = ctypes.c_void_p
    library.SDL_JoystickOpen.restype = ctypes.c_void_p
    library.SDL_GetError.restype = ctypes.c_char_p
    return library


class VirtualPad:
    """One virtual pad, with every control that SDL names; or one of whose controls SDL knows nothing.

    Attributes:
        rumbled: The (low, high) strengths of the motors that it was told, 0 to 65535 each.
        lit: The (red, green, blue) that it was told.
    """

    def __init__(self, name: str = "Virtual Pad", product: int = 1, known: bool = True) -> None:
        self.rumbled: list[tuple[int, int]] = []
        self.lit: list[tuple[int, int, int]] = []
        fields = dict(_Description._fields_)
        self._name = name.encode()
        self._rumble = fields["rumble"](lambda _, low, high: self.rumbled.append((low, high)) or 0)
        self._set_led = fields["set_led"](lambda _, r, g, b: self.lit.append((r, g, b)) or 0)
        self._description = _Description(
            version=1, type=_TYPE_GAMEPAD if known else _TYPE_FLIGHT_STICK, naxes=len(AXES),
            nbuttons=len(BUTTONS), vendor_id=0x1209, product_id=product, name=self._name,
            rumble=self._rumble, set_led=self._set_led,
        )  # fmt: skip
        _callbacks.append((self._rumble, self._set_led))
        self.plug_in()

    def plug_in(self) -> None:
        """Plug it in; its sticks are in the middle, its triggers and buttons let go."""
        index = library().SDL_JoystickAttachVirtualEx(ctypes.byref(self._description))
        assert index >= 0, library().SDL_GetError()
        self._instance = library().SDL_JoystickGetDeviceInstanceID(index)
        self._open = ctypes.c_void_p(library().SDL_JoystickOpen(index))
        self.move(**dict.fromkeys(TRIGGERS, 0.0))

    def unplug(self) -> None:
        """Unplug it."""
        for index in range(library().SDL_NumJoysticks()):
            if library().SDL_JoystickGetDeviceInstanceID(index) == self._instance:
                assert library().SDL_JoystickDetachVirtual(index) == 0, library().SDL_GetError()
        library().SDL_JoystickClose(self._open)

    def move(self, **axes: float) -> None:
        """Move axes by SDL's names: sticks -1 (left, up) to 1, triggers 0 to 1."""
        for name, value in axes.items():
            # SDL takes a trigger's whole raw range for 0 to 1.
            raw = round(value * 65535) - 32768 if name in TRIGGERS else round(value * 32767)
            assert (
                library().SDL_JoystickSetVirtualAxis(self._open, AXES.index(name), ctypes.c_int16(raw)) == 0
            )
        library().SDL_JoystickUpdate()

    def press(self, *buttons: str) -> None:
        """Press buttons, and hold them."""
        self._set(buttons, 1)

    def release(self, *buttons: str) -> None:
        """Let buttons go."""
        self._set(buttons, 0)

    def tap(self, *buttons: str) -> None:
        """Press buttons together and let them go."""
        self.press(*buttons)
        self.release(*buttons)

    def _set(self, buttons: tuple[str, ...], value: int) -> None:
        for button in buttons:
            assert library().SDL_JoystickSetVirtualButton(self._open, BUTTONS.index(button), value) == 0
        library().SDL_JoystickUpdate()  # SDL looks at virtual buttons only now: a tap between two looks would be lost
