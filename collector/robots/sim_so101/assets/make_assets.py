"""Makes the SO-101's model and meshes in this folder; needed at development time only.

    pip install so101-nexus==0.10.0
    python collector/robots/sim_so101/assets/make_assets.py

What is seen is clustered: the original 348,000 faces take 40 to 700 ms a picture in software. Vertices that
share a cell of a grid become one, at the point nearest to the planes of all faces that meet there (P.
Lindstrom, "Out-of-core simplification of large polygonal models", SIGGRAPH 2000, eqs. 1 and 5), so that edges
stay sharp. What collides is copied byte for byte.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
# Cell size [m]: fine where the wrist camera looks from near, coarse for what hides inside the arm or stands
# far away.
CELL_M = 0.006
CELLS_M = {
    "moving_jaw_so101_v1": 0.004,
    "wrist_roll_follower_so101_v1": 0.004,
    "base_so101_v2": 0.009,
    "base_motor_holder_so101_v1": 0.009,
    "motor_holder_so101_base_v1": 0.008,
    "motor_holder_so101_wrist_v1": 0.008,
    "sts3215_03a_no_horn_v1": 0.008,
    "sts3215_03a_v1": 0.008,
}
# Singular values under this fraction of the largest carry no direction (Lindstrom 2000, section 3.3).
FLATNESS = 1e-3

STL_FACE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])

# The source's camera is 16:9; square pictures need a wider angle to show the jaws and what they reach for.
WRIST_CAMERA = r'<camera name="wrist"\1 fovy="70"/>'


def read_stl(path: Path) -> np.ndarray:
    """Return the corners of a binary STL's faces, float64, (n_faces, 3, 3)."""
    return np.frombuffer(path.read_bytes(), STL_FACE, offset=84)["corners"].astype(np.float64)


def write_stl(path: Path, corners: np.ndarray) -> None:
    """Write faces, (n_faces, 3, 3), as a binary STL."""
    faces = np.zeros(len(corners), STL_FACE)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    faces["normal"] = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    faces["corners"] = corners
    path.write_bytes(b"\0" * 80 + np.uint32(len(faces)).tobytes() + faces.tobytes())


def cluster(corners: np.ndarray, cell_m: float) -> np.ndarray:
    """Merge the vertices of each grid cell into one.

    Args:
        corners: Faces, (n_faces, 3, 3) [m].
        cell_m: Edge of a cell [m].

    Returns:
        The faces that still have three different corners, each once, (m_faces, 3, 3).
    """
    cells = np.floor((corners - corners.min(axis=(0, 1))) / cell_m).astype(np.int64)
    _, cell_of = np.unique(cells.reshape(-1, 3), axis=0, return_inverse=True)
    cell_of = cell_of.reshape(-1, 3)
    n_cells = cell_of.max() + 1
    points = corners.reshape(-1, 3)
    area_normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # Each face adds its plane to the cells of its corners, weighted by its squared area.
    plane = np.repeat(area_normal[:, None], 3, axis=1).reshape(-1, 3)
    weight = np.repeat(np.linalg.norm(area_normal, axis=1), 3) + 1e-12
    index = cell_of.ravel()
    total = np.bincount(index, weight, n_cells)
    mean = (
        np.stack([np.bincount(index, weight * points[:, k], n_cells) for k in range(3)], axis=1)
        / total[:, None]
    )
    offset = np.einsum("ij,ij->i", plane, points - mean[index])
    quadric = np.zeros((n_cells, 3, 3))
    np.add.at(quadric, index, plane[:, :, None] * plane[:, None, :])
    right = np.zeros((n_cells, 3))
    np.add.at(right, index, plane * offset[:, None])
    u, s, vt = np.linalg.svd(quadric)
    inverse = np.where(s > FLATNESS * s[:, :1], 1 / np.maximum(s, 1e-300), 0)
    step = np.einsum("nji,nj,nkj,nk->ni", vt, inverse, u, right)
    # A nearly singular cell may throw its point far away: keep it inside.
    merged = mean + np.clip(step, -cell_m / 2, cell_m / 2)
    a, b, c = cell_of.T
    triangles = cell_of[(a != b) & (b != c) & (a != c)]
    # The two sides of a thin wall may fall on the same three points: they differ in their sense, so both
    # stay.
    turned = (triangles.argmin(axis=1)[:, None] + np.arange(3)) % 3
    _, first = np.unique(np.take_along_axis(triangles, turned, axis=1), axis=0, return_index=True)
    return merged[triangles[np.sort(first)]]


def main() -> int:
    spec = importlib.util.find_spec("so101_nexus")
    if spec is None or spec.origin is None:
        print("so101-nexus is not installed: run 'pip install so101-nexus==0.10.0'", file=sys.stderr)
        return 1
    source = Path(spec.origin).parent / "assets" / "SO101_menagerie"
    model = (source / "so101.xml").read_text()
    used = set(re.findall(r'\bmesh="([\w]+)"', model))
    colliding = set(re.findall(r'class="collision\w*"[^>]*\bmesh="(\w+)"', model))
    (HERE / "meshes").mkdir(exist_ok=True)
    for name in sorted(used):
        target = HERE / "meshes" / f"{name}.stl"
        if name in colliding:
            target.write_bytes((source / "assets" / target.name).read_bytes())
            continue
        corners = read_stl(source / "assets" / target.name)
        merged = cluster(corners, CELLS_M.get(name, CELL_M))
        write_stl(target, merged)
        print(f"{name}: {len(corners)} -> {len(merged)} faces")
    for line, name in re.findall(r'(\n *<mesh [^>]*file="(\w+)\.stl"/>)', model):
        if name not in used:
            model = model.replace(line, "")
    model = model.replace('meshdir="assets"', 'meshdir="meshes"')
    model, cameras = re.subn(
        r'<camera name="wrist_cam"(.*?) resolution="[^"]*"\s+fovy="[^"]*"/>', WRIST_CAMERA, model
    )
    assert cameras == 1, "the source's wrist camera is not as expected: was another version installed?"
    notice = "  <!--\n    Made by make_assets.py: see PROVENANCE.md for what demodeck changed.\n  -->\n"
    model = model.replace('<mujoco model="so101">\n', '<mujoco model="so101">\n' + notice, 1)
    (HERE / "so101.xml").write_text(model)
    (HERE / "LICENSE").write_bytes((source / "LICENSE").read_bytes())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
