import numpy as np
import pytest
import torch
from torch import nn

from train.learn.targets import ObjectInfo
from train.objects.detect.checkpoint import DetectorCheckpoint
from train.objects.detect.detector import Detector, overlap
from train.objects.detect.images import Scene, targets
from train.objects.detect.network import DetectorNet, detector_loss, peaks, to_input
from train.objects.detections import generalized_iou

NONE = np.zeros((0, 4))
TARGET = ObjectInfo(1, np.array([[-0.1] * 3, [0.1] * 3]))


class Says(nn.Module):
    """A network that says one thing of every image: heat (n, m) in (0, 1) and sides (4, n, m)."""

    def __init__(self, heat: np.ndarray, sides: np.ndarray) -> None:
        super().__init__()
        clipped = torch.from_numpy(heat).clamp(1e-4, 1 - 1e-4)
        self.said = torch.logit(clipped)[None], torch.from_numpy(sides)[None]

    def forward(self, images):
        assert images.shape[2:] == tuple(8 * side for side in self.said[0].shape[1:])
        return self.said


def detector_that(net: nn.Module, size: int) -> Detector:
    checkpoint = DetectorCheckpoint(net, TARGET, size, 1, {"steps": 1}, {})  # type: ignore[arg-type]
    return Detector(checkpoint, torch.device("cpu"))


def scene_of(boxes, shape=(240, 320)) -> Scene:
    return Scene(np.zeros((*shape, 3), np.uint8), np.array(boxes, np.float64), NONE)


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (300, 1000), (60, 90)])
def test_what_an_image_is_taught_with_is_read_back_as_its_boxes(rng, shape):
    """Whatever the image's size: resized, filled up, put into cells, and back again."""
    size = 320
    small, scale = to_input(np.zeros((*shape, 3), np.uint8), size)
    assert max(np.multiply(shape, scale)) == size and not any(s % 16 for s in small.shape[:2])
    for _ in range(10):
        sides = rng.uniform(0.2, 0.6, 2) * shape[::-1]
        corner = rng.uniform(0, 1, 2) * (shape[::-1] - sides - 1)
        box = (*corner.tolist(), *sides.tolist())
        in_input = np.array([*((corner + 0.5) * scale - 0.5), *(sides * scale)])
        heat, said, _ = targets(scene_of([in_input], small.shape[:2]))
        found = detector_that(Says(heat, said), size).find(np.zeros((*shape, 3), np.uint8))
        np.testing.assert_allclose(found.box, box, atol=1e-3 / scale)
        assert found.is_sure


def test_every_one_of_several_objects_is_read_back():
    boxes = [(20, 30, 60, 40), (150, 30, 50, 90), (200, 150, 80, 80), (30, 180, 20, 20)]
    heat, sides, _ = targets(scene_of(boxes))
    found = detector_that(Says(heat, sides), 320).candidates(np.zeros((240, 320, 3), np.uint8))
    sure = sorted(one.box for one in found if one.is_sure)
    np.testing.assert_allclose(sure, sorted(boxes), atol=1e-3)


def test_of_places_that_overlap_the_surest_stays():
    heat = np.full((30, 40), 0.01, np.float32)
    heat[10, 10], heat[10, 13], heat[10, 30] = 0.6, 0.8, 0.5
    sides = np.full((4, 30, 40), 60, np.float32)
    found = detector_that(Says(heat, sides), 320).candidates(np.zeros((240, 320, 3), np.uint8))
    assert [round(one.score, 3) for one in found if one.score > 0.1] == [0.8, 0.5]
    assert all(overlap(a.box, b.box) < 0.5 for i, a in enumerate(found) for b in found[:i])


def test_peaks_are_averaged_over_the_cells_around_them_by_their_heat():
    heat = np.full((5, 5), 0.001, np.float32)
    heat[2, 2], heat[2, 3] = 0.8, 0.4
    sides = np.full((4, 5, 5), 10, np.float32)
    sides[2, 2, 3] = 4  # of the neighbour: its right side is 4 px right of it
    (box,), (score,) = peaks(heat, sides, most=1)
    right = (0.64 * (19.5 + 10) + 0.16 * (27.5 + 4)) / 0.8
    left = (0.64 * (19.5 - 10) + 0.16 * (27.5 - 10)) / 0.8
    np.testing.assert_allclose(box, [left, 9.5, right - left, 20], atol=1e-3)
    assert score == np.float32(0.8)


def test_the_loss_of_the_sides_is_the_generalized_iou_of_the_boxes(rng):
    """Against that of `detections`, which is computed from corners."""
    said, true = (torch.from_numpy(rng.uniform(2, 40, (1, 4, 1, 1))) for _ in range(2))
    one, other = (
        (-a, -b, a + c, b + d) for a, b, c, d in (said.flatten().tolist(), true.flatten().tolist())
    )
    heat = torch.ones(1, 1, 1, dtype=torch.float64)
    terms = detector_loss((torch.zeros(1, 1, 1), said), heat, true, heat > 0)
    assert terms["sides"].item() == pytest.approx(2 * (1 - generalized_iou(one, other)))


def test_no_answer_has_a_smaller_loss_than_the_true_one(rng):
    heat, sides, counted = (
        torch.from_numpy(part)[None] for part in targets(scene_of([(20, 30, 60, 40)]))
    )
    sure = torch.where(heat == 1, 12.0, -12.0)
    best = sum(detector_loss((sure, sides), heat, sides, counted).values()).item()
    assert 0 <= best < 1e-3
    for other in (
        (torch.full_like(heat, -12.0), sides),  # nothing is there
        (sure.roll(3, dims=2), sides),  # it is elsewhere
        (torch.full_like(heat, 12.0), sides),  # it is everywhere
        (sure, 1.3 * sides),  # it is larger
    ):
        assert sum(detector_loss(other, heat, sides, counted).values()).item() > best + 0.1


def test_where_nothing_is_asked_an_answer_costs_nothing():
    unsure = Scene(np.zeros((240, 320, 3), np.uint8), NONE, np.array([[80.0, 80, 64, 64]]))
    heat, sides, counted = (torch.from_numpy(part)[None] for part in targets(unsure))
    quiet, loud = torch.full_like(heat, -12.0), torch.full_like(heat, -12.0)
    loud[0, 12:17, 12:17] = 12
    losses = [detector_loss((x, sides), heat, sides, counted)["heat"] for x in (quiet, loud)]
    assert losses[0] == losses[1] < 1e-6
    loud[0, 2, 2] = 12
    assert detector_loss((loud, sides), heat, sides, counted)["heat"] > 1


def test_a_new_network_is_sure_of_nothing_and_says_positive_sides():
    torch.manual_seed(0)
    heat, sides = DetectorNet().eval()(torch.zeros(1, 3, 64, 96))
    assert heat.shape == (1, 8, 12) and sides.shape == (1, 4, 8, 12)
    assert (torch.sigmoid(heat) < 0.1).all() and (sides > 0).all()
