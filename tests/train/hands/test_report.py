from dataclasses import replace

import cv2
import numpy as np
import pytest

from render.formats.nyu import BONES, CAMERA, uvd_from_joints
from render.image_file import read_rgb
from tests.hand_scenes import hand_depth, random_hand
from train.hand_options import HandCropConfig
from train.hands.crops import HandCrops, HandFrame, hand_frame
from train.hands.report import extreme_sheet, hand_sheet, pair_sheet
from train.learn.pictures import PREDICTED, TILE, TRUE
from train.learn.targets import HandInfo

CROPS = HandCrops(HandCropConfig(size=48), HandInfo(tuple(range(14))))


@pytest.fixture(scope="module")
def frames() -> list[HandFrame]:
    rng = np.random.default_rng(0)
    hands = [random_hand(rng) for _ in range(6)]
    return [
        hand_frame(i, hand_depth(joints), joints[-1], joints, CROPS.config)
        for i, joints in enumerate(hands)
    ]


def tile_at(image: np.ndarray, row: int, column: int) -> np.ndarray:
    """A picture of a sheet, without its label; sheets leave 4 pixels between pictures."""
    top, left = 4 + row * (TILE + 20), 4 + column * (TILE + 4)
    return image[top + 16 : top + 16 + TILE, left : left + TILE]


def gray_of(picture: np.ndarray) -> np.ndarray:
    gray = np.round(127.5 * (1 - picture[..., 0])).astype(np.uint8)
    return cv2.resize(gray, (TILE, TILE), interpolation=cv2.INTER_NEAREST)


def test_pairs_are_shown_in_one_crop_plain_and_jittered(frames, tmp_path):
    twins = [[frame] for frame in frames[:3]]
    pair_sheet(frames[:3], twins, frames[3:], CROPS, tmp_path / "pairs.png")
    sheet = read_rgb(tmp_path / "pairs.png")
    for column in range(3):
        real, synthetic = frames[column], frames[3 + column]
        rows = [tile_at(sheet, row, column) for row in range(5)]
        expected = gray_of(CROPS.image(real, CROPS.plain(real)))
        np.testing.assert_array_equal(rows[0], np.repeat(expected[..., None], 3, axis=2))
        np.testing.assert_array_equal(rows[1], rows[0])
        np.testing.assert_array_equal(rows[3], rows[2])
        assert not np.array_equal(rows[2], rows[0])
        drawn = gray_of(CROPS.image(synthetic, CROPS.plain(synthetic)))
        np.testing.assert_array_equal(rows[4][..., 0], drawn)


def test_true_joints_are_green_and_predicted_ones_red(frames, tmp_path):
    """Where they lie in the crop; a method's row shows its own predictions."""
    joints = np.stack([frame.joints for frame in frames])
    moved = joints + [0.03, 0.0, 0.0]
    predictions = {"a": uvd_from_joints(moved), "b": uvd_from_joints(joints)}
    hand_sheet(predictions, frames, CROPS, tmp_path / "test.png", columns=6)
    sheet = read_rgb(tmp_path / "test.png")
    for column, frame in enumerate(frames):
        crop_from_image = replace(CROPS.plain(frame), size=TILE).crop_from_image
        for row, predicted in ((0, moved[column]), (1, joints[column])):
            picture = tile_at(sheet, row, column)
            pixels = CAMERA.project(predicted) @ crop_from_image[:, :2].T + crop_from_image[:, 2]
            tips = np.rint(pixels[[a for a, _ in BONES[:4]]]).astype(int)
            for u, v in tips[((tips > 2) & (tips < TILE - 3)).all(axis=1)]:
                assert tuple(picture[v, u]) == PREDICTED
        assert (tile_at(sheet, 0, column) == TRUE).all(axis=-1).any()


def test_predictions_outside_the_crop_or_beyond_all_bounds_are_no_trouble(frames, tmp_path):
    joints = np.stack([frame.joints for frame in frames]) + [5.0, 0, 0]
    hand_sheet({"a": uvd_from_joints(joints)}, frames, CROPS, tmp_path / "test.png")
    assert not (read_rgb(tmp_path / "test.png") == PREDICTED).all(axis=-1).any()


def test_extremes_are_in_the_order_of_their_joint_error_refined_ones_in_the_same(frames, tmp_path):
    """Predictions beside the truth by a known distance in depth, in no order."""
    apart = np.array([30.0, 5.0, 60.0, 10.0, 40.0, 20.0])  # mm
    uvd = uvd_from_joints(np.array([frame.joints for frame in frames]))
    uvd[..., 2] += apart[:, None]
    refined = uvd[::-1]  # the best becomes the second, and so on
    predictions = {"mapping": uvd, "mapping-refined": refined}
    extreme_sheet(predictions, frames, CROPS, tmp_path / "extremes.png")
    order = [1, 3, 5, 0, 4, 2]
    shown = [frames[i] for i in order]
    drawn = {"mapping": uvd[order], "mapping-refined": refined[order]}
    hand_sheet(drawn, shown, CROPS, tmp_path / "test.png")
    sheet, expected = read_rgb(tmp_path / "extremes.png"), read_rgb(tmp_path / "test.png")
    assert sheet.shape == expected.shape
    for row in range(2):
        for column in range(6):
            tile = tile_at(sheet, row, column)
            np.testing.assert_array_equal(tile, tile_at(expected, row, column))
