from dataclasses import replace

import cv2
import numpy as np
import pytest

from render.config import fill, load_preset
from render.draw.rasterizer import Rasterizer
from render.errors import InputError
from render.formats.nyu import CAMERA
from render.hand.file import load_hand
from render.hand.model import FINGERS
from render.hand.pose import hand_angles, palm_frame
from render.hand.scene import HAND, OTHER_HAND, UPRIGHT, HandRandomizer, HandSceneConfig
from render.hand.solve import relaxed
from render.scene.spec import SceneSpec

MODEL = load_hand("bundled")
LONE = {"forearm_chance": 0.0, "body_chance": 0.0, "wall_chance": 0.0, "second_chance": 0.0}


def randomizer(seed=0, **options) -> HandRandomizer:
    return HandRandomizer(HandSceneConfig(**options), MODEL, seed)


@pytest.fixture(scope="module")
def rasterizer():
    with Rasterizer(randomizer().meshes) as drawer:
        yield drawer


def palms(specs) -> tuple[np.ndarray, np.ndarray]:
    """Middles (n, 3) and axes (n, 3, 3) of the annotated hands' palms in the camera frame."""
    middles, axes = [], []
    for spec in specs:
        hand = spec.objects[0]
        middle, R = palm_frame(MODEL, np.array(hand.posture.shape))
        middles.append(hand.matrix[:3, :3] @ middle + hand.matrix[:3, 3])
        axes.append(hand.matrix[:3, :3] @ R)
    return np.array(middles), np.array(axes)


def test_a_frame_is_the_same_in_whatever_order_and_survives_json():
    one, other = randomizer(second_chance=1.0), randomizer(second_chance=1.0)
    backwards = [other.scene(i) for i in (2, 1, 0)][::-1]
    assert [one.scene(i) for i in range(3)] == backwards
    assert [SceneSpec.from_json(spec.to_json()) for spec in backwards] == backwards
    assert randomizer(seed=1, second_chance=1.0).scene(0) != backwards[0]


def test_what_stands_around_a_hand_changes_nothing_of_it():
    full = {name: 1.0 for name in LONE}
    for i in range(3):
        lone, crowded = randomizer(**LONE).scene(i), randomizer(**full).scene(i)
        assert len(lone.objects) == 1 and len(crowded.objects) == 7
        assert crowded.objects[0] == lone.objects[0]
        assert [o.annotated for o in crowded.objects] == [True] + 6 * [False]
        assert crowded.objects[2].obj_id == OTHER_HAND and crowded.objects[0].obj_id == HAND
        without_wall = randomizer(**{**full, "wall_chance": 0.0}).scene(i)
        assert without_wall.objects == crowded.objects[:-1]


def test_palms_and_directions_keep_to_their_ranges_and_fill_them():
    draw = randomizer(**LONE, distance=(0.6, 0.9), place=0.3, tilt_deg=50.0, twist_deg=(-40, 20))
    middles, axes = palms([draw.scene(i) for i in range(150)])
    z = middles[:, 2]
    assert 0.6 <= z.min() < 0.63 and 0.87 < z.max() <= 0.9
    off = (CAMERA.project(middles) - [319.5, 239.5]) / [320, 240]
    assert 0.28 < np.abs(off).max() <= 0.3 + 1e-9
    fingers = axes[:, :, 1]
    tilt = np.degrees(np.arccos(-fingers[:, 1]))
    assert 46 < tilt.max() <= 50 + 1e-6
    assert fingers[:, 2].max() <= 1e-9  # never away from the camera
    (still,) = palms([randomizer(**LONE, tilt_deg=0.0, twist_deg=(0.0, 0.0)).scene(0)])[1]
    np.testing.assert_allclose(still, UPRIGHT, atol=1e-12)


def test_gestures_keep_to_their_share_of_the_limits():
    """Seen at hinges, whose pose is their one angle; with no share left all hands are relaxed."""
    still = randomizer(**LONE, bend=(0.0, 0.0), shape_spread=0.0)
    assert len({still.scene(i).objects[0].posture for i in range(3)}) == 1

    hand, calm = hand_angles(MODEL), relaxed(hand_angles(MODEL))
    hinges = [hand.index(f"{finger}{i} flexion") for finger in FINGERS[:4] for i in (2, 3)]
    draw = randomizer(**LONE, bend=(0.5, 0.5))
    poses = np.array([draw.scene(i).objects[0].posture.pose for i in range(80)])
    turns = np.einsum("nai,ai->na", poses[:, hand.joints[hinges]], hand.axes[hinges])
    off = turns + hand.rest[hinges] - calm[hinges]
    assert (off <= 0.5 * (hand.upper - calm)[hinges] + 1e-9).all()
    assert (off >= 0.5 * (hand.lower - calm)[hinges] - 1e-9).all()
    pip = off[:, ::2] / (hand.upper - calm)[hinges][::2]
    assert 0.45 < pip.max() <= 0.5 + 1e-9


def test_shapes_are_spread_about_the_mean_that_is_asked_for():
    mean = tuple(np.linspace(-1, 1, MODEL.shape_size).tolist())
    draw = randomizer(**LONE, shape=mean, shape_spread=0.5)
    shapes = np.array([draw.scene(i).objects[0].posture.shape for i in range(200)])
    np.testing.assert_allclose(shapes.mean(axis=0), mean, atol=0.15)
    np.testing.assert_allclose(shapes.std(axis=0), 0.5, atol=0.12)
    fixed = randomizer(**LONE, shape=mean, shape_spread=0.0).scene(5).objects[0].posture.shape
    assert fixed == mean
    with pytest.raises(InputError, match=r"hand_scene.shape: the hand bundled has 12 .* got 2"):
        randomizer(shape=(0.0, 1.0))


@pytest.mark.parametrize("source", ["bundled", "bundled-left"])
def test_the_frame_of_a_palm_is_right_handed_and_faces_out_of_the_back(source):
    model = load_hand(source)
    middle, R = palm_frame(model, np.zeros(model.shape_size))
    np.testing.assert_allclose(R.T @ R, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) > 0
    thumb = model.vertices[model.tips[4]] - middle
    assert (R.T @ thumb)[2] < 0  # in front of the palm
    assert (R.T @ thumb)[0] * (1 if model.side == "right" else -1) < 0


def test_a_forearm_goes_on_where_the_hand_ends(rasterizer):
    """Hand and forearm are one blob, and the forearm adds to it."""
    only_arm = {**LONE, "forearm_chance": 1.0}
    specs = [randomizer(**only_arm).scene(i) for i in range(8)]
    alone = [replace(spec, objects=spec.objects[:1]) for spec in specs]
    for with_arm, hand in zip(rasterizer.render(specs), rasterizer.render(alone), strict=True):
        count, _ = cv2.connectedComponents((with_arm.depth > 0).astype(np.uint8))
        assert count == 2  # the background, and the arm with its hand
        assert (with_arm.depth > 0).sum() > 1.2 * (hand.depth > 0).sum()


@pytest.mark.parametrize("name", ["hand-demo", "simulated-real-hand"])
def test_every_preset_shows_hands_that_can_be_read(name, rasterizer):
    sections = load_preset(name)
    config = fill(HandSceneConfig, sections.get("hand_scene", {}), "hand_scene")
    draw = HandRandomizer(config, MODEL, 0)
    specs = [draw.scene(i) for i in range(16)]
    alone = rasterizer.render([replace(spec, objects=spec.objects[:1]) for spec in specs])
    visible = []
    for lone, frame in zip(alone, rasterizer.render(specs), strict=True):
        mask = lone.depth > 0
        assert mask.sum() > 1000
        rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert rim.mean() < 0.03  # in view, but for the end of a forearm's stub
        visible.append((frame.instance == 1).sum() / mask.sum())
    assert np.mean(np.array(visible) > 0.8) > 0.9
