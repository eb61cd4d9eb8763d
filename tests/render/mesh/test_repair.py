import logging
from pathlib import Path

import numpy as np
import pytest
import trimesh

from render.mesh.mesh import load_mesh
from render.mesh.repair import Mended, mend, weld
from tests.mesh_samples import make_lump

NO_NORMALS = np.zeros((1, 3))


@pytest.fixture
def lump(rng) -> trimesh.Trimesh:
    return make_lump(rng)


def mended(vertices, faces, normals=None) -> tuple[np.ndarray, np.ndarray]:
    """Faces and normals after mending."""
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces)
    normals = np.zeros_like(vertices) if normals is None else np.asarray(normals, np.float64)
    done = Mended()
    picked, normals = mend(vertices, faces, normals, done)
    done.say(Path("a.ply"))
    return faces.reshape(-1)[picked], normals


def turn(faces: np.ndarray, which: np.ndarray) -> np.ndarray:
    return np.where(which[:, None], faces[:, ::-1], faces)


def apart(mesh: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    """Every face with vertices of its own."""
    return mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3)


def is_outward(vertices, faces) -> bool:
    solid = trimesh.Trimesh(vertices, faces, process=True)
    return solid.is_winding_consistent and solid.volume > 0


def test_a_mesh_that_is_fine_comes_back_as_it_is(lump, rng):
    normals = np.array(lump.vertex_normals) + 0.1 * rng.random(lump.vertices.shape)
    faces, kept = mended(lump.vertices, lump.faces, normals)
    np.testing.assert_array_equal(faces, lump.faces)
    np.testing.assert_array_equal(kept, normals)
    faces, computed = mended(lump.vertices, lump.faces)
    np.testing.assert_array_equal(faces, lump.faces)
    np.testing.assert_array_equal(computed, lump.vertex_normals)


@pytest.mark.parametrize("nothing", [0.0, np.nan, 1e-30, np.inf, 1e200])
def test_missing_normals_are_those_of_the_faces_and_the_others_the_files(lump, rng, nothing):
    normals = np.array(lump.vertex_normals) + 0.1 * rng.random(lump.vertices.shape)
    missing = rng.random(len(normals)) < 0.5
    _, filled = mended(lump.vertices, lump.faces, np.where(missing[:, None], nothing, normals))
    expected = np.where(missing[:, None], lump.vertex_normals, normals)
    np.testing.assert_allclose(filled, expected, atol=1e-12)


@pytest.mark.parametrize("split", [False, True], ids=["shared vertices", "own vertices"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 1.0])
def test_a_closed_piece_of_any_winding_is_turned_outwards(lump, rng, split, share):
    vertices, faces = apart(lump) if split else (lump.vertices, lump.faces)
    mixed = turn(faces, rng.random(len(faces)) < share)
    faces_now, normals = mended(vertices, mixed)
    assert is_outward(vertices, faces_now)
    outward = np.einsum("fci,fi->fc", normals[faces_now], lump.face_normals)
    assert outward.min() > 0.3
    if not split:
        np.testing.assert_allclose(normals, lump.vertex_normals, atol=1e-12)


def test_normals_of_the_file_are_turned_with_their_faces_and_kept_where_they_agree(lump):
    """An object turned inside out, as a mirror does, with normals that were turned or were not."""
    own = np.array(lump.vertex_normals) + 0.05
    for normals in (own, -own):
        faces, now = mended(lump.vertices, lump.faces[:, ::-1], normals)
        assert is_outward(lump.vertices, faces)
        np.testing.assert_array_equal(now, own)


def test_an_open_piece_is_wound_as_its_normals_are_or_as_most_of_it(lump, rng):
    half = lump.faces[lump.triangles_center[:, 2] > 0]
    few = rng.random(len(half)) < 0.2
    faces, _ = mended(lump.vertices, turn(half, few))
    np.testing.assert_array_equal(np.sort(faces), np.sort(half))
    for sign in (1, -1):
        along = np.cross(*np.moveaxis(np.diff(lump.vertices[half], axis=1), 1, 0))
        normals = sign * np.array(lump.vertex_normals)
        faces, now = mended(lump.vertices, turn(half, few), normals)
        across = np.cross(*np.moveaxis(np.diff(lump.vertices[faces], axis=1), 1, 0))
        np.testing.assert_allclose(across, sign * along, atol=1e-15)
        np.testing.assert_array_equal(now, normals)


def test_a_few_folded_faces_of_a_scan_stay_if_no_normal_needs_them(lump):
    fine = lump.subdivide().subdivide()
    folded = turn(fine.faces, np.arange(len(fine.faces)) == 7)
    faces, normals = mended(fine.vertices, folded, fine.vertex_normals)
    np.testing.assert_array_equal(faces, folded)
    np.testing.assert_array_equal(normals, fine.vertex_normals)


def test_the_wall_of_a_hollow_stays_turned_inwards(lump):
    inner = lump.copy().apply_scale(0.5)
    vertices = np.concatenate([lump.vertices, inner.vertices])
    faces = np.concatenate([lump.faces, inner.faces[:, ::-1] + len(lump.vertices)])
    np.testing.assert_array_equal(mended(vertices, faces)[0], faces)
    beside = np.concatenate([lump.vertices, inner.vertices + 1])
    turned = mended(beside, faces)[0]
    assert is_outward(beside, turned[len(lump.faces) :])


def test_a_moebius_strip_has_no_winding_to_mend():
    """Five triangles in a ring, the last joined to the first the other way up."""
    angles = 2 * np.pi * np.arange(5) / 5
    vertices = np.column_stack([np.cos(angles), np.sin(angles), np.sin(2 * angles)])
    faces = np.array([[i, (i + 1) % 5, (i + 2) % 5] for i in range(5)])
    np.testing.assert_array_equal(mended(vertices, faces)[0], faces)


def test_repeated_and_cornerless_faces_are_left_out_and_said(lump, caplog):
    more = [lump.faces[3][[1, 2, 0]], lump.faces[5], [7, 7, 9], [4, 4, 4]]
    with caplog.at_level(logging.INFO):
        faces, normals = mended(lump.vertices, np.concatenate([lump.faces, more]))
    np.testing.assert_array_equal(faces, lump.faces)
    np.testing.assert_array_equal(normals, lump.vertex_normals)
    assert [record.message for record in caplog.records] == [
        "a.ply: left out 4 faces, with a corner twice or there twice"
    ]


def test_a_back_of_the_same_vertices_stays_and_does_not_cancel_the_normals(lump):
    half = lump.faces[lump.triangles_center[:, 2] > 0]
    both = np.concatenate([half, half[::-1, ::-1]])
    faces, normals = mended(lump.vertices, both)
    np.testing.assert_array_equal(faces, both)
    expected = trimesh.Trimesh(lump.vertices, half, process=False).vertex_normals
    np.testing.assert_array_equal(normals, expected)


def test_slivers_have_no_say_in_normals():
    """A sheet with a face of no area on its seam, as what cuts polygons leaves them."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0.5, 1e-9, 1e-9], [0.5, 1, 0], [0.5, -1, 0]])
    faces = [[0, 2, 3], [2, 1, 3], [0, 4, 1], [0, 1, 2]]
    _, normals = mended(vertices, faces)
    np.testing.assert_allclose(normals, [[0, 0, 1]] * 5, atol=1e-6)


def test_welding_is_by_place_alone(rng):
    points = rng.integers(-3, 4, (2000, 3)) / 7
    points[points == 0] *= rng.choice([-1, 1], np.count_nonzero(points == 0))  # -0 is 0
    numbers = weld(points)
    _, expected = np.unique(points, axis=0, return_inverse=True)
    pairs = np.unique(np.column_stack([numbers, expected.reshape(-1)]), axis=0)
    assert len(pairs) == len(np.unique(numbers)) == len(np.unique(expected))


@pytest.mark.parametrize("suffix", ["ply", "obj", "glb"])
def test_zero_normals_of_every_format_are_computed(lump, tmp_path, suffix, caplog):
    path = tmp_path / f"a.{suffix}"
    lump.vertex_normals = np.tile([0.0, 0.0, 1.0], (len(lump.vertices), 1))
    option = "vertex_normal" if suffix == "ply" else "include_normals"
    content = lump.export(file_type=suffix, **{option: True})
    if suffix == "obj":
        zero = "vn 0 0 0"
        content = "\n".join(
            zero if line.startswith("vn") else line for line in content.splitlines()
        ).encode()
    else:
        content = content.replace(np.float32([0, 0, 1]).tobytes(), bytes(12))
    path.write_bytes(content)
    fresh = trimesh.Trimesh(lump.vertices, lump.faces, process=False)
    loaded = load_mesh(path, up="z")
    np.testing.assert_allclose(loaded.vertices, lump.vertices, atol=1e-7)
    np.testing.assert_allclose(loaded.normals, fresh.vertex_normals, atol=1e-5)
