"""Normals and object coordinates of a drawn frame."""

import dataclasses

import numpy as np
import pytest

from render.draw.rasterizer import Rasterizer
from render.transforms import apply, invert, random_rotation, rodrigues
from tests.scenes import (
    CAMERA,
    assert_same_frame,
    at,
    quads,
    random_scene,
    rotated_crop,
    scene,
    square,
    two_meshes,
)

BOX = quads(
    [
        [[side * (axis == k) + a * (axis == (k + 1) % 3) + b * (axis == (k + 2) % 3)
          for axis in range(3)] for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
        for k in range(3) for side in (-1, 1)
    ] * np.array([0.08, 0.05, 0.03]) + [0.01, -0.02, 0.03]
)  # fmt: skip


def full(meshes) -> Rasterizer:
    return Rasterizer(meshes, normals=True, coordinates=True)


@pytest.mark.parametrize("turned", [0.0, np.pi], ids=["front", "back"])
def test_a_plane_has_its_normal_on_the_viewers_side(turned):
    R = rodrigues([0.5, -0.4, 0.2])
    spec = scene(CAMERA, at([0.02, 0.01, 1.0], R @ rodrigues([turned, 0, 0])))
    with full({1: square(1.5)}) as rasterizer:
        (frame,) = rasterizer.render([spec])
    assert (frame.depth > 0).mean() > 0.9
    seen = frame.normals[frame.depth > 0]
    print(f"largest error of a component: {np.abs(seen + R[:, 2]).max():.1e}")
    assert np.abs(seen + R[:, 2]).max() < 1e-6
    assert not frame.normals[frame.depth == 0].any()


def test_normals_have_unit_length_and_face_the_viewer(rng):
    specs = [random_scene(rng) for _ in range(4)]
    with full(two_meshes()) as rasterizer:
        frames = rasterizer.render(specs)
    for frame in frames:
        drawn = frame.depth > 0
        towards = -frame.camera.unproject(frame.depth)
        np.testing.assert_allclose(np.linalg.norm(frame.normals, axis=2), drawn, atol=1e-6)
        assert ((frame.normals * towards).sum(axis=2)[drawn] > -1e-6).all()


@pytest.mark.parametrize("camera", [CAMERA, rotated_crop(CAMERA)], ids=["full", "rotated crop"])
@pytest.mark.parametrize("stretch", [(1.0, 1.0, 1.0), (0.8, 1.3, 1.1)])
def test_object_coordinates_are_the_unprojected_depth_in_the_object_frame(camera, stretch, rng):
    ray = np.linalg.inv(camera.K) @ [camera.width / 2, camera.height / 2, 1]
    spec = scene(camera, at(0.6 * ray, random_rotation(rng), stretch=stretch))
    with full({1: BOX}) as rasterizer:
        (frame,) = rasterizer.render([spec])
    inside = frame.instance == 1
    obj_from_cam = invert(spec.objects[0].matrix)
    expected = apply(obj_from_cam, camera.unproject(frame.depth)[inside])
    error_mm = 1000 * np.abs(frame.coordinates[inside] * stretch - expected).max()
    print(f"largest error {error_mm:.5f} mm over {inside.sum()} pixels")
    assert inside.sum() > 3000 and error_mm < 0.001
    assert not frame.coordinates[~inside].any()


def test_asking_for_more_changes_nothing_else_and_nothing_comes_unasked(rng):
    specs = [random_scene(rng) for _ in range(3)]
    drawn = {}
    for asked in ((), ("normals",), ("coordinates",), ("normals", "coordinates")):
        with Rasterizer(two_meshes(), **dict.fromkeys(asked, True)) as rasterizer:
            drawn[asked] = rasterizer.render(specs)
    both = drawn["normals", "coordinates"]
    for asked, frames in drawn.items():
        for frame, complete in zip(frames, both, strict=True):
            for name in ("normals", "coordinates"):
                if name not in asked:
                    assert getattr(frame, name) is None
                    complete = dataclasses.replace(complete, **{name: None})
            assert_same_frame(frame, complete)


def test_they_are_the_same_alone_and_in_any_batch(rng):
    specs = [random_scene(rng) for _ in range(5)]
    with full(two_meshes()) as rasterizer:
        together = rasterizer.render(specs)
        for spec, frame in zip(specs, together, strict=True):
            assert_same_frame(rasterizer.render([spec])[0], frame)
            assert frame.normals.flags.owndata and frame.coordinates.flags.owndata
