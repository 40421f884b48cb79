"""Which encoder this machine can afford: every candidate encodes a short clip, and a rule picks one.

The result is kept in the user's cache, so that a machine is measured once for each set of cameras.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import av

from collector.dataset import durable
from collector.dataset.encode import HARDWARE, EncoderSettings
from collector.dataset.encoder_cost import Measured, combined, measure
from collector.dataset.synthetic_clip import synthetic_clip
from collector.errors import UsageError

VERSION = 1  # of the measurement: results of another version are measured again
SOFTWARE = (
    ("libsvtav1", 12),
    ("libsvtav1", 13),
    ("h264", "veryfast"),
    ("h264", "superfast"),
    ("h264", "ultrafast"),
)
_CLIP_FRAMES = 24  # of a clip up to this size; fewer of larger ones, so that measuring stays as quick
_CLIP_PX = 640 * 480
_HOPELESS = 2.0  # times the budget, at which a candidate is measured no further

# Cores that one camera may take on any machine: it has a thread of its own, which must keep up.
MAX_CAMERA_LOAD = 0.75

Size = tuple[int, int]


@dataclass(frozen=True)
class Choice:
    """What was chosen of several measured encoders.

    Attributes:
        best: The encoder to use.
        lags: Whether even it is above the budget, so that encoding may fall behind.
        budget: Cores that it could have.
        verdicts: A line for each measured encoder, in their order: chosen, or why not.
    """

    best: Measured
    lags: bool
    budget: float
    verdicts: tuple[str, ...]


def default_budget(n_cores: int | None = None) -> float:
    """Return the cores that encoding may take: a quarter of the machine's, half a core of two.

    The rest is for control, cameras and what else a person runs. Beside it, `MAX_CAMERA_LOAD` holds.
    """
    return 0.25 * (n_cores or _n_cores())


def default_candidates(base: EncoderSettings) -> list[EncoderSettings]:
    """Return hardware encoders, then software from small files to fast, with the rest as in `base`."""
    pairs = [*((name, None) for name in HARDWARE), *SOFTWARE]
    return [replace(base, vcodec=vcodec, preset=preset) for vcodec, preset in pairs]


def probe(
    sizes: Sequence[Size],
    fps: float,
    candidates: Iterable[EncoderSettings] | None = None,
    budget: float | None = None,
    base: EncoderSettings | None = None,
) -> list[Measured]:
    """Measure encoders on this machine, in about a second for two cameras of 640x480.

    Nothing else should run in the process meanwhile: its threads would be counted.

    Args:
        sizes: (height, width) [px] of every camera; equal ones are measured once.
        fps: Pictures a second [Hz] of each.
        candidates: What to measure; by default `default_candidates(base)`.
        budget: Cores [1] that encoding may take; what is far above is not measured to the end.
        base: Quality, keyframes and pixel format.

    Raises:
        OSError: If the clips cannot be written.
    """
    budget = default_budget() if budget is None else budget
    base = base or EncoderSettings.of({"vcodec": "h264"})
    if candidates is None:
        candidates = default_candidates(base)
    counts = Counter(tuple(size) for size in sizes)
    all_px = sum(height * width for height, width in sizes)
    distinct_px = sum(height * width for height, width in counts)
    n_frames = min(_CLIP_FRAMES, max(8, _CLIP_FRAMES * _CLIP_PX // max(1, distinct_px)))
    clips = {(h, w): list(synthetic_clip(h, w, n_frames)) for h, w in counts}
    results = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for number, settings in enumerate(candidates):
            parts = []
            for size, clip in clips.items():
                # A frame's share of the budget goes by its pixels.
                share = budget * size[0] * size[1] / all_px
                limit_s = min(share, MAX_CAMERA_LOAD) / fps
                path = Path(folder) / f"{number}-{size[0]}x{size[1]}.mp4"
                parts.append((counts[size], measure(path, clip, fps, settings, _HOPELESS * limit_s)))
                if parts[-1][1].problem:
                    break
            results.append(combined(parts, len(sizes), fps))
    return results


def choose(measured: Sequence[Measured], budget: float | None = None) -> Choice:
    """Pick an encoder by its measurements.

    Those within the budget, and within `MAX_CAMERA_LOAD` a camera, are candidates: hardware before software,
    then the smallest file at equal quality. Where there is none, the fastest of all.

    Raises:
        UsageError: If not one could be measured.
    """
    budget = default_budget() if budget is None else budget
    runs = [one for one in measured if one.load is not None]
    if not runs:
        seen = "; ".join(f"{one.name}: {one.problem}" for one in measured) or "no candidates"
        raise UsageError(f"no video encoder works here ({seen}): change the encoder's settings")
    fitting = [one for one in runs if one.problem is None and _excess(one, budget) is None]
    devices = [one for one in fitting if one.hardware]
    if fitting:
        best = min(devices or fitting, key=lambda one: one.comparable_bytes)
    else:
        best = min(runs, key=lambda one: one.load or 0)
    verdicts = tuple(_verdict(one, best, budget, bool(fitting)) for one in measured)
    return Choice(best, not fitting, budget, verdicts)


def _excess(one: Measured, budget: float) -> str | None:
    """Return in words by what a measured encoder is above the limits, if it is."""
    if (one.load or 0) > budget:
        return f"{one.load:.2f} cores of {budget:.2f}"
    if (one.camera_load or 0) > MAX_CAMERA_LOAD:
        return f"{one.camera_load:.2f} cores of {MAX_CAMERA_LOAD:.2f} for one camera"
    return None


def _verdict(one: Measured, best: Measured, budget: float, fits: bool) -> str:
    if one is best:
        if not fits:
            return f"chosen as the fastest, but it may lag: {_excess(one, budget) or one.problem}"
        return "chosen: hardware" if one.hardware else "chosen: smallest at equal quality"
    if one.load is None:
        return one.problem or "not measured"
    excess = _excess(one, budget)
    if excess:
        return f"too slow: {excess}"
    if one.problem:
        return one.problem
    if best.hardware and not one.hardware:
        return "fits, but hardware is spared the processor"
    return (
        f"fits, but takes {one.comparable_bytes / best.comparable_bytes:.2f} times the bytes at equal quality"
    )


def measured_here(
    sizes: Sequence[Size], fps: float, base: EncoderSettings | None = None, renew: bool = False
) -> list[Measured]:
    """Return `probe`'s default measurement, from the cache where this machine has been measured already.

    Args:
        renew: Measure again in any case, and put that into the cache.

    Raises:
        OSError: If the clips cannot be written; a cache that cannot be read or written is ignored.
    """
    base = base or EncoderSettings.of({"vcodec": "h264"})
    key = _cache_key(sizes, fps, base)
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = cache_folder() / f"encoders-{digest}.json"
    if not renew:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            stored = json.loads(path.read_text())
            if stored["key"] == key:
                return [Measured(**one) for one in stored["measured"]]
    measured = probe(sizes, fps, base=base)
    with contextlib.suppress(OSError):
        durable.write_json(path, {"key": key, "measured": [asdict(one) for one in measured]})
    return measured


def settings_for(encoder_flags: Any, sizes: Sequence[Size], fps: float) -> EncoderSettings:
    """Return the encoder to record with: what the flags name, or for `vcodec=auto` what this machine can afford.

    A preset or further options belong to a codec, so that with `auto` they name it and nothing is measured: whole
    numbers and `svtav1-params` AV1, `p1` to `p7` NVENC, `x265-params` HEVC, and all others H.264.

    Args:
        encoder_flags: What `EncoderSettings.of` takes.
        sizes: (height, width) [px] of every camera.
        fps: Pictures a second [Hz] of each.

    Raises:
        UsageError: If the flags name a codec that cannot be used.
    """
    if not isinstance(encoder_flags, Mapping):
        encoder_flags = vars(encoder_flags or EncoderSettings())
    if encoder_flags.get("vcodec") != "auto":
        return EncoderSettings.of(encoder_flags)
    named = EncoderSettings.of({**encoder_flags, "vcodec": _codec_named_by(encoder_flags)})
    if named.preset is not None or named.extra_options or not sizes:
        return named
    try:
        best = choose(measured_here(sizes, fps, named)).best
    except (OSError, UsageError):
        return named  # what cannot be measured is tried all the same: opening it tells more
    return replace(named, vcodec=best.vcodec, preset=best.preset)


def _codec_named_by(flags: Mapping[str, Any]) -> str:
    """Return the codec that a preset or further options are of."""
    preset, extra = str(flags.get("preset") or ""), flags.get("extra_options") or {}
    if preset.isdigit() or "svtav1-params" in extra:
        return "libsvtav1"
    if re.fullmatch("p[1-7]", preset):
        return "h264_nvenc"
    return "hevc" if "x265-params" in extra else "h264"


def cache_folder() -> Path:
    """Return the user's folder for what can be made again, as the system has it; it need not exist."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - without a home it stays as it is instead of failing
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "demodeck" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "demodeck"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "demodeck"


def _cache_key(sizes: Sequence[Size], fps: float, base: EncoderSettings) -> dict[str, Any]:
    """Return whatever the measurement depends on, as JSON gives it back; 30 and 30.0 are the same."""
    encoder = {k: v for k, v in asdict(base).items() if k not in ("vcodec", "preset", "extra_options")}
    if base.crf is not None:
        encoder["crf"] = float(base.crf)
    return {
        "probe": VERSION,
        "cores": _n_cores(),
        "machine": platform.machine(),
        "processor": platform.processor(),
        "system": sys.platform,
        "pyav": av.__version__,
        "ffmpeg": {name: list(version) for name, version in av.library_versions.items()},
        "sizes": sorted(list(size) for size in sizes),
        "fps": float(fps),
        "encoder": encoder,
        "budget": default_budget(),
    }


def _n_cores() -> int:
    """Return the processor's cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
