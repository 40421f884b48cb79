"""The model's files: light enough to keep and draw, and made by the script beside them."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

import numpy as np
import pytest

ASSETS = Path(__file__).parents[3] / "collector" / "robots" / "sim_so101" / "assets"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ASSETS / "make_assets.py"))


def test_the_assets_are_small_and_say_where_they_come_from():
    files = [path for path in ASSETS.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert "Apache License" in (ASSETS / "LICENSE").read_text()
    assert "robotstudio_so101" in (ASSETS / "PROVENANCE.md").read_text()
    assert (ASSETS / "NOTICE").is_file()
    assert not (ASSETS / "__init__.py").exists(), "the script is no module of ours"


def test_what_is_seen_is_clustered_and_what_collides_is_not(script):
    faces = {path.stem: len(script["read_stl"](path)) for path in (ASSETS / "meshes").glob("*.stl")}
    collide = {name for name in faces if "_gripper_part" in name}
    assert len(collide) == 3
    assert sum(n for name, n in faces.items() if name not in collide) < 10_000
    assert min(faces[name] for name in collide) > 1_000


def test_the_script_makes_what_is_kept(script, tmp_path):
    spec = importlib.util.find_spec("so101_nexus")
    if spec is None:
        pytest.skip("so101-nexus is not installed: it is needed to remake the assets only")
    source = Path(spec.origin).parent / "assets" / "SO101_menagerie" / "assets"
    for name in ("waveshare_mounting_plate_so101_v2", "base_so101_v2"):
        cell_m = script["CELLS_M"].get(name, script["CELL_M"])
        script["write_stl"](
            tmp_path / "made.stl", script["cluster"](script["read_stl"](source / f"{name}.stl"), cell_m)
        )
        kept = script["read_stl"](ASSETS / "meshes" / f"{name}.stl")
        np.testing.assert_allclose(script["read_stl"](tmp_path / "made.stl"), kept, atol=1e-6)
    for kept in (ASSETS / "meshes").glob("*_gripper_part*.stl"):
        assert kept.read_bytes() == (source / kept.name).read_bytes()


def test_clustering_keeps_the_shape(script):
    """A finely cut cube of 40 mm becomes a coarse one: same size, flat sides, outward sense, no two faces alike."""
    n = 40
    grid = np.linspace(0, 0.04, n + 1)
    u, v = np.meshgrid(grid[:-1], grid[:-1])
    step = grid[1]
    a, b, c, d = ([u, v], [u + step, v], [u + step, v + step], [u, v + step])
    halves = np.concatenate(
        [
            np.stack([np.stack([*p, 0 * u], -1) for p in half], -2).reshape(-1, 3, 3)
            for half in ((a, b, c), (a, c, d))
        ]
    )
    sides = []
    for axis in range(3):
        for top in (0, 1):
            side = np.roll(halves + np.array([0, 0, 0.04 * top]), axis, axis=2)
            sides.append(side if top else side[:, ::-1])
    corners = np.concatenate(sides)
    made = script["cluster"](corners, 0.0101)
    assert len(made) < len(corners) / 50
    np.testing.assert_allclose(
        [made.min(axis=(0, 1)), made.max(axis=(0, 1))], [[0] * 3, [0.04] * 3], atol=1e-4
    )
    volume = np.einsum("ij,ij->", made[:, 0], np.cross(made[:, 1], made[:, 2])) / 6
    assert volume == pytest.approx(0.04**3, rel=0.01)
