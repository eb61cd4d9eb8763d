"""Optical flow beside what object coordinates and other pixels say of it."""

from contextlib import closing
from dataclasses import replace

import cv2
import numpy as np
import pytest

from render.dataset.film import optical_flow, with_flow
from render.draw.renderer import RenderConfig, make_renderer, see
from render.formats.flow import encode_flow, flow_path, read_flow
from render.image_file import write_png
from render.scene.spec import Placed, SceneSpec, rows
from render.sensor.spec import TimeOfFlight
from render.transforms import apply, rigid, rodrigues
from tests.small_dataset import cuboids

K, SIZE = np.array([[150.0, 0, 80], [0, 150, 60], [0, 0, 1]]), (160, 120)
# A large cuboid behind two small ones, one of which is not annotated.
WORLD = [
    Placed(1, rows(rigid(rodrigues(np.array([0.1, 0.2, 0])), [0, -0.1, 0.9])), stretch=(9, 9, 1)),
    Placed(2, rows(rigid(rodrigues(np.array([0.5, -0.4, 0.3])), [-0.05, 0.02, 0.42]))),
    Placed(1, rows(rigid(np.eye(3), [0.06, -0.05, 0.5])), annotated=False),
]
LENS = (-0.3, 0.1, 0.005, 0.0, 0.0)


def spec_at(cam_from_world: np.ndarray, **changes) -> SceneSpec:
    objects = tuple(replace(p, cam_from_obj=rows(cam_from_world @ p.matrix)) for p in WORLD)
    spec = SceneSpec(rows(K), SIZE, objects, cam_from_world=rows(cam_from_world))
    return replace(spec, **changes)


MOVES = {
    "aside": rigid(np.eye(3), [0.06, 0.0, 0.0]),
    "turned": rigid(rodrigues(np.array([0.02, -0.2, 0.1])), [0.12, 0.02, 0.05]),
    "not at all": np.eye(4),
}


@pytest.fixture(scope="module")
def renderer():
    with closing(make_renderer(cuboids(), RenderConfig(coordinates=True, exact=True))) as made:
        yield made


def pixels() -> np.ndarray:
    v, u = np.mgrid[: SIZE[1], : SIZE[0]].astype(float)
    return np.stack([u, v], axis=-1)


@pytest.mark.parametrize("lens", [None, LENS])
@pytest.mark.parametrize("move", MOVES)
def test_flow_leads_to_the_same_point_of_the_same_object(renderer, move, lens):
    """The point by its object coordinates, which are drawn apart from depth."""
    here, there = (spec_at(T, distortion=lens) for T in (np.eye(4), MOVES[move]))
    one, other = see(renderer, [here, there])
    flow = optical_flow(one, other, MOVES[move])
    known = ~np.isnan(flow[..., 0])
    to = pixels() + np.nan_to_num(flow)
    column, row = np.rint(to).astype(int).transpose(2, 0, 1)
    column, row = np.clip(column, 0, SIZE[0] - 1), np.clip(row, 0, SIZE[1] - 1)
    np.testing.assert_array_equal(other.instance[row, column][known], one.instance[known])
    # Half a pixel, and what a lens leaves between a pixel and its sample, on either side.
    beside = 0.71 if lens is None else 1.1
    annotated = [i for i, p in enumerate(there.objects) if p.annotated]
    for number, i in enumerate(annotated, 1):
        placed, seen = there.objects[i], known & (one.instance == number)
        assert seen.sum() > 300
        points = one.coordinates[seen].astype(np.float64) * np.array(placed.stretch)
        off = there.camera.project(apply(placed.matrix, points)) - to[seen]
        # A lens' sample lies beside its pixel; so does its depth, and is seen as far off there.
        allowed = 1e-3 if lens is None else 0.4
        assert np.abs(off).max() < allowed
        landed = other.coordinates[row, column][seen] * np.array(placed.stretch)
        away = np.linalg.norm(landed - points, axis=1)
        facing = np.maximum(apply(placed.matrix, points)[:, 2], 0.3) / K[0, 0]
        assert np.median(away / facing) < beside and np.quantile(away / facing, 0.99) < 5


@pytest.mark.parametrize("move", MOVES)
def test_flow_is_known_where_a_surface_is_seen_again_and_nowhere_else(renderer, move):
    here, there = spec_at(np.eye(4)), spec_at(MOVES[move])
    one, other = see(renderer, [here, there])
    flow = optical_flow(one, other, MOVES[move])
    known = ~np.isnan(flow[..., 0])
    depth = one.depth.astype(np.float64)
    points = apply(MOVES[move], one.camera.unproject(depth).reshape(-1, 3)).reshape(*depth.shape, 3)
    to = other.camera.project(np.where(depth[..., None] > 0, points, [0, 0, 1.0]))
    column, row = np.rint(to).astype(int).transpose(2, 0, 1)
    inside = (column >= 0) & (row >= 0) & (column < SIZE[0]) & (row < SIZE[1]) & (depth > 0)
    seen = np.zeros_like(depth)
    seen[inside] = other.depth[row[inside], column[inside]]
    hidden = inside & (seen > 0) & (seen < 0.95 * points[..., 2])
    assert not known[~inside].any() and not known[hidden].any()
    kernel = np.ones((3, 3), np.uint8)
    # Away from where anything ends, in both images.
    far, near = cv2.dilate(other.depth, kernel), cv2.erode(other.depth, kernel)
    even = np.zeros_like(inside)
    even[inside] = (far / np.maximum(near, 1e-3) < 1.05)[row[inside], column[inside]]
    again = inside & even & (np.abs(seen / np.maximum(points[..., 2], 1e-3) - 1) < 0.02)
    assert again.sum() > 5000 and known[again].mean() > 0.995
    if move == "not at all":
        np.testing.assert_allclose(flow[known], 0, atol=1e-9)
        np.testing.assert_array_equal(known, depth > 0)
    else:
        assert hidden.sum() > 20


def test_there_and_back_is_the_same_pixel(renderer):
    T = MOVES["turned"]
    one, other = see(renderer, [spec_at(np.eye(4)), spec_at(T)])
    forward, backward = optical_flow(one, other, T), optical_flow(other, one, np.linalg.inv(T))
    to = np.rint(pixels() + np.nan_to_num(forward)).astype(int)
    u, v = np.clip(to, 0, np.array(SIZE) - 1).transpose(2, 0, 1)
    there_and_back = forward + backward[v, u]
    known = ~np.isnan(there_and_back[..., 0])
    # The pixel back is that beside which the way there ends, up to half a pixel on either side.
    assert known.mean() > 0.4 and np.quantile(np.abs(there_and_back[known]), 0.99) < 0.75


def test_a_film_ends_at_both_ends_and_a_depth_camera_leaves_flow_as_it_is(renderer):
    places = [np.eye(4), MOVES["aside"], MOVES["turned"]]
    noise = TimeOfFlight(noise=0.01, seed=(1,))
    plain, noisy = [spec_at(T) for T in places], [spec_at(T, depth_sensor=noise) for T in places]
    films = [
        list(with_flow(zip(s, see(renderer, s), strict=True), range(3))) for s in (plain, noisy)
    ]
    part = list(with_flow(zip(plain, see(renderer, plain), strict=True), range(1, 2)))
    for (_, frame), (_, same) in zip(*films, strict=True):
        np.testing.assert_array_equal(frame.flow_forward, same.flow_forward)
        np.testing.assert_array_equal(frame.flow_backward, same.flow_backward)
    np.testing.assert_array_equal(part[0][1].flow_forward, films[0][1][1].flow_forward)
    frames = [frame for _, frame in films[0]]
    assert np.isnan(frames[0].flow_backward).all() and np.isnan(frames[2].flow_forward).all()
    assert not np.isnan(frames[1].flow_forward).all()


def test_a_file_is_kitti_s_and_opencv_reads_it_unchanged(tmp_path, rng):
    flow = rng.uniform(-500, 500, (7, 9, 2))
    flow[2, 3] = np.nan
    flow[4, 5] = 512.5, 0
    path = flow_path(tmp_path, 3, "forward")
    path.parent.mkdir()
    write_png(path, encode_flow(flow))
    bgr = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert bgr.dtype == np.uint16 and bgr[2, 3].tolist() == bgr[4, 5].tolist() == [0, 0, 0]
    valid, v, u = bgr.transpose(2, 0, 1).astype(float)
    known = valid == 1
    assert known.sum() == 61 and path.name == "000003.png"
    decoded = (np.stack([u, v], axis=-1) - 2**15) / 64
    np.testing.assert_allclose(decoded[known], flow[known], atol=1 / 128)
    np.testing.assert_array_equal(read_flow(path)[known], decoded[known])
    assert np.isnan(read_flow(path)[~known]).all()
