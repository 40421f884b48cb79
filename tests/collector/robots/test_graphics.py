"""How the OpenGL library is chosen, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from collector.errors import DeviceError
from collector.robots import graphics


@pytest.fixture
def headless(monkeypatch):
    """A Linux machine without a screen and without any OpenGL library; returns the names that load."""
    for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY", "LP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(graphics.sys, "platform", "linux")
    loadable: set[str] = set()
    monkeypatch.setattr(graphics, "_loads", lambda library: library in loadable)
    yield loadable
    for name in ("MUJOCO_GL", "LP_NUM_THREADS"):
        os.environ.pop(name, None)


def test_egl_comes_first(headless):
    headless |= {"libEGL.so.1", "libOSMesa.so.8"}
    assert graphics.choose_backend() == os.environ["MUJOCO_GL"] == "egl"


def test_osmesa_comes_second(headless):
    headless |= {"libOSMesa.so.8"}
    assert graphics.choose_backend() == os.environ["MUJOCO_GL"] == "osmesa"


def test_a_screen_will_do(headless, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    assert graphics.choose_backend() == ""
    assert "MUJOCO_GL" not in os.environ


def test_the_users_choice_is_kept(headless, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    headless |= {"libEGL.so.1"}
    assert graphics.choose_backend() == os.environ["MUJOCO_GL"] == "glfw"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_keep_mujocos_default(headless, monkeypatch, platform):
    monkeypatch.setattr(graphics.sys, "platform", platform)
    assert graphics.choose_backend() == ""
    assert "MUJOCO_GL" not in os.environ


def test_without_any_the_packages_are_named(headless):
    with pytest.raises(DeviceError, match=r"libegl1 libegl-mesa0 libgl1-mesa-dri.*libosmesa6.*cameras=\[\]"):
        graphics.choose_backend()


HIDE_OPENGL = """
import ctypes
load = ctypes.CDLL.__init__
def hide(self, name, *rest, **more):
    if name and ("EGL" in str(name) or "OSMesa" in str(name)):
        raise OSError(f"{name}: cannot open shared object file")
    load(self, name, *rest, **more)
ctypes.CDLL.__init__ = hide
"""


def run_without_opengl(code, **environment):
    """Run code in a process of its own, as a library is bound once; this one finds no libEGL and no libOSMesa."""
    hidden = ("MUJOCO_GL", "PYOPENGL_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")
    clean = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", HIDE_OPENGL + code],
        capture_output=True,
        text=True,
        env={**clean, **environment},
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_cameras_without_opengl_are_refused_and_none_need_none():
    said, joints = run_without_opengl("""
from collector.errors import DeviceError
from collector.robots.sim_so101 import SimSO101, SimSO101Config
robot = SimSO101(SimSO101Config(width=32, height=32))
try:
    robot.connect()
except DeviceError as error:
    print(error, robot.is_connected)
with SimSO101(SimSO101Config(cameras=[])) as blind:
    print(len(blind.get_observation()))
""")
    assert "neither libEGL nor libOSMesa" in said
    assert "libegl1 libegl-mesa0" in said
    assert said.endswith("False")
    assert joints == "6"


def test_the_users_choice_that_does_not_start_is_named():
    (said,) = run_without_opengl(
        """
from collector.errors import DeviceError
from collector.robots.graphics import import_mujoco
try:
    import_mujoco()
except DeviceError as error:
    print(error)
""",
        MUJOCO_GL="egl",
    )
    assert "OpenGL by MUJOCO_GL='egl' did not start" in said
    assert "libegl1 libegl-mesa0" in said
