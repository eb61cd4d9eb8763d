"""Images for training: boxes are where the pixels of the object are."""

import cv2
import numpy as np
import pytest

from train.objects.detect import images
from train.objects.detect.images import LEAST_SEEN, Cutout, Pictures, Scene, compose, targets

SIZE = (320, 240)
RED, GRAY = (255, 0, 0), (120, 120, 120)
NONE = np.zeros((0, 4))


@pytest.fixture
def only_gray(monkeypatch):
    """Nothing but what tests draw has colours: no clutter, no borders beside a frame."""
    monkeypatch.setattr(images, "PROCEDURAL", 0.0)
    monkeypatch.setattr(images, "ZOOM", (1.0, 1.6))
    monkeypatch.setattr(images, "TURN_DEG", 0.0)


def ellipse(shape, box) -> np.ndarray:
    """(h, w) uint8, 255 within the ellipse in a box."""
    x, y, width, height = box
    mask = np.zeros(shape, np.uint8)
    cv2.ellipse(mask, ((x + width / 2, y + height / 2), (width, height), 0), 255, -1)
    return mask


def cutout(color=RED, sides=(60, 40)) -> Cutout:
    width, height = sides
    seen = np.pad(ellipse((height, width), (0, 0, width - 1, height - 1)), 1)
    return Cutout(np.full((*seen.shape, 3), color, np.uint8), seen)


def frame(boxes=(), unsure=(), shape=(480, 640)) -> Scene:
    """A grey frame with red ellipses in boxes."""
    rgb = np.full((*shape, 3), GRAY, np.uint8)
    for box in [*boxes, *unsure]:
        rgb[ellipse(shape, box) > 0] = RED
    return Scene(rgb, *(np.array(part, np.float64).reshape(-1, 4) for part in (boxes, unsure)))


def red_parts(rgb: np.ndarray) -> list[tuple[int, ...]]:
    """Bounding boxes, as BOP has them, of what is red in an image."""
    red = (rgb[..., 0] > 180) & (rgb[..., 1] < 80)
    found = cv2.connectedComponentsWithStats(red.astype(np.uint8), connectivity=8)[2][1:]
    return [(x, y, w - 1, h - 1) for x, y, w, h, area in found.tolist() if area > 12]


def near(boxes, others, atol) -> bool:
    """Whether each box is one of the others."""
    return all(any(np.allclose(box, other, atol=atol) for other in others) for box in boxes)


def test_what_is_pasted_has_the_box_of_its_pixels(only_gray):
    """Of images in which no two overlap: then every red part is one object."""
    pictures = Pictures([frame()], [cutout()], SIZE, (0.1, 0.3))
    seen = 0
    for i in range(40):
        scene = compose(np.random.default_rng(i), pictures)
        parts = red_parts(scene.rgb)
        if len(parts) == len(scene.boxes) + len(scene.unsure):
            seen += len(scene.boxes)
            assert near(scene.boxes, parts, atol=2.5)
    assert seen > 25


def test_real_objects_keep_their_boxes_under_every_zoom_and_turn(only_gray, monkeypatch):
    """An ellipse's box after a turn is nearly that of the turned middles of its sides."""
    monkeypatch.setattr(images, "TURN_DEG", 10.0)
    monkeypatch.setattr(images, "ERASED", 0.0)
    monkeypatch.setattr(images, "PATCHES", 0)
    monkeypatch.setattr(images, "PASTED", (1.0,))
    pictures = Pictures(
        [frame([(260, 150, 90, 120), (330, 300, 60, 60)])], [cutout()], SIZE, (1, 1)
    )
    whole = 0
    for i in range(40):
        scene = compose(np.random.default_rng(i), pictures)
        for box in red_parts(scene.rgb):
            if min(box[:2]) > 0 and box[0] + box[2] < 319 and box[1] + box[3] < 239:
                whole += 1
                assert near([box], scene.boxes, atol=3)
    assert whole > 40


def test_what_is_erased_is_gone_and_has_no_box(only_gray, monkeypatch):
    monkeypatch.setattr(images, "ERASED", 1.0)
    monkeypatch.setattr(images, "PASTED", (1.0,))
    pictures = Pictures([frame([(250, 180, 100, 60)]), frame()], [cutout()], SIZE, (0.05, 0.06))
    for i in range(40):
        scene = compose(np.random.default_rng(i), pictures)
        assert not len(scene.boxes) and not red_parts(scene.rgb)


def test_what_is_hardly_seen_of_the_pasted_is_not_asked_for():
    """A thing so large that another of its kind hides nearly all of it."""
    pictures = Pictures([], [cutout()], SIZE, (0.9, 1.0))
    scenes = [compose(np.random.default_rng(i), pictures) for i in range(12)]
    assert any(len(scene.unsure) for scene in scenes)
    for scene in scenes:
        areas = np.prod(scene.boxes[:, 2:], axis=1)
        assert (areas > LEAST_SEEN * 0.2 * np.prod(SIZE)).all()


def test_an_image_is_made_by_its_draw_alone():
    pictures = Pictures([frame([(200, 150, 90, 120)])], [cutout()], SIZE, (0.1, 0.3))
    one, again, other = (compose(np.random.default_rng(i), pictures) for i in (1, 1, 2))
    np.testing.assert_array_equal(one.rgb, again.rgb)
    np.testing.assert_array_equal(one.boxes, again.boxes)
    assert (one.rgb != other.rgb).any()
    assert pictures.scenes[0].rgb[0, 0].tolist() == list(GRAY)


def test_heat_is_one_in_the_cell_of_each_centre_and_nothing_else(rng):
    boxes = np.array([(16, 24, 40, 40), (200, 100, 7, 5), (100, 180, 150, 30)], np.float64)
    heat, sides, counted = targets(Scene(np.zeros((240, 320, 3), np.uint8), boxes, NONE))
    cells = {(int((y + h / 2 + 0.5) // 8), int((x + w / 2 + 0.5) // 8)) for x, y, w, h in boxes}
    assert set(zip(*map(np.ndarray.tolist, np.nonzero(heat == 1)), strict=True)) == cells
    assert counted.all() and heat.min() >= 0
    for (row, column), (x, y, w, h) in zip(
        sorted(cells), boxes[np.argsort(boxes[:, 1])], strict=True
    ):
        u, v = 8 * column + 3.5, 8 * row + 3.5
        np.testing.assert_allclose(
            sides[:, row, column], [u - x, v - y, x + w - u, y + h - v], atol=1e-4
        )


def test_an_object_half_cut_off_by_the_edge_is_not_asked_for(only_gray):
    """Zoomed in, some of the frame's objects are cut off: what is left of them has no full box."""
    pictures = Pictures([frame([(0, 0, 80, 80), (560, 400, 79, 79)])], [cutout()], SIZE, (0.1, 0.1))
    scenes = [compose(np.random.default_rng(i), pictures) for i in range(30)]
    assert any(len(scene.unsure) for scene in scenes)
    for scene in scenes:
        for part in (scene.boxes, scene.unsure):
            assert (part[:, :2] >= 0).all() and (
                part[:, :2] + part[:, 2:] <= np.array(SIZE) - 1
            ).all()
