"""Write the bundled hand, `hand.npz`: `python assets/make_hand.py`.

A right hand in the layout of `render.hand.model.HandModel`, in metres; the same arrays each time.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

ASSETS = Path(__file__).resolve().parent
if not __package__:  # run as a script: Python then knows this folder, not the project's
    sys.path.insert(0, str(ASSETS.parent))

from assets import hand_mesh, hand_paint, hand_rig, hand_skeleton
from assets.hand_surface import hand_distance
from render.hand.model import PARENTS

BOX = np.array([[-105.0, -66.0, -62.0], [90.0, 205.0, 40.0]])  # mm, around the hand
STEP = 2.0  # of the first, fine mesh
# Distance between vertices by y, wrist to fingers: skin that bends needs more of them.
SPACING = np.array([[-60.0, 9.0], [0.0, 8.0], [60.0, 6.0], [100.0, 4.5]])


def build() -> dict[str, np.ndarray]:
    """The arrays of the hand model, in metres."""
    vertices, faces = _mesh()
    joints, tips = hand_skeleton.joints()
    weights = hand_rig.skinning_weights(vertices, faces)
    of_joints = np.eye(len(joints))
    lengths = {
        "vertices": vertices,
        "joints": joints,
        "shape_directions": hand_rig.shape_directions(vertices, weights),
        "joint_directions": hand_rig.shape_directions(joints, of_joints),
        "pose_directions": hand_rig.pose_directions(vertices, weights),
    }
    return {name: (values / 1000).astype(np.float32) for name, values in lengths.items()} | {
        "faces": faces.astype(np.int32),
        "parents": np.array(PARENTS, np.int32),
        "weights": weights.astype(np.float32),
        "tips": np.linalg.norm(vertices[:, None] - tips, axis=2).argmin(axis=0).astype(np.int32),
        "colors": hand_paint.skin(vertices, hand_mesh.gradient(hand_distance, vertices)),
    }


def make_hand(folder: Path) -> None:
    """Write hand.npz into a folder."""
    arrays: dict[str, Any] = build()
    np.savez_compressed(folder / "hand.npz", **arrays)


def _mesh() -> tuple[np.ndarray, np.ndarray]:
    fine, faces = hand_mesh.subdivide(*hand_mesh.surface_net(hand_distance, BOX, STEP))
    fine = hand_mesh.project(hand_distance, fine)
    normals = hand_mesh.gradient(hand_distance, fine)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    spacing = np.interp(fine[:, 1], *SPACING.T)
    seeds, faces = hand_mesh.resample(fine, faces, normals, spacing)
    return hand_mesh.project(hand_distance, seeds), faces


if __name__ == "__main__":
    make_hand(ASSETS)
