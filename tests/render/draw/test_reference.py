import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np
import pytest

from render.draw import reference
from render.draw.rasterizer import Rasterizer
from render.draw.reference import PyrenderRenderer, render_in_subprocess
from render.errors import InputError
from render.mesh.mesh import load_models
from render.scene.spec import Light, Placed, SceneSpec
from render.transforms import random_rotation, rodrigues
from tests.scenes import CAMERA, SMALL, at, plane_depth, rotated_crop, scene, square


def views(obj_ids, rng, camera=CAMERA) -> list[SceneSpec]:
    """Each object with another in the way, and once alone, stretched, through a rotated crop."""
    specs = []
    for i, obj_id in enumerate(obj_ids):
        other = obj_ids[i - 1]
        near, far = (at([x, 0, z], random_rotation(rng)) for x, z in ((0.05, 0.7), (0.0, 0.9)))
        placed = [
            Placed(other, near.cam_from_obj, annotated=bool(i % 2)),
            Placed(obj_id, far.cam_from_obj),
        ]
        lights = (
            Light("directional", (0.0, 0.6, -0.8)),
            Light("spot", (0.3, -0.3, 0.1), shadow=True, cone=(0.2, 0.5)),
        )
        specs.append(scene(camera, *placed, lights=lights))
        ray = np.linalg.inv(camera.K) @ [200, 300, 1]
        stretched = at(0.8 * ray, random_rotation(rng), obj_id, stretch=(0.8, 1.1, 1.0))
        specs.append(scene(rotated_crop(camera), stretched))
    return specs


def compare(frames, references, name):
    """Masks, ids and depth of one renderer against those of the other."""
    differing = covered = 0
    errors_mm, medians_mm = [], []
    for a, b in zip(frames, references, strict=True):
        seen_a, seen_b = a.depth > 0, b.depth > 0
        differing += ((a.instance != b.instance) | (seen_a != seen_b)).sum()
        covered += (seen_a | seen_b).sum()
        interior = cv2.erode((seen_a & seen_b).astype(np.uint8), np.ones((3, 3))) > 0
        error_mm = 1000 * np.abs(a.depth - b.depth)[interior]
        errors_mm.append(error_mm)
        medians_mm.append(np.median(error_mm))
    errors = np.concatenate(errors_mm)
    print(
        f"{name}: {differing} of {covered} pixels differ in mask or id; depth on the interior:"
        f" median {np.median(errors):.5f} mm, 99.9 % below {np.percentile(errors, 99.9):.5f} mm,"
        f" largest {errors.max():.5f} mm"
    )
    assert covered > 5000
    assert differing <= 2e-4 * covered  # an edge through a pixel's centre may round either way
    assert np.median(errors) < 0.001 and np.percentile(errors, 99.9) < 0.01


def draw_both(models, specs):
    meshes = {obj_id: model.mesh for obj_id, model in models.items()}
    with Rasterizer(meshes) as rasterizer:
        return rasterizer.render(specs), render_in_subprocess(meshes, specs)


@pytest.mark.slow
def test_pyrender_agrees_on_the_bundled_meshes(rng):
    models = load_models(["assets"])
    specs = views(sorted(models), rng)
    compare(*draw_both(models, specs), "bundled meshes")


@pytest.mark.slow
def test_pyrender_agrees_on_a_linemod_mesh(lmo, rng):
    models = load_models([lmo / "models"], obj_ids=[5])
    compare(*draw_both(models, views([5, 5], rng)), "LM-O object 5")


def on_their_own(meshes, specs, mask_spec):
    """Frames over a white background, and masks, of pyrender; runs in a process of its own."""
    renderer = PyrenderRenderer(meshes)
    white = [np.full((s.size[1], s.size[0], 3), 255, np.uint8) for s in specs]
    masks = [renderer.full_masks(mask_spec, canvas) for canvas in (1, 3)]
    return renderer.render(specs, white), masks


@pytest.fixture(scope="module")
def pyrender_alone():
    R = rodrigues(0.7 * np.array([0.6, 0.8, 0.0]))
    turned = R @ rodrigues([np.pi, 0, 0])  # shows its back
    planes = [
        scene(CAMERA, at([0.02, 0.01, 1.0], R)),
        scene(rotated_crop(CAMERA), at([0.02, 0.01, 1.0], turned)),
    ]
    half = scene(SMALL, at([0, 0, 0.5], obj_id=2), ambient=(1.0, 1.0, 1.0))
    masked = scene(SMALL, at([-0.15, 0, 0.5], obj_id=2), at([0.02, 0, 0.45], obj_id=2))
    meshes = {1: square(1.0), 2: square(0.06, colors=np.full((4, 3), 128, np.uint8))}
    lamp = Light("spot", (0.1, 0.05, 0.2), direction=(-0.28, 0.0, 0.96), cone=(0.1, 0.2))
    spotted = scene(
        SMALL, at([0.0, 0.0, 1.0], R, obj_id=1), ambient=(0.1, 0.1, 0.1), lights=(lamp,)
    )
    specs = [*planes, half, spotted]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        frames, masks = pool.submit(on_their_own, meshes, specs, masked).result()
    return meshes, specs, frames, masked, masks


def test_pyrender_draws_both_sides_of_a_tilted_plane_at_its_analytic_depth(pyrender_alone):
    _, specs, frames, _, _ = pyrender_alone
    for spec, frame in zip(specs[:2], frames[:2], strict=True):
        depth = plane_depth(spec.camera, spec.objects[0].matrix)
        error_mm = 1000 * np.abs(frame.depth - depth)[frame.depth > 0].max()
        print(f"pyrender, single-sample: largest error {error_mm:.5f} mm")
        assert (frame.depth > 0).mean() > 0.9
        assert error_mm < 0.01


def test_pyrender_blends_its_colour_into_the_background(pyrender_alone):
    _, specs, frames, _, _ = pyrender_alone
    frame = frames[2]
    inside = cv2.erode((frame.instance == 1).astype(np.uint8), np.ones((3, 3))) > 0
    empty = cv2.dilate((frame.instance == 1).astype(np.uint8), np.ones((3, 3))) == 0
    assert inside.sum() > 400 and (frame.rgb[empty] == 255).all()
    # Ambient light alone shows the vertex colour, after the way to linear light and back.
    assert np.abs(frame.rgb[inside].astype(int) - 128).max() <= 1
    assert ((frame.rgb >= 127) | (frame.rgb == 255)).all()
    assert specs[2].objects[0].obj_id == frame.annotations[0].obj_id


def test_pyrender_lights_the_same_pixels_by_a_spot(pyrender_alone):
    meshes, specs, frames, _, _ = pyrender_alone
    with Rasterizer(meshes) as rasterizer:
        (ours,) = rasterizer.render([specs[3]])
    # Where the light is none it is none for both; at the cone's edge it is too faint for 8 bits.
    lit, reference = (f.rgb.max(axis=2) > f.rgb.max(axis=2).min() + 1 for f in (ours, frames[3]))
    assert 300 < reference.sum() < 2000
    differing = lit != reference
    assert not (cv2.erode(reference.astype(np.uint8), np.ones((5, 5))) & ~lit).any()
    assert not (lit & (cv2.dilate(reference.astype(np.uint8), np.ones((5, 5))) == 0)).any()
    print(f"{differing.sum()} of {reference.sum()} lit pixels differ")


def test_pyrender_gives_the_full_masks_of_the_rasterizer(pyrender_alone):
    meshes, _, _, masked, masks = pyrender_alone
    with Rasterizer(meshes) as rasterizer:
        for canvas, mask in zip((1, 3), masks, strict=True):
            np.testing.assert_array_equal(mask, rasterizer.full_masks(masked, canvas))
            assert mask.any(axis=(1, 2)).all()


def test_a_package_that_pyrender_lacks_is_to_be_installed_not_a_driver(monkeypatch):
    def lacks_pyglet(windows):
        raise ModuleNotFoundError("No module named 'pyglet'")

    monkeypatch.setattr(reference, "import_pyrender", lacks_pyglet)
    line = r"^pyrender cannot draw here \(No module named 'pyglet'\); run: python -m pip install"
    with pytest.raises(InputError, match=line):
        reference.PyrenderRenderer({})
