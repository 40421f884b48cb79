"""SDL through pygame, loaded when a pad is first asked for; no pygame error leaves this module."""

from __future__ import annotations

import contextlib
import ctypes
import os
import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from collector.errors import DeviceError

# Before SDL starts: it needs no window, hears pads without one, and leaves Ctrl-C to us.
_HINTS = {
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
    "SDL_VIDEODRIVER": "dummy",
    "SDL_AUDIODRIVER": "dummy",
    "SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS": "1",
    "SDL_NO_SIGNAL_HANDLERS": "1",
}
# Button changes that SDL has told of and nobody has taken yet, by the pad's instance.
_changes: dict[int, deque[tuple[int, bool]]] = {}


@dataclass(frozen=True)
class Found:
    """A pad that is plugged in.

    Attributes:
        index: Its number, in the order of plugging in.
        name: What it calls itself.
        guid: SDL's identifier of its kind and connection, 32 hexadecimal digits.
        known: Whether SDL knows which of its controls is which.
    """

    index: int
    name: str
    guid: str
    known: bool


@cache
def load() -> tuple[Any, Any]:
    """Return pygame and its controller module, with SDL started.

    Raises:
        DeviceError: If pygame is missing or SDL does not start.
    """
    for hint, value in _HINTS.items():
        os.environ.setdefault(hint, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pygame
            from pygame._sdl2 import controller
    except ImportError as error:
        raise DeviceError(f"pads need pygame ({error}): pip install 'demodeck[hardware]'") from error
    with _refusing("SDL does not start"):
        pygame.display.init()  # the event queue comes with it
        pygame.joystick.init()
        controller.init()
    return pygame, controller


def pump() -> None:
    """Take what SDL has to tell; button changes are kept for the pad that they belong to."""
    pygame, _ = load()
    wanted = (pygame.CONTROLLERBUTTONDOWN, pygame.CONTROLLERBUTTONUP)
    with _refusing("SDL tells nothing more"):
        # Only these: pygame fails on what it finds of a joystick that was unplugged since (SystemError).
        for event in pygame.event.get(wanted):
            queue = _changes.get(event.instance_id)
            if queue is not None:
                queue.append((event.button, event.type == pygame.CONTROLLERBUTTONDOWN))
        pygame.event.clear(_others(), pump=False)  # or SDL's queue is full some day


@cache
def _others() -> tuple[int, ...]:
    """Return the kinds of events that nobody looks at. (Blocked, they would not reach SDL's controllers either.)"""
    pygame, _ = load()
    names = [name for name in dir(pygame) if name.startswith(("JOY", "CONTROLLER")) and name.isupper()]
    kinds = {
        getattr(pygame, name) for name in names if not name.startswith(("CONTROLLER_", "CONTROLLERBUTTON"))
    }
    return tuple(sorted(kinds | {pygame.AUDIODEVICEADDED, pygame.AUDIODEVICEREMOVED, pygame.ACTIVEEVENT}))


def pads() -> list[Found]:
    """Return the pads, joysticks and wheels that are plugged in.

    Raises:
        DeviceError: If pygame is missing or SDL does not start.
    """
    pygame, controller = load()
    pump()
    found = []
    for index in range(pygame.joystick.get_count()):
        try:
            stick = pygame.joystick.Joystick(index)
            found.append(Found(index, stick.get_name(), stick.get_guid(), controller.is_controller(index)))
        except pygame.error:
            continue  # unplugged while we looked
    return found


class Handle:
    """One pad, opened; raw values as SDL gives them."""

    def __init__(self, found: Found) -> None:
        """Open it.

        Raises:
            DeviceError: If it cannot be opened.
        """
        self._pygame, controller = load()
        with _refusing(f"pad '{found.name}' cannot be opened"):
            self._controller = controller.Controller(found.index)
            self.instance = self._controller.as_joystick().get_instance_id()
        _changes[self.instance] = deque(maxlen=256)

    @property
    def attached(self) -> bool:
        """Whether it is still plugged in."""
        with _refusing("pad"):
            return bool(self._controller.attached())

    def axis(self, number: int) -> int:
        """Return an axis, -32768 to 32767 (triggers from 0)."""
        with _refusing("pad"):
            return int(self._controller.get_axis(number))

    def button(self, number: int) -> bool:
        """Return whether a button is down."""
        with _refusing("pad"):
            return bool(self._controller.get_button(number))

    def changes(self) -> list[tuple[int, bool]]:
        """Return the buttons that went down (True) or up since the last call, in order, and forget them."""
        queue = _changes[self.instance]
        taken = list(queue)
        queue.clear()
        return taken

    def rumble(self, low: float, high: float, seconds: float) -> bool:
        """Let its two motors run, 0 to 1 each; return whether it has any."""
        with contextlib.suppress(self._pygame.error):
            return bool(self._controller.rumble(low, high, max(1, round(seconds * 1000))))
        return False

    def light(self, red: int, green: int, blue: int) -> bool:
        """Set its light, 0 to 255 each; return whether it has one."""
        try:
            # pygame does not pass this on; its own module is linked with the SDL that it uses.
            sdl = ctypes.CDLL(self._pygame.base.__file__)
            sdl.SDL_JoystickFromInstanceID.restype = ctypes.c_void_p
            pad = ctypes.c_void_p(sdl.SDL_JoystickFromInstanceID(ctypes.c_int32(self.instance)))
            return bool(pad) and sdl.SDL_JoystickSetLED(pad, *map(ctypes.c_uint8, (red, green, blue))) == 0
        except (OSError, AttributeError):
            return False

    def close(self) -> None:
        """Let go of it. SDL runs on: another pad may be plugged in and found."""
        _changes.pop(self.instance, None)
        with contextlib.suppress(self._pygame.error):
            self._controller.quit()


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    import pygame

    try:
        yield
    except pygame.error as error:
        raise DeviceError(f"{what}: {' '.join(str(error).split())}: plug it in again") from error
