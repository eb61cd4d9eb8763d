import numpy as np
import pytest
from scipy.spatial import ConvexHull
from trimesh import Trimesh
from trimesh.convex import convex_hull
from trimesh.poses import compute_stable_poses

from render.mesh.box import box_corners
from render.mesh.mesh import load_models
from render.scene.resting import LIFT, hull_of, lift_of, rest, stable_poses
from render.transforms import random_rotation

TOLERANCE = 1e-12  # metres; double precision of coordinates below a metre


def solid_angle_of_a_rectangle(a: float, b: float, height: float) -> float:
    """Seen from above its middle: 4 atan(ab / (h sqrt(a^2 + b^2 + h^2))) of its half sides."""
    return 4 * np.arctan(a * b / (height * np.sqrt(a**2 + b**2 + height**2)))


def test_a_cuboid_lands_on_each_face_as_often_as_its_solid_angle_says():
    half = np.array([0.02, 0.03, 0.05])
    rotations, probabilities = stable_poses(box_corners(np.stack([-half, half])) + [0.3, 0, -0.1])
    assert len(rotations) == 6
    expected = {}
    for axis in range(3):
        a, b = np.delete(half, axis)
        expected[axis] = solid_angle_of_a_rectangle(a, b, half[axis]) / (4 * np.pi)
    for R, probability in zip(rotations, probabilities, strict=True):
        (axis,) = np.flatnonzero(np.abs(R[2]) > 0.5)
        np.testing.assert_allclose(np.abs(R[2]), np.eye(3)[axis], atol=TOLERANCE)
        assert probability == pytest.approx(expected[axis], rel=1e-12)
    assert (np.diff(probabilities) < 1e-9).all() and probabilities.sum() == pytest.approx(1)


def test_what_lands_on_a_slanting_end_topples_onto_its_side():
    # A prism sheared along x: above its end faces there is no centre of mass, only beside them.
    square = np.array([[0, -1, -1], [0, -1, 1], [0, 1, 1], [0, 1, -1]]) * 0.01
    ends = [square + [x, 0, 0] + 3 * square[:, 2:] * [1, 0, 0] for x in (0.0, 0.01)]
    rotations, probabilities = stable_poses(np.concatenate(ends))
    downs = -rotations[:, 2]
    assert len(rotations) == 4 and probabilities.sum() == pytest.approx(1)
    assert (np.abs(downs[:, 0]) < 0.99).all()


def bundled() -> dict[int, np.ndarray]:
    return {i: m.mesh.vertices.astype(np.float64) for i, m in load_models(["assets"]).items()}


@pytest.mark.parametrize(("obj_id", "vertices"), bundled().items())
def test_trimesh_finds_the_same_poses_as_likely(obj_id, vertices):
    expected, their_probabilities = compute_stable_poses(convex_hull(vertices), seed=0)
    rotations, probabilities = stable_poses(vertices)
    assert len(rotations) == len(expected)
    # Each of ours is the nearest of theirs; they are told apart by what points down.
    nearest = np.argmax(rotations[:, 2] @ expected[:, 2, :3].T, axis=1)
    assert sorted(nearest) == list(range(len(expected)))
    np.testing.assert_allclose(rotations[:, 2], expected[nearest, 2, :3], atol=1e-9)
    # Where several edges are beyond reach, theirs may topple over another one.
    np.testing.assert_allclose(probabilities, their_probabilities[nearest], atol=0.02)


@pytest.mark.parametrize(("obj_id", "vertices"), bundled().items())
def test_the_centre_of_mass_is_above_what_touches_the_table(obj_id, vertices):
    hull = convex_hull(vertices)
    for R in stable_poses(vertices)[0]:
        turned = Trimesh(hull.vertices @ R.T, hull.faces, process=False)
        low = turned.vertices[:, 2].min()
        support = ConvexHull(turned.vertices[turned.vertices[:, 2] < low + 1e-9, :2])
        mass = turned.center_mass[:2]
        assert (support.equations[:, :2] @ mass + support.equations[:, 2] < 1e-9).all()


def test_at_rest_the_lowest_point_is_on_the_table_and_nothing_reaches_farther(rng):
    vertices = rng.normal(size=(200, 3)) * [0.1, 0.05, 0.02] + [0.2, -0.1, 0.3]
    R = random_rotation(rng)
    at_rest = rest(hull_of(vertices).points, R)
    placed = vertices @ at_rest.table_from_obj[:3, :3].T + at_rest.table_from_obj[:3, 3]
    np.testing.assert_array_equal(at_rest.table_from_obj[:3, :3], R)
    assert abs(placed[:, 2].min()) < TOLERANCE
    assert placed[:, 2].max() == pytest.approx(at_rest.height)
    np.testing.assert_allclose(placed[:, :2].min(axis=0), -placed[:, :2].max(axis=0))
    for k, angle in enumerate(np.linspace(0, 2 * np.pi, 32, endpoint=False)):
        reach = (placed[:, :2] @ [np.cos(angle), np.sin(angle)]).max()
        assert reach == pytest.approx(at_rest.reach[k])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flat_object_lies_on_one_of_its_two_sides(axis):
    flat = np.insert(np.random.default_rng(0).uniform(-0.1, 0.1, (30, 2)), axis, 0.02, axis=1)
    rotations, probabilities = stable_poses(flat)
    likely = np.abs(rotations[probabilities > 0.05][:, 2, axis])
    np.testing.assert_allclose(likely, 1, atol=1e-6)
    assert len(likely) == 2


def open_box(walls: bool, lid: bool) -> Trimesh:
    """A box of 10 cm without thickness: its floor, and what else is asked for."""
    whole = Trimesh(box_corners(np.array([[0, 0, 0], [0.1, 0.1, 0.05]])))
    whole = convex_hull(whole.vertices)
    z = whole.face_normals[:, 2]
    kept = (z < -0.5) | (walls & (np.abs(z) < 0.5)) | (lid & (z > 0.5))
    return Trimesh(whole.vertices, whole.faces[kept], process=False)


@pytest.mark.parametrize(
    ("walls", "lid", "seen"),
    [(False, False, True), (True, False, True), (False, True, False), (True, True, False)],
)
def test_what_would_be_seen_in_the_tables_plane_is_held_above_it(walls, lid, seen):
    mesh = open_box(walls, lid)
    spin = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    size = np.ptp(mesh.vertices @ spin.T, axis=0).max()
    assert lift_of(mesh.vertices, mesh.faces, spin) == pytest.approx(LIFT * size if seen else 0)
    upside_down = np.diag([1.0, -1.0, -1.0])
    lies_on_its_lid = lift_of(mesh.vertices, mesh.faces, upside_down) > 0
    assert lies_on_its_lid == (not (walls or lid))  # on walls nothing lies in the plane


def test_a_card_is_held_up_only_if_it_is_thinner_than_can_be_drawn():
    for thickness, lifted in ((0.0, True), (1e-6, True), (3e-4, False)):
        corners = box_corners(np.array([[0, 0, 0], [0.08, 0.05, max(thickness, 1e-9)]]))
        mesh = convex_hull(corners)
        lift = lift_of(mesh.vertices, mesh.faces, np.eye(3))
        assert (lift > 0) == lifted
        resting = rest(mesh.vertices, np.eye(3), lift)
        lowest = (mesh.vertices @ resting.table_from_obj[:3, :3].T)[:, 2].min()
        assert lowest + resting.table_from_obj[2, 3] == pytest.approx(lift, abs=TOLERANCE)
        assert resting.height == pytest.approx(lift + np.ptp(mesh.vertices[:, 2]))


def test_bundled_objects_stand_on_the_table_itself():
    for model in load_models(["assets"]).values():
        vertices = model.mesh.vertices.astype(np.float64)
        for R in [np.eye(3), *stable_poses(vertices)[0]]:
            assert lift_of(vertices, model.mesh.faces, R) == 0
