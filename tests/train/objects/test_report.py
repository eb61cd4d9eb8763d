from dataclasses import replace

import numpy as np
import pytest

from render.formats.bop import read_split
from render.image_file import read_rgb
from render.show.overlay import draw_box
from tests.small_dataset import cuboids, random_frames, smooth_picture, write_dataset
from train.learn.pictures import best_to_worst
from train.objects import report
from train.objects.crops import cut, square_crop
from train.objects.data import load_instances
from train.objects.metrics import PoseErrors
from train.objects.results import Outcome
from train.options import CropConfig

CROP = CropConfig(size=32)
LABEL, GAP, TILE = 16, 4, report.TILE


@pytest.fixture
def instances(tmp_path, rng):
    models = cuboids()
    write_dataset(tmp_path / "data", models, random_frames(rng, models, 5))
    return load_instances(read_split(tmp_path / "data", "test"), models[1])


def tile_at(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    """The picture under a label."""
    y, x = GAP + row * (LABEL + TILE + GAP) + LABEL, GAP + column * (TILE + GAP)
    return sheet[y : y + TILE, x : x + TILE]


def test_the_contact_sheet_shows_each_pair_in_one_crop_plain_and_jittered(instances, tmp_path, rng):
    """Twins that are the real images show up as the same tiles, below one another."""
    twins = [[instance] * 2 for instance in instances]
    synthetic = [replace(i, window=smooth_picture(rng), corner=(0, 0)) for i in instances]
    report.contact_sheet(instances, twins, synthetic, CROP, tmp_path / "pairs.png", columns=3)
    sheet = read_rgb(tmp_path / "pairs.png")
    assert sheet.shape[:2] == (GAP + 5 * (LABEL + TILE + GAP), GAP + 3 * (TILE + GAP))
    tile = replace(CROP, size=TILE)
    for column, i in enumerate((0, 2, 4)):
        real = cut(instances[i], square_crop(instances[i].box, tile), TILE)
        rows = [tile_at(sheet, row, column) for row in range(5)]
        np.testing.assert_array_equal(rows[0], real)
        np.testing.assert_array_equal(rows[1], rows[0])
        np.testing.assert_array_equal(rows[3], rows[2])
        assert not np.array_equal(rows[2], rows[0])
        expected = cut(synthetic[i], square_crop(synthetic[i].box, tile), TILE)
        np.testing.assert_array_equal(rows[4], expected)


def test_the_test_sheet_has_the_true_box_in_green_and_the_predicted_in_red(instances, tmp_path):
    outcomes = []
    for method, shift in (("real", 5.0), ("mapping", None)):
        for instance in instances:
            found = None if shift is None else instance.corners[0] + shift
            outcomes.append(Outcome(1, method, "bbox_obj", instance, None, found, 1.0, 1.0))
    report.test_sheet(outcomes, CROP, tmp_path / "test.png", columns=5)
    sheet = read_rgb(tmp_path / "test.png")
    wide = replace(CROP, size=TILE, margin=1.6)
    for column, instance in enumerate(instances):
        crop = square_crop(instance.box, wide)
        corners = instance.corners[0]
        true, found = (p @ crop[:, :2].T + crop[:, 2] for p in (corners, corners + 5.0))
        picture = draw_box(cut(instance, crop, TILE), true, report.TRUE)
        np.testing.assert_array_equal(tile_at(sheet, 1, column), picture)
        picture = draw_box(picture, found, report.PREDICTED)
        np.testing.assert_array_equal(tile_at(sheet, 0, column), picture)


def test_a_sheet_spreads_its_columns_over_all_there_is():
    assert report.spread(100, 5) == [0, 25, 50, 74, 99]
    assert report.spread(3, 8) == [0, 1, 2] and report.spread(0, 8) == []


def test_extremes_are_those_about_the_median_too():
    errors = [*range(11), np.inf]
    assert best_to_worst(errors) == [0, 1, 2, 4, 5, 6, 9, 10, 11]
    assert best_to_worst(errors[::-1], each=1) == [11, 6, 0]
    assert best_to_worst([3.0, 1.0, 2.0, 4.0]) == [1, 2, 0, 3]
    assert best_to_worst([]) == []


def test_the_sheet_of_extremes_has_the_least_errors_first_and_no_pose_last(instances, tmp_path):
    """Errors in no order; each frame is told by the red box, which is shifted by its error.

    Refined poses are in the same order, whatever their own errors.
    """
    found = [3.0, 1.0, None, 5.0, 2.0]
    outcomes = [
        Outcome(
            1,
            method,
            "bbox_obj",
            instance,
            None if error is None else PoseErrors(0, 0, error, 0, 0, 0, 0),
            None if error is None else instance.corners[0] + error,
            1.0,
            1.0,
        )
        for method, errors in (("mapping", found), ("mapping-refined", found[::-1]))
        for instance, error in zip(instances, errors, strict=True)
    ]
    report.extreme_sheet(outcomes, CROP, tmp_path / "extremes.png")
    sheet = read_rgb(tmp_path / "extremes.png")
    order = (1, 4, 0, 3, 2)
    shown = [outcomes[row * 5 + i] for row in range(2) for i in order]
    report.test_sheet(shown, CROP, tmp_path / "test.png")
    expected = read_rgb(tmp_path / "test.png")
    assert sheet.shape == expected.shape
    for row in range(2):
        for column in range(5):
            tile = tile_at(sheet, row, column)
            np.testing.assert_array_equal(tile, tile_at(expected, row, column))
