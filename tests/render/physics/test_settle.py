"""What falls comes to rest, apart from all else, at any size."""

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from render.physics.pieces import thick_hull
from render.physics.settle import APART, Box, settle
from render.scene.surroundings import walls_around
from render.transforms import apply, random_rotation, rigid, rotation_angle

STILL_MM = 1.0


def solids(scale: float, count: int) -> list[list[np.ndarray]]:
    """Boxes, and crosses of two bars, about 10 cm times a scale."""
    box = trimesh.creation.box([0.1, 0.07, 0.05]).vertices * scale
    bars = [trimesh.creation.box(size).vertices * scale for size in ([0.12, 0.03, 0.03],) * 2]
    bars[1] = bars[1][:, [1, 0, 2]]
    return [[box] if i % 2 else bars for i in range(count)]


def starts(rng, scale: float, count: int) -> list[np.ndarray]:
    """One above the other, turned at random."""
    places = [[*rng.uniform(-0.03, 0.03, 2), 0.1 + 0.15 * i] for i in range(count)]
    return [rigid(random_rotation(rng), np.array(p) * scale) for p in places]


def depth(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """How deep points all over either of two bodies of boxes lie inside of the other, metres."""
    found = [0.0]
    for a, b in ((one, other), (other, one)):
        points = np.concatenate([trimesh.convex.convex_hull(p).sample(400, seed=0) for p in a])
        for planes in (ConvexHull(p).equations for p in b):
            found.append(-float((points @ planes[:, :3].T + planes[:, 3]).max(axis=1).min()))
    return max(found)


def test_a_box_comes_to_rest_flat_on_the_ground():
    box = [trimesh.creation.box([0.1, 0.2, 0.06]).vertices]
    tilted = rigid(trimesh.transformations.rotation_matrix(0.3, [1, 0, 0])[:3, :3], [0, 0, 0.2])
    (pose,) = settle([box], [tilted])
    bottom = apply(pose, box[0])[:, 2].min()
    assert 0 <= bottom <= APART * 0.2
    assert rotation_angle(pose[:3, :3], np.eye(3)) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.03, 1.0, 30.0])
def test_a_heap_is_at_rest_and_nothing_reaches_into_anything(scale, rng):
    bodies, begin = solids(scale, 6), starts(rng, scale, 6)
    lying = settle(bodies, begin, inside=(0.25 * scale,) * 2)
    later = settle(bodies, begin, inside=(0.25 * scale,) * 2, further=1.0)
    assert lying is not None and later is not None
    placed = [[apply(pose, p) for p in body] for body, pose in zip(bodies, lying, strict=True)]
    moved = [
        np.abs(apply(pose, p) - q).max()
        for body, pose, where in zip(bodies, later, placed, strict=True)
        for p, q in zip(body, where, strict=True)
    ]
    assert 1000 * max(moved) < STILL_MM * max(scale, 1)
    assert min(p[:, 2].min() for body in placed for p in body) >= 0
    for i, one in enumerate(placed):
        assert all(depth(one, other) < 0.001 * min(scale, 1) for other in placed[i + 1 :])


@pytest.mark.slow
def test_the_same_fall_ends_in_the_same_place_to_the_last_bit(rng):
    bodies, begin = solids(1.0, 4), starts(rng, 1.0, 4)
    one, other = settle(bodies, begin), settle(bodies, begin)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_what_falls_into_a_bin_lies_within_its_walls(rng):
    inner = (0.3, 0.35)
    walls = [Box(*wall) for wall in walls_around(np.array(inner), 0.12, 0.01)]
    bodies = solids(1.0, 6)
    lying = settle(bodies, starts(rng, 1.0, 6), walls, inner)
    assert lying is not None
    for body, pose in zip(bodies, lying, strict=True):
        points = np.concatenate([apply(pose, p) for p in body])
        low = points[points[:, 2] < 0.12]
        assert (np.abs(low[:, :2]) < np.array(inner) / 2).all()


def test_what_does_not_come_to_rest_is_no_scene(monkeypatch):
    monkeypatch.setattr("render.physics.settle.STEPS", 50)
    box = [thick_hull(trimesh.creation.box([0.1] * 3).vertices, 0.0)]
    assert settle([box], [rigid(np.eye(3), [0, 0, 5.0])]) is None


def test_a_body_almost_without_inertia_is_taken_for_one():
    cube, pin = (thick_hull(trimesh.creation.box(s).vertices, 0.0) for s in ([0.3] * 3, [4e-4] * 3))
    poses = [rigid(np.eye(3), [x, 0, 0.2]) for x in (0.0, 1.0)]
    settle([[cube], [pin]], poses)  # no ValueError; it may or may not lie still


def test_a_fall_that_gets_lost_is_no_scene_and_leaves_no_file(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("render.physics.settle.STEP", 50.0)
    bars = solids(1.0, 1)[0]
    fallen = [rigid(np.eye(3), [0, 0, 0.1 + 0.2 * i]) for i in range(4)]
    assert settle([bars] * 4, fallen) is None
    assert not list(tmp_path.iterdir()) and "WARNING" not in "".join(capfd.readouterr())
