"""Frames through a lens, beside rays that are cast at a cuboid by themselves."""

from contextlib import closing
from dataclasses import replace

import cv2
import numpy as np
import pytest

from render.draw.bent import OVERSAMPLE, bend_of
from render.draw.renderer import RenderConfig, make_renderer, see, silhouettes
from render.errors import InputError
from render.scene.spec import Background, Placed, SceneSpec, rows
from render.sensor.spec import TimeOfFlight
from render.transforms import invert, rigid, rodrigues
from tests.small_dataset import cuboids

LENSES = {
    "barrel": (-0.35, 0.12, 0.0, 0.0, -0.01),
    "cushion": (0.3, 0.0, 0.0, 0.0, 0.0),
    "off centre": (-0.2, 0.05, 0.01, -0.015, 0.0),
}
K, SIZE = np.array([[150.0, 0, 80], [0, 150, 60], [0, 0, 1]]), (160, 120)
BEFORE = rigid(rodrigues(np.array([0.5, -0.4, 0.3])), [-0.05, 0.02, 0.42])
BEHIND = rigid(rodrigues(np.array([-0.3, 0.8, 0.1])), [0.1, -0.05, 0.55])


def spec_of(name: str, **changes) -> SceneSpec:
    placed = Placed(2, rows(BEFORE)), Placed(1, rows(BEHIND)), Placed(1, rows(rigid(
        np.eye(3), [-0.31, 0.0, 0.5]
    )))  # fmt: skip
    spec = SceneSpec(rows(K), SIZE, placed, ambient=(1.0, 1.0, 1.0), distortion=LENSES[name])
    return replace(spec, background=Background("plain", color=(0.2, 0.4, 0.6)), **changes)


@pytest.fixture(scope="module")
def renderer():
    with closing(make_renderer(cuboids(), RenderConfig(coordinates=True, exact=True))) as made:
        yield made


def cast(spec: SceneSpec, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth and id at (n, 2) pixels, by OpenCV's rays and slabs of boxes."""
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-12)
    lens = np.array(spec.distortion)
    pixels = pixels.reshape(-1, 1, 2)
    xy = cv2.undistortPoints(pixels, np.array(spec.K), lens, criteria=criteria).reshape(-1, 2)
    rays = np.column_stack([xy, np.ones(len(xy))])
    depth, ids = np.full(len(rays), np.inf), np.zeros(len(rays), int)
    for number, placed in enumerate(spec.objects, 1):
        obj_from_cam = invert(placed.matrix)
        eye, way = obj_from_cam[:3, 3], rays @ obj_from_cam[:3, :3].T
        low, high = cuboids()[placed.obj_id].box
        with np.errstate(divide="ignore"):
            ends = np.sort([(low - eye) / way, (high - eye) / way], axis=0)
        first, last = ends[0].max(axis=1), ends[1].min(axis=1)
        hit = (first < last) & (first > 0) & (first < depth)
        depth[hit], ids[hit] = first[hit], number
    return np.where(ids > 0, depth, 0), ids


def grid(step: float = 0.0) -> np.ndarray:
    v, u = np.mgrid[: SIZE[1], : SIZE[0]].astype(float)
    return np.stack([u, v], axis=-1) + step


@pytest.mark.parametrize("name", LENSES)
def test_ids_and_depth_are_those_of_a_ray_within_a_quarter_of_a_pixel(name, renderer):
    spec = spec_of(name)
    (frame,) = see(renderer, [spec])
    near = 0.5 / OVERSAMPLE + 0.01
    around = [[a, b] for a in (-near, 0, near) for b in (-near, 0, near)]
    casts = [cast(spec, (grid() + step).reshape(-1, 2)) for step in around]
    depths = np.array([d for d, _ in casts]).reshape(-1, *SIZE[::-1])
    ids = np.array([i for _, i in casts]).reshape(-1, *SIZE[::-1])
    alike = (ids == ids[0]).all(axis=0)
    assert 0.9 < alike.mean() < 1 and set(np.unique(ids)) == {0, 1, 2, 3}
    np.testing.assert_array_equal(frame.instance[alike], ids[0][alike])
    inside = alike & (ids[0] > 0)
    seen, low, high = (d[inside] for d in (frame.depth, depths.min(axis=0), depths.max(axis=0)))
    # All but where an edge of a cuboid, which is nearest, lies between the rays that were cast.
    assert np.mean((seen < low - 1e-5) | (seen > high + 1e-5)) < 0.005
    np.testing.assert_array_equal(frame.depth > 0, frame.instance > 0)


@pytest.mark.parametrize("name", LENSES)
def test_colour_ends_where_ids_do_and_has_no_rim(name, renderer):
    """Flat colours: a pixel has the background's but where an object is within it."""
    spec = spec_of(name)
    (frame,) = see(renderer, [spec])
    behind = (frame.rgb == np.round(255 * np.array([0.2, 0.4, 0.6]))).all(axis=2)
    drawn = frame.instance > 0
    kernel = np.ones((3, 3), np.uint8)
    well_inside = cv2.erode(drawn.view(np.uint8), kernel) > 0
    well_outside = cv2.dilate(drawn.view(np.uint8), kernel) == 0
    assert well_outside.any() and behind[well_outside].all() and not behind[well_inside].any()


@pytest.mark.parametrize("name", LENSES)
def test_silhouettes_hold_what_is_visible_and_go_on_outside_the_image(name, renderer):
    spec = spec_of(name)
    (frame,) = see(renderer, [spec])
    masks = silhouettes(renderer, spec, 3, frame)
    width, height = SIZE
    middle = masks[:, height : 2 * height, width : 2 * width]
    for i in range(3):
        assert not (~middle[i] & (frame.instance == i + 1)).any()
        alone = replace(spec, objects=(spec.objects[i],))
        (single,) = see(renderer, [alone])
        np.testing.assert_array_equal(middle[i], single.instance > 0)
    # The third one is cut by the left border. Beyond it, the same rays tell.
    v, u = np.mgrid[:height, -width:0].astype(float)
    alone = replace(spec, objects=(spec.objects[2],))
    _, ids = cast(alone, np.stack([u, v], axis=-1).reshape(-1, 2))
    expected = ids.reshape(height, width) > 0
    found = masks[2, height : 2 * height, :width]
    rim = cv2.morphologyEx(expected.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    assert expected.sum() > 50
    np.testing.assert_array_equal(found[rim == 0], expected[rim == 0])


def test_coordinates_project_to_their_pixel(renderer):
    spec = spec_of("barrel")
    (frame,) = see(renderer, [spec])
    for number, placed in enumerate(spec.objects, 1):
        seen = frame.instance == number
        points = frame.coordinates[seen] @ placed.matrix[:3, :3].T + placed.matrix[:3, 3]
        off = np.abs(spec.camera.project(points) - grid()[seen]).max()
        assert off < 0.5 / OVERSAMPLE + 0.02


def test_depth_cameras_measure_straight_and_colour_is_sharp(renderer):
    """Noise is the sensor's own in each pixel; what is drawn is kept beside it."""
    sensor = TimeOfFlight(noise=0.002, seed=(3,), mixing_px=0.0)
    spec = spec_of("barrel")
    (perfect,), (noisy,) = (
        see(renderer, [spec]),
        see(renderer, [replace(spec, depth_sensor=sensor)]),
    )
    np.testing.assert_array_equal(noisy.drawn_depth, perfect.depth)
    np.testing.assert_array_equal(noisy.rgb, perfect.rgb)
    both = (noisy.depth > 0) & (perfect.depth > 0)
    assert 1e-4 < np.std((noisy.depth - perfect.depth)[both]) < 5e-3


def test_a_lens_that_folds_in_the_image_is_refused():
    folding = replace(spec_of("barrel"), distortion=(-1.5, 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(InputError, match=r"k1, k2, p1, p2, k3: a lens of -1.5, .* folds within"):
        bend_of(folding)


def test_without_a_lens_a_frame_is_the_renderer_s_own(renderer):
    spec = replace(spec_of("barrel"), distortion=None)
    (seen,), (drawn,) = see(renderer, [spec]), renderer.render([spec])
    np.testing.assert_array_equal(seen.depth, drawn.depth)
    assert "distortion" not in spec.to_json()
    again = SceneSpec.from_json(spec_of("barrel").to_json())
    assert again == spec_of("barrel")
