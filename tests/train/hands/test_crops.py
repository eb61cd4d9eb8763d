from dataclasses import replace

import numpy as np
import pytest
import torch

from render.formats.nyu import CAMERA, JOINTS, uvd_from_joints
from render.formats.nyu_dataset import read_split
from tests.hand_scenes import draw_balls, hand_depth, random_hand
from train.hand_options import HandCropConfig
from train.hands.crops import HandCrop, HandCrops, HandFrame, hand_frame
from train.learn.batches import Batches
from train.learn.targets import HandInfo

CONFIG = HandCropConfig(size=96)
ALL = HandInfo(tuple(range(14)))
CROPS = HandCrops(CONFIG, ALL)


def random_crop(rng, size: int = 128) -> HandCrop:
    center = rng.uniform([-0.15, -0.1, 0.5], [0.15, 0.1, 1.0])
    return HandCrop(CAMERA, center, rng.uniform(0.1, 0.2), size, rng.uniform(-np.pi, np.pi))


def rays_of(crop: HandCrop) -> np.ndarray:
    """(size, size, 3): through the middle of each of the crop's pixels, with z = 1.

    By the camera of the crop; its picture takes the image's nearest pixel instead.
    """
    camera = CAMERA.crop(crop.crop_from_image, crop.size, crop.size)
    return camera.unproject(np.ones((crop.size, crop.size)))


def frame_of(rng) -> HandFrame:
    joints = random_hand(rng)
    return hand_frame(1, hand_depth(joints), joints[-1], joints, CONFIG)


# The picture


def test_a_slanted_plane_has_the_depth_of_its_formula(rng):
    """n . p = d gives z = d / n . ray; half a pixel of the image is the nearest pixel's error."""
    for _ in range(10):
        crop = random_crop(rng)
        normal = np.array([*rng.uniform(-0.5, 0.5, 2), 1.0])
        rays = CAMERA.unproject(np.ones((480, 640)))
        d = normal @ crop.center
        picture = crop.image(d / (rays @ normal))[..., 0]

        z = d / (rays_of(crop) @ normal)
        expected = np.clip((z - crop.center[2]) / crop.half, -1, 1)
        to_pixel = np.abs(d / (rays @ normal) ** 2)[..., None] * np.abs(normal[:2])
        slack = (to_pixel / np.diag(CAMERA.K)[:2] * 0.51).sum(axis=-1).max() / crop.half
        pixels = (np.indices((128, 128))[::-1].reshape(2, -1) - crop.crop_from_image[:, 2:]).T
        u, v = (pixels @ np.linalg.inv(crop.crop_from_image[:, :2]).T).T
        inside = ((u > -0.4) & (u < 639.4) & (v > -0.4) & (v < 479.4)).reshape(128, 128)
        assert inside.mean() > 0.5
        assert np.abs(picture - expected)[inside].max() < slack + 1e-6
        beyond = ((u < -0.6) | (u > 639.6) | (v < -0.6) | (v > 479.6)).reshape(128, 128)
        assert (picture[beyond] == 1).all()


def test_nearer_than_the_cube_is_minus_one_and_farther_or_nothing_is_one():
    crop = HandCrop(CAMERA, np.array([0.02, -0.01, 0.7]), 0.15, 64)
    cases = ((0.3, -1), (0.55, -1), (0.625, -0.5), (0.7, 0), (0.85, 1), (2.001, 1), (0, 1))
    for depth, expected in cases:
        picture = crop.image(np.full((480, 640), depth))
        assert picture.shape == (64, 64, 1) and picture.dtype == np.float32
        np.testing.assert_allclose(picture, expected, atol=1e-6)


def test_the_picture_spans_the_cubes_face_through_its_center():
    """A square as wide as the cube, at the centre's depth, fills the picture to its edges."""
    crop = HandCrop(CAMERA, np.array([0.05, 0.03, 0.8]), 0.15, 128)
    points = CAMERA.unproject(np.full((480, 640), 0.8)) - crop.center
    for part, filled in ((1.0, 1.0), (0.5, 0.25)):
        square = (np.abs(points[..., :2]) <= part * 0.15).all(axis=-1)
        share = (crop.image(np.where(square, 0.8, 0)) < 1).mean()
        assert share == pytest.approx(filled, abs=0.02)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_a_ball_at_a_joint_is_seen_where_its_target_says(rng, angle):
    """The target leads to the pixel and depth of the ball's nearest point, turned too."""
    for _ in range(5):
        crop = replace(random_crop(rng), angle=angle)
        joint = crop.center + rng.uniform(-0.5, 0.5, 3) * crop.half
        picture = crop.image(draw_balls(joint[None], [0.012]))[..., 0]
        x, y, z = crop.normalize(joint) * crop.half + crop.center
        u, v = CAMERA.project(np.array([x, y, z]))
        # In the turned image the crop is one without rotation.
        straight = replace(crop, angle=0.0).crop_from_image
        u, v = straight @ [u, v, 1]
        rows, columns = np.nonzero(picture < 1)
        # A ball off the axis is seen as an ellipse whose middle is a little off its centre's pixel.
        np.testing.assert_allclose([columns.mean(), rows.mean()], [u, v], atol=0.7)
        nearest = picture.min() * crop.half + crop.center[2]
        assert nearest == pytest.approx(z - 0.012, abs=4e-4)


def test_equal_frames_under_one_crop_are_equal_pictures(rng):
    frame = frame_of(rng)
    twin = hand_frame(1, hand_depth(frame.joints), frame.center, frame.joints, CONFIG)
    crop = CROPS.draw(np.random.default_rng(3), frame)
    np.testing.assert_array_equal(CROPS.image(twin, crop), CROPS.image(frame, crop))
    images = CROPS.image(frame, crop)[None]
    assert CROPS.augment(images, rng) is images


def test_a_crop_from_the_window_is_the_crop_from_the_image(rng):
    """For every jitter, of hands near the image's edge too."""
    for i in range(20):
        joints = random_hand(rng) + [*rng.uniform(-0.3, 0.3, 2), 0]
        depth = np.round(hand_depth(joints), 3)
        depth[depth == 0] = rng.choice([0, 0.95, 2.001], (depth == 0).sum())
        frame = hand_frame(1, depth, joints[-1], joints, CONFIG, small=i % 2 == 1)
        for crop in (CROPS.plain(frame), *(CROPS.draw(rng, frame) for _ in range(5))):
            np.testing.assert_allclose(CROPS.image(frame, crop), crop.image(depth), atol=1e-5)
        assert frame.window_mm.size < depth.size


def test_a_small_hand_gets_the_small_cube(rng):
    frame = frame_of(rng)
    assert CROPS.plain(frame).half == 0.15 and CROPS.plain(replace(frame, small=True)).half == 0.125
    config = replace(CONFIG, angle_deg=0.0, shift_mm=0.0, scale=0.1)
    halves = [HandCrops(config, ALL).draw(rng, frame).half for _ in range(200)]
    assert 0.135 <= min(halves) < 0.138 and 0.162 < max(halves) <= 0.165


def test_in_a_batch_both_images_of_a_pair_get_the_same_crop(rng):
    """Twins that are the real images come out as the very same tensors; no two crops are alike."""
    frames = [frame_of(rng) for _ in range(3)]
    batches = Batches(frames, [[frame] for frame in frames], frames, "mapping", 24, CROPS, 1)
    for batch in map(batches.batch, range(2)):
        assert batch.real.shape == (9, 1, 96, 96) and batch.real_targets.shape == (9, 1, 42)
        assert torch.equal(batch.twins, batch.real)
        assert len(torch.unique(batch.real.flatten(1), dim=0)) == 9
        assert len(torch.unique(batch.real_targets.flatten(1), dim=0)) == 9
        assert batch.real.min() >= -1 and batch.real.max() == 1
    again = Batches(frames, [[frame] for frame in frames], frames, "mapping", 24, CROPS, 1)
    assert torch.equal(again.batch(1).synthetic, batch.synthetic)


# Targets


def test_targets_without_a_turn_are_offsets_from_the_center_in_half_cubes(rng):
    crop = replace(random_crop(rng), angle=0.0)
    points = crop.center + rng.uniform(-1, 1, (14, 3)) * crop.half
    expected = (points - crop.center) / crop.half
    np.testing.assert_allclose(crop.normalize(points), expected, atol=1e-12)


def test_joints_come_back_from_any_crop_to_the_image_and_to_space(rng):
    """Within 1e-4 mm and 1e-4 px, through a network's 32-bit numbers too."""
    for _ in range(100):
        crop = random_crop(rng)
        joints = crop.center + rng.uniform(-1, 1, (14, 3)) * crop.half
        restored = crop.restore(crop.normalize(joints))
        np.testing.assert_allclose(1000 * restored, 1000 * joints, atol=1e-9)
        through = crop.restore(crop.normalize(joints).astype(np.float32).astype(np.float64))
        np.testing.assert_allclose(1000 * through, 1000 * joints, atol=1e-4)
        np.testing.assert_allclose(uvd_from_joints(through), uvd_from_joints(joints), atol=1e-4)


def test_a_turn_leaves_the_depth_and_the_distance_in_the_image_to_the_center(rng):
    crop = random_crop(rng)
    joints = crop.center + rng.uniform(-1, 1, (14, 3)) * crop.half
    turned = crop.normalize(joints) * crop.half + crop.center
    np.testing.assert_allclose(turned[:, 2], joints[:, 2], atol=1e-12)
    center = CAMERA.project(crop.center)
    radii = [np.linalg.norm(CAMERA.project(p) - center, axis=1) for p in (joints, turned)]
    np.testing.assert_allclose(*radii, atol=1e-9)


def test_targets_are_the_chosen_joints_in_their_order(rng):
    frame = frame_of(rng)
    crop = CROPS.draw(rng, frame)
    whole = CROPS.targets(frame, crop)
    some = HandCrops(CONFIG, HandInfo((13, 4)))
    assert whole.shape == (1, 42) and some.outputs == 6
    np.testing.assert_array_equal(some.targets(frame, crop)[0], whole[0, [39, 40, 41, 12, 13, 14]])


def test_jitter_is_within_its_bounds_and_reaches_them(rng):
    frame = frame_of(rng)
    crops = [CROPS.draw(rng, frame) for _ in range(400)]
    shifts = np.array([crop.center - frame.center for crop in crops])
    angles = np.degrees([crop.angle for crop in crops])
    assert np.abs(shifts).max() <= 0.01 and (np.abs(shifts).max(axis=0) > 0.0095).all()
    assert 57 < np.abs(angles).max() <= 60 and angles.min() < 0 < angles.max()


def test_the_checksum_tells_pixels_center_and_joints(rng):
    frame = frame_of(rng)
    moved = frame.joints.copy()
    moved[3, 1] += 1e-9
    others = [
        replace(frame, packed=frame.packed[:-1] + b"x"),
        replace(frame, center=frame.center + 1e-9),
        replace(frame, joints=moved),
    ]
    checksums = {CROPS.checksum(one, 5) for one in (frame, *others)}
    assert len(checksums) == 4 and CROPS.checksum(frame, 6) not in checksums


def test_of_the_real_frame_every_joint_lies_under_a_pixel_of_the_hand(nyu):
    """In the crop too, turned or not; and the crop holds little but the hand and its forearm."""
    split = read_split(nyu, "test", numbers=[1])
    joints, depth = split.joints[0], split.read_depth(0)
    frame = hand_frame(1, depth, joints[JOINTS.index("palm")], joints, CONFIG)
    rng = np.random.default_rng(0)
    for crop in (CROPS.plain(frame), *(CROPS.draw(rng, frame) for _ in range(8))):
        picture = CROPS.image(frame, crop)[..., 0]
        pixels = CAMERA.project(joints) @ crop.crop_from_image[:, :2].T
        u, v = np.rint(pixels + crop.crop_from_image[:, 2]).astype(int).T
        surface = picture[v, u] * crop.half + crop.center[2]
        under = joints[:, 2] - surface
        assert (under > -0.003).all() and (under < 0.04).all()
        assert 0.1 < (picture < 1).mean() < 0.6
    assert len(frame.packed) < 25_000
