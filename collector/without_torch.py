"""lerobot's devices without torch, which their modules only name in types: it costs three seconds and 0.7 GB.

Two modules of lerobot 0.6.1 that every robot, teleoperator and camera imports name torch as they are loaded, and use
it in functions that no device calls. Here they are loaded with a stand-in, which becomes torch at its first use.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_NAME_TORCH = ("lerobot.lerobot_types", "lerobot.utils.device_utils")


def leave_torch_out() -> None:
    """Load lerobot's devices without torch, from now on in this process; where it is loaded already nothing changes."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _StandIn(ModuleType):
    """torch, as those modules name it: classes to annotate with while they are loaded, afterwards torch itself."""

    def __init__(self) -> None:
        super().__init__("torch")
        self.types: dict[type, str] | None = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.types is None:
            return getattr(importlib.import_module("torch"), name)
        named = type(name, (), {})
        self.types[named] = name
        return named


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _NAME_TORCH or "torch" in sys.modules:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _WithStandIn(spec.loader)
        return spec


class _WithStandIn(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        stand_in = _StandIn()
        sys.modules["torch"] = stand_in
        try:
            self._loader.exec_module(module)
        finally:
            del sys.modules["torch"]
            types, stand_in.types = stand_in.types or {}, None
        # Names for torch's own types (`PolicyAction`) are found when somebody asks for them.
        aliases = {
            name: types[value]
            for name, value in vars(module).items()
            if isinstance(value, type) and value in types
        }
        for name in aliases:
            delattr(module, name)

        def find(name: str) -> Any:
            if name in aliases:
                return getattr(importlib.import_module("torch"), aliases[name])
            raise AttributeError(f"module '{module.__name__}' has no attribute '{name}'")

        module.__getattr__ = find  # type: ignore[method-assign]
