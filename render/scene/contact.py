"""How far the objects of rendered scenes reach into one another and their table, on their meshes.

Measured from what a dataset holds, the meshes and each frame's scene_spec.json, whatever placed
the objects there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import cKDTree
from trimesh.triangles import closest_point

from render.formats.bop_records import read_records
from render.mesh.mesh import Mesh, load_models
from render.scene.furnishings import GROUNDS, all_props, furnishings
from render.scene.resting import hull_of
from render.scene.spec import SceneSpec
from render.transforms import apply, invert

SPACING = 0.01  # of an object's size, between the points of its surface that are looked at
ROUNDS = 32  # of the search for a plane between two hulls
PAIRS = 1 << 21  # of a point and a face, at once
POINTS = 1 << 12  # at once
LIES = 1e-3  # metres above the table: what is higher may lie on something else
FEW = 16  # points of a surface that tell whether it is inside of another as a whole
NEAREST = 64  # points of a surface, whose way to another is measured


@dataclass(frozen=True)
class Contact:
    """depth: how far anything reaches into anything else, metres. gap: the largest way from an
    object's lowest point to the table, or from it to what it lies on, metres. frames: how many were
    measured. heaped: whether any lies on another.
    """

    depth: float
    gap: float
    frames: int
    heaped: bool = False

    def __str__(self) -> str:
        return (
            f"on tables, in {self.frames} frames: objects reach at most {1000 * self.depth:.2f} mm"
            f" into one another or the table, and end at most {1000 * self.gap:.2f} mm above it"
            + self.heaped
            * " or what they lie on"
        )


def dataset_contact(root: Path, split: str | None = None) -> Contact | None:
    """The deepest contact and the highest gap in a dataset that `render` made; all splits if None.

    None if no frame of it has a table, it was not rendered from specs, or a mesh of it is missing.

    Raises:
        InputError: a file of it is missing or damaged.
    """
    meshes = {obj_id: prop.mesh for obj_id, prop in all_props().items()}
    if (root / "models").is_dir():
        models = load_models([root / "models"], "mm")
        meshes |= {obj_id: model.mesh for obj_id, model in models.items()}
    hulls: dict[int, np.ndarray] = {}
    specs = [s for s in _specs(root, split) if any(p.obj_id in GROUNDS for p in s.objects)]
    if not {p.obj_id for s in specs for p in s.objects if p.posture is None} <= set(meshes):
        return None
    # Frames may share a scene, and then show the same things in the same places.
    scenes = {_arrangement(spec): spec for spec in specs}
    found = [scene_contact(spec, meshes, hulls) for spec in scenes.values()]
    if not found:
        return None
    depth, gap = max(c.depth for c in found), max(c.gap for c in found)
    return Contact(depth, gap, len(specs), any(c.heaped for c in found))


def scene_contact(
    spec: SceneSpec, meshes: Mapping[int, Mesh], hulls: dict[int, np.ndarray] | None = None
) -> Contact:
    """The deepest contact and the highest gap in one scene; the gap is 0 without a table.

    Hands are left out: nothing keeps them from what they hover over.

    Args:
        hulls: the vertices of the meshes' convex hulls; those that are missing are added.
    """
    hulls = {} if hulls is None else hulls
    things: list[tuple[_Solid, np.ndarray]] = []
    fixed: list[tuple[_Solid, np.ndarray]] = []  # walls and windows, which meet one another
    tables: list[np.ndarray] = []
    for placed in spec.objects:
        if placed.posture is not None:
            continue
        obj_id, mesh = placed.obj_id, meshes[placed.obj_id]
        if obj_id in GROUNDS:
            tables.append(placed.matrix)
            continue
        if obj_id not in hulls:
            hull = hull_of(mesh.vertices.astype(np.float64))
            hulls[obj_id] = hull.points[hull.vertices]
        stretch = np.array(placed.stretch)
        solid = _Solid(mesh, stretch, hulls[obj_id] * stretch)
        (fixed if obj_id in furnishings() else things).append((solid, placed.matrix))

    bodies = [*things, *fixed]
    depths = [
        _depth(one, other, invert(cam_from_one) @ cam_from_other)
        for i, (one, cam_from_one) in enumerate(things)
        for other, cam_from_other in bodies[i + 1 :]
    ]
    gaps, heaped = [], False
    for cam_from_table in tables:
        for i, (solid, cam_from_obj) in enumerate(things):
            points = apply(invert(cam_from_table) @ cam_from_obj, solid.hull_vertices)
            height = float(points[:, 2].min())
            depths.append(-height)
            if height > LIES:
                others = bodies[:i] + bodies[i + 1 :]
                away = min([np.inf, *_ways((solid, cam_from_obj), others)])
                height, heaped = min(height, away), heaped or away < height
            gaps.append(height)
    return Contact(max([0.0, *depths]), max([0.0, *gaps]), 1, heaped)


def _arrangement(spec: SceneSpec) -> tuple:
    """What two specs share that differ in camera, light and looks alone; to a tenth of a micron."""
    first_from_cam = invert(spec.objects[0].matrix)
    poses = [(first_from_cam @ placed.matrix).round(7) + 0.0 for placed in spec.objects]
    return tuple(
        (placed.obj_id, placed.stretch, placed.posture, pose.tobytes())
        for placed, pose in zip(spec.objects, poses, strict=True)
    )


@dataclass(frozen=True, eq=False)
class _Solid:
    """A stretched mesh in its own frame. hull_vertices: (n, 3), stretched like the mesh."""

    mesh: Mesh
    stretch: np.ndarray
    hull_vertices: np.ndarray

    @cached_property
    def vertices(self) -> np.ndarray:
        return self.mesh.vertices.astype(np.float64) * self.stretch

    @cached_property
    def equations(self) -> np.ndarray:
        """(k, 4) of the hull's faces."""
        return hull_of(self.hull_vertices).equations

    @cached_property
    def surface(self) -> np.ndarray:
        """(n, 3) points all over the surface, the vertices among them."""
        spacing = self.spacing
        sides = np.linalg.norm(self.triangles - np.roll(self.triangles, 1, axis=1), axis=2)
        steps = np.ceil(sides.max(axis=1) / spacing).astype(int).clip(min=1)
        points = []
        for count in np.unique(steps):
            u, v = np.mgrid[: count + 1, : count + 1].reshape(2, -1) / count
            weights = np.stack([1 - u - v, u, v], axis=1)[u + v < 1 + 1e-9]
            points.append((weights @ self.triangles[steps == count]).reshape(-1, 3))
        sampled = np.concatenate(points)
        _, kept = np.unique(np.round(sampled / spacing), axis=0, return_index=True)
        return np.concatenate([self.vertices, sampled[kept]])

    @cached_property
    def triangles(self) -> np.ndarray:
        """(m, 3, 3) corners of the faces, but for those without area, which bound nothing."""
        corners = self.vertices[self.mesh.faces]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return corners[across.any(axis=1)]

    @cached_property
    def centroids(self) -> cKDTree:
        return cKDTree(self.triangles.mean(axis=1))

    @cached_property
    def surface_tree(self) -> cKDTree:
        return cKDTree(self.surface)

    @cached_property
    def spacing(self) -> float:
        """Between the points of `surface`, metres."""
        return SPACING * float(np.ptp(self.vertices, axis=0).max())

    def depths(self, points: np.ndarray, spacing: float) -> np.ndarray:
        """How deep those of (n, 3) points lie that are inside: (k,) metres to the surface.

        Args:
            spacing: between the points, which lie all over a surface, metres.
        """
        inside_hull = (points @ self.equations[:, :3].T + self.equations[:, 3] < 0).all(axis=1)
        points = points[inside_hull]
        if not len(points):
            return np.empty(0)
        # Where surfaces cross, points near the one are inside of the other; where they do not, all
        # points are inside, or none. So these few tell whether the others are to be looked at.
        reach = self.spacing + spacing
        near = self.surface_tree.query(points, distance_upper_bound=reach)[0] < np.inf
        few = np.concatenate([points[near], points[:: 1 + len(points) // FEW]])
        if not (self._winding_numbers(few) > 0.5).any():
            return np.empty(0)
        inside = points[self._winding_numbers(points) > 0.5]
        if not len(inside):
            return np.empty(0)
        blocks = np.array_split(inside, 1 + len(inside) // POINTS)
        return np.concatenate([self._distances(block) for block in blocks])

    def _winding_numbers(self, points: np.ndarray) -> np.ndarray:
        """How often the surface goes around each of (n, 3) points; 0 outside, 1 inside.

        A. Jacobson et al., "Robust inside-outside segmentation using generalized winding numbers",
        2013: so holes, which scans have, only blur it.
        """
        numbers = [np.empty(0)]
        for part in np.array_split(points, 1 + len(points) * len(self.triangles) // PAIRS):
            a, b, c = np.moveaxis(self.triangles - part[:, None, None], 2, 0)
            x, y, z = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
            volume = np.einsum("...i,...i", a, np.cross(b, c))
            ab, bc, ca = (np.einsum("...i,...i", p, q) for p, q in ((a, b), (b, c), (c, a)))
            angles = 2 * np.arctan2(volume, x * y * z + ab * z + bc * x + ca * y)
            numbers.append(angles.sum(axis=1) / (4 * np.pi))
        return np.concatenate(numbers)

    def _distances(self, points: np.ndarray) -> np.ndarray:
        """From each of (n, 3) points to the nearest point of the surface, metres."""
        middles = self.triangles.mean(axis=1)
        radius = np.linalg.norm(self.triangles - middles[:, None], axis=2).max()
        near = self.centroids.query_ball_point(points, self.centroids.query(points)[0] + radius)
        counts = [len(faces) for faces in near]
        point = np.repeat(points, counts, axis=0)
        found = closest_point(self.triangles[np.concatenate(near).astype(int)], point)
        starts = np.cumsum([0, *counts[:-1]])
        return np.minimum.reduceat(np.linalg.norm(found - point, axis=1), starts)


def _depth(one: _Solid, other: _Solid, one_from_other: np.ndarray) -> float:
    """How far the surface of either lies inside the other, metres."""
    if _a_plane_parts(one.hull_vertices, apply(one_from_other, other.hull_vertices)):
        return 0.0
    depths = [
        one.depths(apply(one_from_other, other.surface), other.spacing),
        other.depths(apply(invert(one_from_other), one.surface), one.spacing),
    ]
    return max([0.0, *np.concatenate(depths).tolist()])


def _ways(
    body: "tuple[_Solid, np.ndarray]", others: "list[tuple[_Solid, np.ndarray]]"
) -> Iterator[float]:
    """From a body's surface to those of others that are near, metres; of points all over either, so
    that it may be a little more."""
    one, cam_from_one = body
    for other, cam_from_other in others:
        one_from_other = invert(cam_from_one) @ cam_from_other
        for a, b, a_from_b in ((one, other, one_from_other), (other, one, invert(one_from_other))):
            points, reach = apply(a_from_b, b.surface), 2 * (a.spacing + b.spacing)
            low, high = a.hull_vertices.min(axis=0) - reach, a.hull_vertices.max(axis=0) + reach
            points = points[((points > low) & (points < high)).all(axis=1)]
            if len(points):
                away, _ = a.surface_tree.query(points, distance_upper_bound=reach)
                nearest = points[np.argsort(away)[:NEAREST]]
                yield float(a._distances(nearest).min())


def _a_plane_parts(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a plane has (n, 3) points on one side of it and (m, 3) on the other.

    Looked for as K. Chung and W. Wang do, "Quick collision detection of polytopes in virtual
    environments", 1996, and by linear programming where that is slow: the two all but touch.
    """
    direction = b.mean(axis=0) - a.mean(axis=0)
    for _ in range(ROUNDS):
        between = b[np.argmin(b @ direction)] - a[np.argmax(a @ direction)]
        if between @ direction > 0:
            return True
        length = np.linalg.norm(between)
        if length < 1e-12:
            return False
        direction = direction - 2 * (between @ direction) / length**2 * between

    # Normal, offset and margin of a plane: the widest margin on both sides.
    margin = np.concatenate([np.insert(a, 3, 1, axis=1), -np.insert(b, 3, 1, axis=1)])
    margin = np.insert(margin, 4, 1, axis=1)
    bounds = [(-1, 1)] * 3 + [(None, None)] * 2
    found = linprog([0, 0, 0, 0, -1], margin, np.zeros(len(margin)), bounds=bounds)
    return bool(found.x[4] > 0)


def _specs(root: Path, split: str | None) -> Iterator[SceneSpec]:
    for path in sorted(root.glob(f"{split or '*'}/*/scene_spec.json")):
        for im_id, record in read_records(path).items():
            yield SceneSpec.from_plain(record, f"{path}, image {im_id}")
