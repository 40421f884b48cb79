"""Which OpenGL library MuJoCo draws with, decided before anything imports `mujoco`.

MuJoCo reads `MUJOCO_GL` once, when it is first imported; without it on Linux it wants a window, which a
machine without a screen cannot give.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
from typing import Any

from collector.errors import DeviceError

# The names under which Debian and most others install them, and what PyOpenGL and MuJoCo will ask for.
LIBRARIES = {
    "egl": ("libEGL.so.1", "libEGL.so"),
    "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so"),
}
ADVICE = (
    "install 'libegl1 libegl-mesa0 libgl1-mesa-dri' (or 'libosmesa6') with your package manager, "
    "or fly without cameras by '--robot.cameras=[]'"
)


def choose_backend() -> str:
    """Set `MUJOCO_GL` for this process and its children where the user has not, and say what it is.

    On Linux: `egl` where libEGL loads, else `osmesa` where that loads, else MuJoCo's own choice where there
    is a screen. On macOS and Windows MuJoCo's own choice always works.

    Returns:
        The value of `MUJOCO_GL`; empty for MuJoCo's own choice.

    Raises:
        DeviceError: If there is neither a library to draw without a screen nor a screen.
    """
    chosen = os.environ.get("MUJOCO_GL", "").strip().lower()
    if chosen or not sys.platform.startswith("linux"):
        return chosen
    # One thread draws: llvmpipe's helpers gain nothing on small pictures and take the cores of other
    # processes.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    for backend, names in LIBRARIES.items():
        if any(_loads(name) for name in names):
            os.environ["MUJOCO_GL"] = backend
            return backend
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    raise DeviceError(f"cameras need OpenGL, but neither libEGL nor libOSMesa could be loaded: {ADVICE}")


def import_mujoco() -> Any:
    """Import `mujoco`, which binds the OpenGL library that `MUJOCO_GL` names while it is imported.

    Raises:
        DeviceError: If that library is absent or broken.
    """
    try:
        return importlib.import_module("mujoco")
    except Exception as error:  # PyOpenGL raises AttributeError where a library is absent
        raise _did_not_start(os.environ.get("MUJOCO_GL", ""), error) from error


def open_context(width: int, height: int) -> Any:
    """Open an OpenGL context to draw in, and make it the current one of this thread.

    Args:
        width: Widest picture [pixels].
        height: Highest picture [pixels].

    Returns:
        MuJoCo's `GLContext`; call its `free()` when done.

    Raises:
        DeviceError: If no context can be opened.
    """
    backend = choose_backend()
    # By name, as `mujoco.GLContext` was fixed by whoever imported mujoco first, perhaps before the choice.
    module = f"mujoco.{backend}" if backend in ("egl", "osmesa") else "mujoco.gl_context"
    try:
        context = importlib.import_module(module).GLContext(width, height)
        context.make_current()
    except Exception as error:  # the backends and PyOpenGL raise kinds of their own
        raise _did_not_start(backend, error) from error
    return context


def _did_not_start(backend: str, error: Exception) -> DeviceError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DeviceError(f"OpenGL by MUJOCO_GL='{backend}' did not start ({reason[:120]}): {ADVICE}")


def _loads(library: str) -> bool:
    """Return whether the dynamic linker finds and loads the library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
