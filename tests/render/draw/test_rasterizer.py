import dataclasses
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from render.camera import Camera
from render.draw import gl_read
from render.draw.rasterizer import Rasterizer
from render.errors import InputError
from render.scene.spec import Light, Placed, rows
from render.transforms import apply, rigid, rodrigues
from tests.scenes import (
    CAMERA,
    EYE,
    SMALL,
    K,
    assert_same_frame,
    at,
    draw,
    plane_depth,
    quads,
    random_scene,
    rotated_crop,
    scene,
    square,
    two_meshes,
)


@pytest.fixture(scope="module")
def shared():
    with Rasterizer(two_meshes()) as rasterizer:
        yield rasterizer


@pytest.mark.parametrize("camera", [CAMERA, rotated_crop(CAMERA)], ids=["full", "rotated crop"])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0.6, 0.8, 0)])
@pytest.mark.parametrize("angle", [0.0, 0.5, 1.0])
def test_a_tilted_plane_at_1_m_has_its_analytic_depth(camera, axis, angle):
    cam_from_obj = rigid(rodrigues(angle * np.array(axis)), [0.02, 0.01, 1.0])
    frame = draw({1: square(1.5)}, scene(camera, Placed(1, rows(cam_from_obj))))[0]
    depth = plane_depth(camera, cam_from_obj)
    in_plane = apply(np.linalg.inv(cam_from_obj), camera.unproject(depth))
    inside = (depth > 0.02) & (np.abs(in_plane[..., :2]) < 1.499).all(axis=-1)
    outside = (depth < 0) | (np.abs(in_plane[..., :2]) > 1.501).any(axis=-1)
    error_mm = 1000 * np.abs(frame.depth - depth)[inside].max()
    print(f"tilt {angle}: largest error {error_mm:.5f} mm over {inside.mean():.0%} of the pixels")
    assert inside.any() and error_mm < 0.01
    assert not frame.depth[outside].any()


def test_a_pixel_is_covered_where_its_centre_projects(rng):
    camera = Camera(np.array([[90, 3, 30.3], [-2, 110, 22.8], [0, 0, 1]]), 64, 48)
    chosen = rng.permutation(64 * 48)[:400]
    u, v = chosen % 64, chosen // 64
    # Squares that hold one pixel centre each, near their rim: 0.45 to one side, 0.1 to the other.
    low, high = np.where(rng.random((2, 400, 2)) < 0.5, 0.45, 0.1)
    (left, top), (right, bottom) = (np.stack([u, v]) - low.T), (np.stack([u, v]) + high.T)
    pixels = np.stack([[left, top], [right, top], [right, bottom], [left, bottom]])
    z = rng.uniform(0.5, 1.5, 400)
    homogeneous = np.concatenate([pixels, np.ones((4, 1, 400))], axis=1)
    corners = np.einsum("ij,cjn,n->nci", np.linalg.inv(camera.K), homogeneous, z)

    frame = draw({1: quads(corners)}, scene(camera, Placed(1, EYE)))[0]
    expected = np.zeros((48, 64))
    expected[v, u] = z
    np.testing.assert_array_equal(frame.instance == 1, expected > 0)
    np.testing.assert_allclose(frame.depth, expected, rtol=1e-6)


@pytest.mark.parametrize("pixels", [None, 3 * 64 * 48, 1])
@pytest.mark.parametrize("asked", [(), ("antialias",), ("antialias", "normals", "coordinates")])
def test_a_frame_is_the_same_alone_and_in_any_batch(rng, monkeypatch, pixels, asked):
    wide = Camera(np.array([[80, 0, 40], [0, 80, 20], [0, 0, 1]]), 90, 40)
    specs = [random_scene(rng, camera) for camera in (SMALL, wide) for _ in range(7)]
    order = rng.permutation(len(specs))
    with Rasterizer(two_meshes(), **dict.fromkeys(asked, True)) as rasterizer:
        alone = [rasterizer.render([spec])[0] for spec in specs]
        if pixels is not None:
            monkeypatch.setattr(gl_read, "PIXELS_TOGETHER", pixels)
        mixed = rasterizer.render([specs[i] for i in order])
    for position, i in enumerate(order):
        assert_same_frame(mixed[position], alone[i])


def test_eight_views_are_read_at_a_time_and_used_while_the_next_are_drawn(rng, monkeypatch):
    events = []

    def noted(name, method):
        def call(*arguments):
            events.append(name)
            return method(*arguments)

        return call

    for name, of in (("_start", Rasterizer), ("read", gl_read.ReadBack), ("_frame", Rasterizer)):
        monkeypatch.setattr(of, name, noted(name, getattr(of, name)))
    draw(two_meshes(), *(random_scene(rng) for _ in range(10)))
    drawn = ["_start"] * 8 + ["read"] + ["_start", "_frame"] * 2
    assert events == drawn + ["_frame"] * 6 + ["read"] + ["_frame"] * 2


def test_frames_own_their_memory(shared, rng):
    frames = shared.render([random_scene(rng), random_scene(rng)])
    arrays = [a for f in frames for a in (f.rgb, f.depth, f.instance)]
    assert all(array.flags.owndata and array.flags.writeable for array in arrays)


def test_the_nearest_object_is_seen_and_ids_number_the_annotated_ones(rng):
    z = rng.permutation(np.linspace(0.5, 0.6, 9))
    centers = np.column_stack([rng.uniform(-0.1, 0.1, (9, 2)), z])
    annotated = rng.random(9) < 0.6
    placed = [at(c, annotated=bool(a)) for c, a in zip(centers, annotated, strict=True)]
    far = at([0, 0, 3.0], obj_id=2, annotated=False)
    frame = draw({1: square(0.04), 2: square(3.0)}, scene(SMALL, *placed, far))[0]

    rays = SMALL.unproject(np.ones((48, 64)))[..., :2]
    covers = (
        np.abs(rays[None] * z[:, None, None, None] - centers[:, None, None, :2]).max(axis=-1) < 0.04
    )
    depth = np.where(covers, z[:, None, None], 3.0)
    ids = np.append(np.where(annotated, np.cumsum(annotated), 0), 0)
    nearest = np.where(covers.any(axis=0), depth.argmin(axis=0), 9)
    np.testing.assert_array_equal(frame.instance, ids[nearest])
    np.testing.assert_allclose(frame.depth, depth.min(axis=0), rtol=1e-6)
    assert [a.obj_id for a in frame.annotations] == [1] * annotated.sum()
    np.testing.assert_array_equal(
        [a.cam_from_obj[:3, 3] for a in frame.annotations], centers[annotated]
    )


def test_surfaces_half_a_micrometre_apart_are_told_apart():
    # The depth buffer's 24 bits are spent on the depths that there are.
    placed = [at([0, 0, 0.5 + i * 5e-7], obj_id=2) for i in reversed(range(20))]
    far = at([0, 0, 3.0], annotated=False)
    frame = draw({1: square(1.0), 2: square(0.1)}, scene(SMALL, *placed, far))[0]
    assert set(np.unique(frame.instance)) == {0, 20}


def test_255_instances_are_told_apart():
    camera = Camera(np.array([[100, 0, 7.5], [0, 100, 8], [0, 0, 1]]), 16, 17)
    v, u = np.divmod(np.arange(255), 16)
    placed = [at([x, y, 1.0]) for x, y in zip((u - 7.5) / 100, (v - 8) / 100, strict=True)]
    meshes = {1: square(0.004)}
    frame = draw(meshes, scene(camera, *placed))[0]
    np.testing.assert_array_equal(frame.instance.ravel()[:255], np.arange(1, 256))
    assert not frame.instance.ravel()[255:].any()
    with pytest.raises(ValueError, match="at most 255 annotated objects in a frame, got 256"):
        draw(meshes, scene(camera, *placed, placed[0]))


def test_a_crop_camera_draws_what_the_full_image_shows_there(shared, rng):
    full = random_scene(rng, CAMERA)
    camera = CAMERA.crop(np.array([[1.0, 0, -250], [0, 1, -170]]), 128, 128)
    crop = dataclasses.replace(full, K=rows(camera.K), size=camera.size)
    part = np.s_[170 : 170 + 128, 250 : 250 + 128]
    a, b = shared.render([full, crop])
    # Window coordinates are float32 and shifted: ids agree, the rest up to that rounding.
    np.testing.assert_array_equal(a.instance[part], b.instance)
    np.testing.assert_array_equal(a.depth[part] > 0, b.depth > 0)
    assert (b.depth > 0).sum() > 1000
    np.testing.assert_allclose(a.depth[part], b.depth, atol=1e-5)
    assert np.abs(a.rgb[part].astype(int) - b.rgb).max() <= 1


def test_a_full_mask_is_the_object_drawn_alone(shared, rng):
    spec = random_scene(rng)
    annotated = [p for p in spec.objects if p.annotated]
    alone = shared.render([dataclasses.replace(spec, objects=(p,)) for p in annotated])
    together = shared.render([spec])[0]
    masks = shared.full_masks(spec)
    for i, (mask, frame) in enumerate(zip(masks, alone, strict=True)):
        np.testing.assert_array_equal(mask, frame.instance == 1)
        assert not (~mask & (together.instance == i + 1)).any()


def test_the_canvas_holds_the_mask_in_its_centre_and_what_sticks_out(shared):
    # From x = -0.4 m to 0 at 0.5 m: pixels -48.5 to 31.5, over the canvas's left third too.
    sticks_out = at([-0.2, 0, 0.5], obj_id=2, stretch=(2.5, 0.5, 1.0))
    hidden = at([0, 0, -1.0])
    inside = at([0.05, 0.02, 1.5])
    spec = scene(SMALL, sticks_out, hidden, inside)
    masks, canvas = shared.full_masks(spec), shared.full_masks(spec, canvas=3)
    assert canvas.shape == (3, 3 * 48, 3 * 64)
    np.testing.assert_array_equal(canvas[:, 48:96, 64:128], masks)

    expected = np.zeros((3 * 48, 3 * 64), bool)
    v, u = np.mgrid[-48:96, -64:128]
    expected[(np.abs((u - 31.5) / 200 + 0.2) < 0.2) & (np.abs((v - 23.5) / 200) < 0.04)] = True
    np.testing.assert_array_equal(canvas[0], expected)
    assert not canvas[1].any()
    assert canvas[2].sum() == masks[2].sum() > 0
    with pytest.raises(ValueError, match="canvas must be odd and positive, got 2"):
        shared.full_masks(spec, canvas=2)


def test_drawn_ids_save_drawing_silhouettes_and_change_none(shared, rng):
    for count in (1, 2, 4) * 5:
        spec = random_scene(rng)
        spec = dataclasses.replace(spec, objects=spec.objects[:count])
        instance = shared.render([spec])[0].instance
        for canvas in (1, 3):
            expected = shared.full_masks(spec, canvas)
            np.testing.assert_array_equal(shared.full_masks(spec, canvas, instance), expected)

    left, right = (at([x, 0, 1], obj_id=2) for x in (-0.1, 0.1))
    drawn_over = np.full(
        (48, 64), 2, np.uint8
    )  # as no scene looks: seen in the masks if it is used
    apart, hidden = (scene(SMALL, left, x) for x in (right, at([-0.2, 0, 2], obj_id=2)))
    assert shared.full_masks(apart, 1, drawn_over)[1].all()
    np.testing.assert_array_equal(
        shared.full_masks(hidden, 1, drawn_over), shared.full_masks(hidden)
    )


def test_what_crosses_the_near_plane_is_cut_off_there():
    # A floor 5 cm below the camera, from 1 m behind it to 2 m ahead.
    floor = quads([[[-9, 0.05, -1], [9, 0.05, -1], [9, 0.05, 2], [-9, 0.05, 2]]])
    steep = Camera(np.array([[20, 0, 31.5], [0, 20, 3.3], [0, 0, 1]]), 64, 120)
    frame, empty = draw({1: floor}, scene(steep, Placed(1, EYE)), scene(steep, at([0, 0, -5])))
    v = np.arange(120)
    depth = np.where(v > 3.3, 20 * 0.05 / np.maximum(v - 3.3, 1e-9), np.inf)
    shown = (depth > 0.01) & (depth < 2)
    expected = np.where(shown, depth, 0)[:, None].repeat(64, axis=1)
    assert 0 < shown.sum() < (v > 3.3).sum()  # the near plane cuts some rows off
    np.testing.assert_allclose(frame.depth, expected, rtol=1e-5)
    assert not empty.depth.any() and not empty.instance.any() and len(empty.annotations) == 1


def test_rasterizers_in_one_process_do_not_disturb_each_other(rng):
    spec = random_scene(rng, obj_ids=(1,))
    first, second = Rasterizer({1: square(0.05)}), Rasterizer({1: square(0.1)})
    before = first.render([spec])[0], second.render([spec])[0]
    again = first.render([spec])[0]
    second.close()
    after_close = first.render([spec])[0]
    first.close()
    assert_same_frame(before[0], again)
    assert_same_frame(before[0], after_close)
    assert (before[1].depth > 0).sum() > (before[0].depth > 0).sum()


def test_framebuffers_of_many_sizes_come_and_go():
    sizes = [(16 + i, 12) for i in range(40)]
    sun = Light("directional", (0.0, 0.6, -0.8), shadow=True)
    specs = [
        scene(
            Camera(np.array([[9, 0, w / 2], [0, 9, h / 2], [0, 0, 1]]), w, h),
            at([0, 0, 0.3]),
            lights=(sun,),
        )
        for w, h in [*sizes, *sizes]
    ]
    frames = draw(two_meshes(), *specs, antialias=True)
    for spec, frame, again in zip(specs[:40], frames[:40], frames[40:], strict=True):
        assert frame.rgb.shape == (spec.size[1], spec.size[0], 3)
        assert frame.instance.any()
        assert_same_frame(frame, again)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objects": (at([0, 0, 1], obj_id=7),)}, r"no mesh for object 7; there are \[1, 2\]"),
        ({"objects": (at([0, 0, 1], stretch=(1.0, 0.0, 1.0)),)}, "stretch must not be zero"),
        ({"lights": 9 * (Light("point", (0.0, 0.0, 0.0)),)}, "at most 8 lights, got 9"),
        ({"lights": (Light("area", (0.0, 0.0, 0.0)),)}, "light kind must be .*, got 'area'"),
        ({"lights": (Light("spot", EYE[0], cone=(0.5, 0.4)),)}, r"inner < outer < pi/2, got \(0.5"),
        ({"lights": (Light("spot", EYE[0], direction=(0.0, 1.0, 1.0)),)}, "must have unit length"),
    ],
)
def test_a_spec_that_cannot_be_drawn_says_why(shared, changes, message):
    with pytest.raises(ValueError, match=message):
        shared.render([dataclasses.replace(scene(SMALL), **changes)])


def test_an_image_larger_than_the_device_draws_is_refused(shared):
    with pytest.raises(InputError, match="image size 100000x2: this OpenGL device draws up to"):
        shared.render([scene(Camera(K, 100000, 2))])


def test_a_mesh_without_faces_is_refused():
    with pytest.raises(ValueError, match="no faces"):
        Rasterizer({1: square(1.0, faces=np.zeros((0, 3), np.int32))})


def test_a_missing_egl_library_names_the_packages(monkeypatch):
    monkeypatch.setenv("GLCONTEXT_LINUX_LIBEGL", "libEGL-that-is-missing.so")
    with pytest.raises(InputError, match=r"missing\.so not loaded.*apt-get install -y libegl1"):
        Rasterizer({})


def draw_in_process(seed: int):
    rng = np.random.default_rng(seed)
    return draw(two_meshes(), random_scene(rng))[0]


@pytest.mark.slow
def test_spawned_processes_draw_the_same_at_once():
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        frames = list(pool.map(draw_in_process, [5, 5, 5]))
    for frame in frames:
        assert_same_frame(frame, draw_in_process(5))
