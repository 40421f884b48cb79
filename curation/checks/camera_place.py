"""Cameras that stand elsewhere than usual, or were exchanged: by portraits of the view (with `--video`)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, longest, runs, skip
from curation.checks.register import Place, misfit_of, place_of
from curation.grey import PORTRAITS

NOT_READ = "the video was not read (run with --video)"
NO_PORTRAIT = "too few flights, or pictures of several sizes: what the cameras usually show is not known"
PARTS = {"": slice(0, 4), " (second half)": slice(2, 4), " (last quarter)": slice(3, 4)}
"""Quarters that must agree: a camera that was moved stays so to the end."""
UNSURE = 0.15
"""Standard error [pixels of the portrait] from which on a quarter says nothing: an arm hides what could tell."""
SURE = 0.03
"""Standard error [pixels] up to which a shift counts in full; a less certain one counts as much less."""
ALIKE = 0.5
"""Cameras whose usual pictures misfit each other by less [sigmas] cannot be told apart."""
BETTER = 0.8
"""An exchanged camera's picture misfits the other's place by at most this share of what it does its own."""


def _spans(n_frames: int, n_parts: int) -> list[tuple[int, int]]:
    ends = np.linspace(0, n_frames, n_parts + 1).astype(int).tolist()
    return list(pairwise(ends))


def places_of(episode: Episode, reference: Reference, camera: str) -> list[Place]:
    """Return where a camera's portraits stand against the set's; none where either is unknown."""
    key = f"places {camera}"
    if key not in episode.memo:
        model, portraits = reference.pictures.get(camera), episode.video[camera].get("portraits", np.zeros(0))
        known = model is not None and portraits.shape[1:] == model.usual.shape
        episode.memo[key] = (
            [place_of(p, model.view) for p in portraits] if model is not None and known else []
        )
    return episode.memo[key]


def measure_moved(episode: Episode, reference: Reference) -> Measure:
    """Take where the portraits stand against the set's, in % of its width: the whole flight, its second half, its end.

    Along each of the view's two axes; registered by `register.place_of`. A camera whose view moves with the arm has no
    background; what stays in its view, such as a jaw, still tells how it is mounted: across its edges well, along them
    hardly.
    """
    if not episode.video:
        return skip(NOT_READ)
    features, spans, labels, words = [], [], [], []
    known = False
    for camera, series in sorted(episode.video.items()):
        model, places = reference.pictures.get(camera), places_of(episode, reference, camera)
        shifts: np.ndarray
        shifts, weight = np.full((PORTRAITS, 2), np.nan), np.ones((PORTRAITS, 2))
        if model is not None and places:
            known = True
            shifts = np.array([100 / series["portraits"].shape[2] * p.shift for p in places])
            unsure = np.array([p.unsure for p in places])
            shifts[unsure > UNSURE] = np.nan
            weight = np.minimum(1.0, SURE / np.maximum(unsure, 1e-6))
            if np.isfinite(shifts).all(axis=1).any():
                words.append(f"{camera} by {np.nanmax(np.hypot(*shifts.T)):.1f} %")
        shifts = shifts * weight
        for name, kept in PARTS.items():
            features += _agreed(shifts[kept]).tolist()
            q = kept.start
            spans += [_alike(shifts, q, len(episode)) if q else None] * 2
            labels += [f"{camera}{name}", f"{camera}{name}, along"]
    if not known:
        return skip(NO_PORTRAIT)
    return Measure(
        features=np.array(features),
        spans=spans,
        labels=labels,
        words=f"the view stands off its usual place ({', '.join(words)} of its width): of",
    )


def _agreed(shifts: np.ndarray) -> np.ndarray:
    """Return what quarters agree on along each axis, (n, 2) -> (2,): of four the second least shift, else the least.

    What hides a part of the view for a quarter, as a cube between the jaws, shifts that one alone.
    """
    order = np.argsort(np.abs(shifts), axis=0)[len(shifts) // 4 if len(shifts) > 2 else 0]
    return shifts[order, [0, 1]]


def _alike(shifts: np.ndarray, q: int, n_frames: int) -> tuple[int, int] | None:
    """Return the frames of the quarters around `q` whose shift is nearer to its own than to none."""
    if not np.isfinite(shifts[q]).all():
        return None
    near = ~(np.hypot(*(shifts - shifts[q]).T) > 0.5 * np.hypot(*shifts[q]))  # the unknown go with the others
    first, last = next((a, b) for a, b in runs(near).tolist() if a <= q < b)
    parts = _spans(n_frames, len(shifts))
    return parts[first][0], parts[last - 1][1]


def measure_swap(episode: Episode, reference: Reference) -> Measure:
    """Score the share of the flight, in %, in which a camera's portrait fits another camera's place far better.

    Far better: its misfit there (see `register.Place`) is at most 0.8 of that at its own place.
    """
    if not episode.video:
        return skip(NOT_READ)
    models = {c: m for c, m in reference.pictures.items() if c in episode.video and m.usual.size}
    if len(models) < 2:
        return skip("fewer than two cameras whose usual pictures are known")
    worst, told = Measure(0.0), False
    for camera, own in models.items():
        portraits = episode.video[camera].get("portraits", np.zeros((0, 0, 0)))
        if portraits.shape[1:] != own.usual.shape or not len(portraits):
            continue
        parts = _spans(len(episode), len(portraits))
        for other, model in models.items():
            if other == camera or model.usual.shape != own.usual.shape:
                continue
            if misfit_of(own.usual, model.usual, model.sigma) < ALIKE:
                continue
            told = True
            pictures = [p.astype(np.float32) for p in portraits]
            better = np.array(
                [
                    misfit_of(p, model.usual, model.sigma) <= BETTER * misfit_of(p, own.usual, own.sigma)
                    for p in pictures
                ]
            )
            span = longest(runs(better))
            if span is not None and 100 * better.mean() > worst.score:
                frames = parts[span[0]][0], parts[span[1] - 1][1]
                worst = Measure(100 * float(better.mean()), frames, f"{camera} shows what {other} should")
    return worst if told else skip("cameras whose pictures are alike, or of different sizes")


MOVED = Check(
    "camera_moved",
    "sigma",
    "a camera that stands elsewhere than in the set, or moved within the flight",
    measure_moved,
    Rule(fault=None, warn=6, against_set=False),
    video=True,
    per_joint=PerJoint(floor=0.04, rel=0.0, both=True),
)
SWAP = Check(
    "camera_swap",
    "% of the frames",
    "two cameras that were exchanged",
    measure_swap,
    Rule(fault=20, warn=None, against_set=False),
    video=True,
)
