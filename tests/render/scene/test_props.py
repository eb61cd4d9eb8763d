import numpy as np
import pytest

from render.scene.props import SOLIDS, TABLES, props, solid_kind, surface_kind
from render.scene.textures import KINDS, draw_texture

# Volume of each kind in a cube of side 1; round ones are polygons of 48 sides.
AREA = 6 * np.sin(2 * np.pi / 48)  # of a disc of diameter 1: n/2 r^2 sin(2 pi / n)


def signed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Positive only if the faces enclose it, seen counter-clockwise from outside."""
    return float(np.linalg.det(vertices[faces].astype(np.float64)).sum() / 6)


@pytest.mark.parametrize("obj_id", [*TABLES, *SOLIDS])
def test_a_prop_is_a_closed_solid_of_size_one_whose_normals_point_outwards(obj_id):
    prop = props()[obj_id]
    mesh = prop.mesh
    top = 0.0 if obj_id in TABLES else 1.0
    np.testing.assert_allclose(prop.box, [[-0.5, -0.5, top - 1], [0.5, 0.5, top]], atol=1e-6)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # Faces with an area lie between their corners' normals.
    large = np.linalg.norm(crosses, axis=1) > 1e-9
    outwards = np.einsum("ij,ikj->ik", crosses, mesh.normals[mesh.faces])
    assert (outwards[large] > 0).all()
    # The area vectors of a closed surface cancel out.
    np.testing.assert_allclose(crosses.sum(axis=0), 0, atol=1e-6)
    kind = ("box" if obj_id % 2 else "cylinder") if obj_id in TABLES else solid_kind(obj_id)
    expected = {"box": 1.0, "cylinder": AREA, "ball": np.pi / 6}[kind]
    assert signed_volume(mesh.vertices, mesh.faces) == pytest.approx(expected, rel=0.01)


def test_ids_of_props_are_no_objects_ids():
    assert set(props()) == {*TABLES, *SOLIDS} and max(props()) == 0
    assert {surface_kind(table) for table in TABLES} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_surface_goes_on_across_its_borders(kind):
    for number in range(4):
        texture = draw_texture(kind, number).astype(np.float64).mean(axis=2)
        for image in (texture, texture.T):
            steps = np.abs(np.diff(image, axis=0)).mean(axis=1)
            assert np.abs(image[0] - image[-1]).mean() <= 1.1 * steps.max()


def test_surfaces_differ_and_are_the_same_each_time():
    drawn = {draw_texture(kind, n).tobytes() for kind in KINDS for n in range(4)}
    assert len(drawn) == 4 * len(KINDS)
    again = draw_texture.__wrapped__("wood", 1)
    np.testing.assert_array_equal(again, draw_texture("wood", 1))
