"""The bundled objects: reproducible, of a household size, exactly as symmetric as they say."""

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

import assets
from assets.make_objects import make_objects
from render.image_file import read_rgb
from render.mesh.mesh import Mesh, diameter, load_models
from render.mesh.ply.ply import parse_ply
from render.transforms import apply, rigid, rodrigues

TUGBOAT, CASSEROLE, VASE = 1, 2, 3


@pytest.fixture(scope="module")
def models():
    return load_models(["assets"])


def vertex_colors(mesh: Mesh) -> np.ndarray:
    """(n, 3) colours drawn at the vertices: the texture's nearest texel, or the vertex colour."""
    if mesh.uv is None or mesh.texture is None:
        return mesh.colors.astype(np.int64)
    h, w = mesh.texture.shape[:2]
    column = np.clip((mesh.uv[:, 0] * w).astype(int), 0, w - 1)
    row = np.clip(((1 - mesh.uv[:, 1]) * h).astype(int), 0, h - 1)
    return mesh.texture[row, column].astype(np.int64)


def color_error(mesh: Mesh, obj_from_obj: np.ndarray) -> float:
    """Mean difference, 0..255, between a moved vertex and the nearest unmoved one."""
    colors = vertex_colors(mesh)
    nearest = cKDTree(mesh.vertices).query(apply(obj_from_obj, mesh.vertices))[1]
    return float(np.abs(colors - colors[nearest]).mean())


def turn(axis: np.ndarray, angle: float, center: np.ndarray | None = None) -> np.ndarray:
    R = rodrigues(angle * axis)
    return rigid(R, np.zeros(3) if center is None else center - R @ center)


def assert_same_ply(made: bytes, kept: bytes) -> None:
    """Every number is the same; the sign of a zero differs between processors."""
    (of_made, comments), (of_kept, kept_comments) = parse_ply(made), parse_ply(kept)
    assert comments == kept_comments and list(of_made) == list(of_kept)
    for name, rows in of_made.items():
        assert list(rows.columns) == list(of_kept[name].columns)
        for column, values in rows.columns.items():
            np.testing.assert_array_equal(values, of_kept[name].columns[column])
        for column, parts in rows.lists.items():
            for one, other in zip(parts, of_kept[name].lists[column], strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_regeneration_gives_the_same_files(tmp_path):
    make_objects(tmp_path)
    for made in sorted(tmp_path.iterdir()):
        kept = assets.FOLDER / made.name
        if made.suffix == ".png":  # compressed alike only by the same version of zlib
            np.testing.assert_array_equal(read_rgb(made), read_rgb(kept))
        elif made.suffix == ".ply":
            assert_same_ply(made.read_bytes(), kept.read_bytes())
        else:
            assert made.read_bytes() == kept.read_bytes(), made.name
    assert len(list(tmp_path.iterdir())) == 6


def test_each_object_is_a_closed_household_sized_mesh_with_outward_normals(models):
    assert list(models) == [TUGBOAT, CASSEROLE, VASE]
    for model in models.values():
        mesh = model.mesh
        assert 0.08 <= model.diameter <= 0.20
        assert 2_000 <= len(mesh.faces) <= 12_000

        joined = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        joined.merge_vertices(merge_tex=True, merge_norm=True)
        assert joined.is_watertight and joined.volume > 0
        flat = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).face_normals
        assert (mesh.normals[mesh.faces] * flat[:, None]).sum(axis=2).min() > 0.7


def test_records_agree_with_the_meshes(models):
    for model in models.values():
        assert model.diameter == pytest.approx(diameter(model.mesh.vertices), abs=1e-7)
        box = [model.mesh.vertices.min(axis=0), model.mesh.vertices.max(axis=0)]
        np.testing.assert_allclose(model.box, box, atol=2e-7)
        np.testing.assert_allclose(model.box.sum(axis=0), 0, atol=2e-7)


def test_a_half_turn_maps_the_casserole_onto_itself_exactly(models):
    model = models[CASSEROLE]
    assert len(model.symmetries) == 2
    vertices, normals, uv = (
        np.float64(x) for x in (model.mesh.vertices, model.mesh.normals, model.mesh.uv)
    )
    turned = normals @ model.symmetries[1, :3, :3].T
    moved = np.hstack([apply(model.symmetries[1], vertices), uv, 1e-3 * turned])
    distance, _ = cKDTree(np.hstack([vertices, uv, 1e-3 * normals])).query(moved)
    assert distance.max() == 0  # place, texture coordinate and normal alike


def test_every_step_about_its_axis_maps_the_vase_onto_itself(models):
    model = models[VASE]
    assert len(model.symmetries) == 64
    vertices = model.mesh.vertices.astype(np.float64)
    key = np.hstack([vertices, model.mesh.colors])
    tree = cKDTree(key)
    for step in model.symmetries:
        distance, _ = tree.query(np.hstack([apply(step, vertices), model.mesh.colors]))
        assert distance.max() < 2e-7
    # Between the steps a flat side of the polygon is off by its sagitta, 0.06 mm at most.
    widest = np.hypot(vertices[:, 0], vertices[:, 1]).max()
    assert widest * (1 - np.cos(np.pi / 64)) < 6e-5


def test_no_other_turn_leaves_an_object_as_it_is(models, rng):
    """Half, third and quarter turns about many axes, and more about the upright one."""
    z = np.array([0.0, 0.0, 1.0])
    axes = rng.normal(size=(8, 3))
    axes = np.concatenate([np.eye(3), axes / np.linalg.norm(axes, axis=1, keepdims=True)])
    turns = [(axis, 2 * np.pi / n) for axis in axes for n in (2, 3, 4)]
    turns += [(z, np.radians(angle)) for angle in (20, 45, 90, 135, 225, 270, 315, 340)]
    for model in models.values():
        # Every symmetry keeps the centroid of the surface. Two samples of one surface lie about as
        # far apart as the points of one; a turn that changes the surface moves them farther.
        shape = trimesh.Trimesh(model.mesh.vertices, model.mesh.faces, process=False)
        still, _ = trimesh.sample.sample_surface(shape, 20_000, seed=1)
        other, _ = trimesh.sample.sample_surface(shape, 1_000, seed=2)
        tree = cKDTree(still)
        spacing = tree.query(other)[0].mean()
        for axis, angle in turns:
            about_z = abs(axis[2]) == 1
            if about_z and (model.obj_id == VASE or (model.obj_id, angle) == (CASSEROLE, np.pi)):
                continue
            obj_from_obj = turn(axis, angle, shape.centroid)
            moved = tree.query(apply(obj_from_obj, other))[0].mean()
            assert moved > 1.5 * spacing, (model.obj_id, axis, np.degrees(angle))


def test_the_tugboat_differs_between_port_and_starboard(models):
    """Seen from above, a mirrored ship must not pass for the ship."""
    assert len(models[TUGBOAT].symmetries) == 1
    assert color_error(models[TUGBOAT].mesh, np.diag([1.0, -1.0, 1.0, 1.0])) > 5
