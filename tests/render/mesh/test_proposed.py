"""Symmetries are proposed where shape and colours are both left as they are."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from render.mesh.mesh import Mesh, load_models
from render.mesh.proposed import propose, sample_surface
from render.mesh.symmetry import symmetry_transforms
from render.transforms import random_rotation


def mesh_of(shape, color=(200, 120, 40)):
    vertices, faces = np.asarray(shape.vertices), np.asarray(shape.faces)
    colors = np.tile(np.array(color, np.uint8), (len(vertices), 1))
    normals = np.zeros_like(vertices) + [0.0, 0.0, 1.0]
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32), normals, colors)


def prism(sides, height=0.1):
    return trimesh.creation.cylinder(0.05, height, sections=sides)


def turns(proposal):
    return len(symmetry_transforms(proposal.record, steps=4))


@pytest.mark.parametrize(
    ("shape", "words", "count"),
    [
        (trimesh.creation.box((0.1, 0.07, 0.04)), "1/2 turn about x", 4),
        (trimesh.creation.box((0.1, 0.1, 0.04)), "1/4 turn about z", 8),
        (trimesh.creation.box((0.1, 0.1, 0.1)), "1/4 turn about x", 24),
        (prism(5), "1/5 turn about z", 10),
        (trimesh.creation.cylinder(0.05, 0.1, sections=96), "round about z", 8),
        (trimesh.creation.cone(0.05, 0.1, sections=96), "round about z", 4),
        (trimesh.creation.icosphere(3, 0.05), "round about every axis", None),
    ],
)
def test_shapes_of_one_colour_have_the_turns_that_geometry_says(shape, words, count):
    found = propose(mesh_of(shape))
    assert words in str(found)
    assert count is None or turns(found) == count


def test_a_turned_and_shifted_mesh_has_them_about_its_own_axis(rng):
    R, t = random_rotation(rng), rng.uniform(-0.1, 0.1, 3)
    mesh = mesh_of(prism(5))
    moved = replace(mesh, vertices=(mesh.vertices @ R.T + t).astype(np.float32))
    found = propose(moved)
    assert max(n for _, n in found.discrete) == 5
    for transform in symmetry_transforms(found.record):
        points, _ = sample_surface(moved, 2000, rng)
        turned = points @ transform[:3, :3].T + transform[:3, 3]
        # The prism's own turn, seen from its frame, leaves its height and its radius.
        own, before = (turned - t) @ R, (points - t) @ R
        np.testing.assert_allclose(np.abs(own[:, 2]), np.abs(before[:, 2]), atol=2e-3)


def test_a_painted_side_takes_the_turns_away():
    shape = trimesh.creation.cylinder(0.05, 0.1, sections=96).subdivide().subdivide()
    mesh = mesh_of(shape)
    painted = mesh.colors.copy()
    painted[(mesh.vertices[:, 0] > 0.04) & (np.abs(mesh.vertices[:, 2]) < 0.03)] = (20, 20, 220)
    found = propose(replace(mesh, colors=painted))
    # Upside down about the painted side it is still the same.
    assert not found.continuous and turns(found) == 2


def test_a_texture_takes_them_away_too():
    """A box whose texture is dark on one half of every face's map."""
    mesh = mesh_of(trimesh.creation.box((0.1, 0.07, 0.04)), (255, 255, 255))
    texture = np.full((64, 64, 3), 255, np.uint8)
    texture[:, :32] = 30
    uv = (mesh.vertices[:, :2] / 0.2 + 0.5).astype(np.float32)
    found = propose(replace(mesh, uv=uv, texture=texture))
    assert turns(found) == 2 and found.discrete[0][1] == 2


def test_a_handle_takes_them_away():
    body = trimesh.creation.cylinder(0.05, 0.1, sections=64)
    handle = trimesh.creation.box((0.03, 0.01, 0.06))
    handle.apply_translation([0.065, 0, 0.01])
    assert not propose(mesh_of(trimesh.util.concatenate([body, handle])))


@pytest.mark.slow
def test_the_bundled_objects_are_found_as_their_record_says():
    for model in load_models(["assets"]).values():
        found = propose(model.mesh)
        for kind in ("continuous", "discrete"):
            said = model.info.get(f"symmetries_{kind}", [])
            assert len(found.record.get(f"symmetries_{kind}", [])) == len(said)
        ours, theirs = symmetry_transforms(found.record), model.symmetries
        assert len(ours) == len(theirs)
        for transform in theirs:
            assert np.abs(ours - transform).max(axis=(1, 2)).min() < 0.02
