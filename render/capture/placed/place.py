"""How an object stands on the board: its resting poses, numbered as a person chooses among them."""

from dataclasses import dataclass

import numpy as np

from render.errors import InputError
from render.mesh.mesh import ObjectModel
from render.scene.resting import hull_of, rest, stable_poses
from render.transforms import apply

ALIKE_DEG = 10.0  # resting poses that are no further apart are one: a round side rolls
LEAST_LIKELY = 0.01
MOST = 8  # poses that are offered
LONGER = 1.05  # times its width: an object that is no longer is not turned
UPRIGHT_DEG = 5.0  # from the mesh's own z: it stands as it was modelled


@dataclass(frozen=True, eq=False)
class Resting:
    """A pose in which an object stays on the board.

    board_from_obj: (4, 4), the lowest point at z = 0 and the middle of the bounds, seen from above,
    at the board's origin. likely: the share of falls that end so.
    """

    board_from_obj: np.ndarray
    likely: float

    @property
    def down(self) -> np.ndarray:
        """(3,) unit, the object's direction that points into the board."""
        down: np.ndarray = -self.board_from_obj[2, :3]
        return down

    @property
    def words(self) -> str:
        """Which side is down, as an axis of the mesh: `-z`, or a direction."""
        axis = int(np.argmax(np.abs(self.down)))
        if abs(self.down[axis]) > np.cos(np.radians(UPRIGHT_DEG)):
            return f"{'-' if self.down[axis] < 0 else '+'}{'xyz'[axis]} down"
        return f"({', '.join(f'{c:.2f}' for c in self.down)}) down"


def resting_poses(model: ObjectModel) -> list[Resting]:
    """The poses in which an object may be put on the board.

    First the one in which it stands as it was modelled, z up, if it is stable so; then the
    likeliest. Those that differ by little, or by a symmetry of the object, count as one.
    """
    vertices = model.mesh.vertices.astype(np.float64)
    hull = hull_of(vertices)
    corners = hull.points[hull.vertices]
    rotations, shares = stable_poses(vertices)
    found: list[Resting] = []
    for R, share in zip(rotations, shares, strict=True):
        new = Resting(rest(corners, _along(corners, _ahead(R))).table_from_obj, float(share))
        i = next((i for i, old in enumerate(found) if _same(new, old, model.symmetries)), None)
        if i is None:
            found.append(new)
        else:
            found[i] = Resting(found[i].board_from_obj, found[i].likely + float(share))
    upright = np.cos(np.radians(UPRIGHT_DEG))
    found.sort(key=lambda r: (-r.down[2] < upright, -r.likely))
    kept = [r for i, r in enumerate(found) if i == 0 or r.likely >= LEAST_LIKELY]
    return kept[:MOST]


def resting_pose(model: ObjectModel, number: int) -> Resting:
    """One of them, counted from 0.

    Raises:
        InputError: there is none of that number; says which there are.
    """
    poses = resting_poses(model)
    if not 0 <= number < len(poses):
        listed = ", ".join(f"{i}: {pose.words}" for i, pose in enumerate(poses))
        raise InputError(f"--rest {number}: {model.source} rests in {len(poses)} poses ({listed})")
    return poses[number]


def footprint(model: ObjectModel, board_from_obj: np.ndarray) -> np.ndarray:
    """(2, 2) least and greatest x, y of the object on the board, metres."""
    placed = apply(board_from_obj, model.mesh.vertices.astype(np.float64))[:, :2]
    return np.stack([placed.min(axis=0), placed.max(axis=0)])


def _ahead(R: np.ndarray) -> np.ndarray:
    """A rotation onto the board, turned so that the mesh's x, or else its y, runs along x."""
    axis = 0 if np.hypot(*R[:2, 0]) > 0.3 else 1
    c, s = R[:2, axis] / np.hypot(*R[:2, axis])
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ R


def _along(corners: np.ndarray, R: np.ndarray) -> np.ndarray:
    """A rotation onto the board, by a quarter turn more if the object is longer along y.

    The board's page lies, so that there is more room along x.
    """
    across, up = np.ptp(corners @ R[:2].T, axis=0)
    return np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]) @ R if up > LONGER * across else R


def _same(a: Resting, b: Resting, symmetries: np.ndarray) -> bool:
    """Whether two poses have the same side down, up to a symmetry."""
    downs = symmetries[:, :3, :3] @ a.down  # (s, 3)
    return bool((downs @ b.down).max() > np.cos(np.radians(ALIKE_DEG)))
