"""Convex pieces hold their mesh, and are kept."""

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from render.physics import kept_pieces
from render.physics.kept_pieces import load_pieces
from render.physics.pieces import OUTSIDE, THIN, make_pieces, thick_hull
from tests.mesh_samples import mesh_of


def outside(points: np.ndarray, pieces: list[np.ndarray]) -> np.ndarray:
    """How far (n, 3) points lie outside of all pieces, by the planes of their hulls."""
    planes = [ConvexHull(piece).equations for piece in pieces]
    return np.min([(points @ p[:, :3].T + p[:, 3]).max(axis=1) for p in planes], axis=0)


RING = trimesh.creation.annulus(r_min=0.05, r_max=0.08, height=0.04, sections=24)


@pytest.mark.slow
def test_pieces_of_a_ring_hold_its_surface_and_leave_its_hole_free():
    pieces = make_pieces(mesh_of(RING))
    points, _ = trimesh.sample.sample_surface(RING, 2000, seed=0)
    # Between the points that pieces are made to hold, a little more may stick out.
    assert outside(points, pieces).max() < 3 * OUTSIDE * 0.16
    assert outside(np.zeros((1, 3)), pieces)[0] > 0.03


@pytest.mark.parametrize("turned", [False, True])
def test_a_convex_mesh_is_one_piece_with_just_its_corners(turned):
    box = trimesh.creation.box([0.1, 0.2, 0.3])
    if turned:
        box.apply_transform(trimesh.transformations.rotation_matrix(0.7, [1, 2, 3]))
    (piece,) = make_pieces(mesh_of(box))
    gaps = np.linalg.norm(piece[:, None] - box.vertices, axis=2)
    assert len(piece) == 8 and gaps.min(axis=1).max() < 1e-7


def test_a_sheet_becomes_a_thin_solid_about_itself():
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    (piece,) = make_pieces(mesh_of(sheet))
    np.testing.assert_allclose(np.ptp(piece, axis=0), [1, 1, THIN], atol=1e-9)
    assert abs(piece[:, 2].mean()) < 1e-9
    assert ConvexHull(thick_hull(np.eye(3)[:2], 0.1)).volume > 0  # a line


def test_pieces_are_made_once_and_again_where_their_file_is_damaged(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    caplog.set_level("INFO")
    mesh, made = mesh_of(trimesh.creation.box([0.1] * 3)), []
    make = kept_pieces.make_pieces
    monkeypatch.setattr(kept_pieces, "make_pieces", lambda m: made.append(m) or make(m))
    (first,), (again,) = (load_pieces({7: mesh})[7] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(made) == 1
    (file,) = (tmp_path / "feature-mapping" / "pieces").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(load_pieces({7: mesh})[7][0], first)
    assert len(made) == 2 and f"{file}: cannot be used (" in caplog.text


def test_without_a_place_to_keep_them_pieces_are_made_and_that_is_said(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    caplog.set_level("INFO")
    assert len(load_pieces({1: mesh_of(trimesh.creation.box([0.1] * 3))})[1]) == 1
    assert "cannot keep convex pieces of meshes here" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("solid", [RING, trimesh.creation.torus(0.05, 0.02, 24, 12)])
def test_faces_that_are_there_twice_make_nothing_convex(solid):
    pieces = make_pieces(mesh_of(trimesh.util.concatenate([solid, solid])))
    assert len(pieces) > 1 and outside(np.zeros((1, 3)), pieces)[0] > 0.02


def test_a_ball_whose_faces_are_there_twice_is_one_piece():
    ball = trimesh.creation.icosphere(2, 0.05)
    assert len(make_pieces(mesh_of(trimesh.util.concatenate([ball, ball])))) == 1
