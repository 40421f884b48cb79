"""The simulated cameras: one OpenGL context and one scene for all of them."""

from __future__ import annotations

import atexit
from typing import Any

import numpy as np

from collector.robots.graphics import choose_backend, import_mujoco, open_context


class SceneCameras:
    """Draws a MuJoCo scene as several cameras see it.

    MuJoCo's own `Renderer` does the same for one camera a call; this one fills the scene once a tick, and
    opens its context by name, so that it works whoever imported `mujoco` first.
    """

    def __init__(self, model: Any, names: list[str], width: int, height: int) -> None:
        """Open the context and upload the meshes.

        Args:
            model: The `mujoco.MjModel`.
            names: Names of the model's cameras to draw.
            width: Width of the pictures [pixels].
            height: Height of the pictures [pixels].

        Raises:
            DeviceError: If there is no OpenGL to draw with.
        """
        choose_backend()
        mujoco = self._mujoco = import_mujoco()
        self._model = model
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._context: Any = None
        self._gl: Any = open_context(width, height)
        # Left to the interpreter's teardown, the context would be freed after the library that frees it. The
        # backend registered its own end just now; this runs before it.
        atexit.register(self.close)
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._scene = mujoco.MjvScene(model, maxgeom=100)
        self._option = mujoco.MjvOption()
        # Group 0 is the table and the cube, 2 what is only seen; 3 and 4 are the arm's collision geometry.
        self._option.geomgroup[:] = [1, 0, 1, 0, 0, 0]
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), np.uint8)
        self._views = {}
        for name in names:
            view = mujoco.MjvCamera()
            view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, model.camera(name).id
            self._views[name] = view

    def draw(self, data: Any) -> dict[str, np.ndarray]:
        """Draw the present state, whose kinematics must be up to date.

        Args:
            data: The `mujoco.MjData`.

        Returns:
            A picture for each camera by name, uint8, (height, width, 3), RGB, each its own copy.
        """
        mujoco = self._mujoco
        self._gl.make_current()
        pictures: dict[str, np.ndarray] = {}
        for name, view in self._views.items():
            if pictures:
                mujoco.mjv_updateCamera(self._model, data, view, self._scene)
            else:
                everything = mujoco.mjtCatBit.mjCAT_ALL.value
                mujoco.mjv_updateScene(self._model, data, self._option, None, view, everything, self._scene)
            # Each of these would be another pass over the geometry or the pixels; the model has no use for
            # them.
            self._scene.flags[:] = 0
            self._scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = 1
            mujoco.mjr_render(self._rect, self._scene, self._context)
            mujoco.mjr_readPixels(self._pixels, None, self._rect, self._context)
            # OpenGL's first row is the bottom one.
            pictures[name] = self._pixels[::-1].copy()
        return pictures

    def close(self) -> None:
        """Free the graphics memory; may be called twice."""
        if self._gl is None:
            return
        atexit.unregister(self.close)
        self._gl.make_current()
        if self._context is not None:
            self._context.free()
        self._gl.free()
        self._context = self._gl = None
