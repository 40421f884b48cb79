"""Open a moment of an episode in another program: the rerun viewer, or the system's video player."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from collector.dataset import schema
from collector.dataset.reader import Dataset
from collector.errors import UsageError, shown

_OPENERS = {"darwin": "open", "win32": "start"}
_GIVES_UP_S = 3.0  # who runs longer has opened something


def open_elsewhere(dataset: Dataset, episode: int, frame: int, camera: str | None) -> str:
    """Open a frame in rerun where it is installed, else the camera's video in the system's player.

    Args:
        camera: Whose video the system's player gets.

    Returns:
        What was opened, in words.

    Raises:
        UsageError: If there is no display, no camera or no such program, or the program says that it cannot.
    """
    if sys.platform not in _OPENERS and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UsageError(
            "no display (DISPLAY and WAYLAND_DISPLAY are not set): open the dataset where there is one"
        )
    if importlib.util.find_spec("rerun") is not None:
        _start([sys.executable, "-m", "curation.rerun_view", str(dataset.root), str(episode), str(frame)])
        return f"episode {episode} opens in rerun, around frame {frame}"
    if camera is None or camera not in schema.video_keys(dataset.features):
        raise UsageError(
            "this episode has no video: 'pip install lerobot[viz]' brings rerun, which shows its numbers"
        )
    path, from_s = dataset.video_place(episode, camera)
    if not path.exists():
        raise UsageError(f"{path} is missing: pull the dataset again")
    opener = _OPENERS.get(sys.platform, "xdg-open")
    if opener != "start" and shutil.which(opener) is None:
        raise UsageError(f"no '{opener}' on this machine: 'pip install lerobot[viz]' brings the viewer rerun")
    _start(["cmd", "/c", "start", "", str(path)] if opener == "start" else [opener, str(path)])
    return f"{path.name} opens in the system's player: this frame is at {from_s + frame / dataset.fps:.2f} s"


def _start(command: list[str]) -> None:
    """Start a program that outlives this one and writes nothing into its terminal.

    Raises:
        UsageError: If it gives up at once; with what it said last.
    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            if process.wait(_GIVES_UP_S):
                said.seek(0)
                words = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
                raise UsageError(f"'{Path(command[0]).name}' could not open it: {shown(words[-1], 300)}")
