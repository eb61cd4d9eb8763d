"""Gestures drawn near to those that were fitted to real hands."""

from pathlib import Path

import numpy as np
import pytest

from render.dataset.hands import generate_hands
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.hand.file import load_hand
from render.hand.fit import HandFit
from render.hand.fits import DISTURBED, FITS, read_gestures, write_fits
from render.hand.model import FINGERS, pose_hand
from render.hand.pose import hand_angles, palm_frame, pose_from_angles
from render.hand.scene import HandRandomizer, HandSceneConfig
from render.transforms import rodrigues
from tests.hand_samples import stick_hand
from tests.plain_damage import damaged

MODEL = load_hand("bundled")
HAND = hand_angles(MODEL)
COUNT = 5


def write_some(folder: Path, seed: int = 0) -> HandFit:
    """COUNT fits, in two files of a person each with another shape; returns those of both."""
    rng = np.random.default_rng(seed)
    middle = (HAND.lower + HAND.upper) / 2
    angles = middle + 0.3 * (HAND.upper - HAND.lower) * rng.uniform(-1, 1, (COUNT, len(middle)))
    cam_from_hand = np.tile(np.eye(4), (COUNT, 1, 1))
    cam_from_hand[:, :3, :3] = rodrigues(rng.normal(0, 1, (COUNT, 3)))
    cam_from_hand[:, :3, 3] = 0, 0, 0.7
    shapes = rng.normal(size=(2, MODEL.shape_size))
    (folder / FITS).mkdir(parents=True)
    for shape, part in zip(shapes, (slice(0, 3), slice(3, None)), strict=True):
        own = angles[part]
        pose, away = pose_from_angles(HAND, own), np.zeros((len(own), 14))
        fit = HandFit(pose, own, shape, cam_from_hand[part], away)
        numbers = tuple(range(COUNT)[part])
        write_fits(folder / FITS / f"{numbers[0]:07d}.npz", numbers, fit, MODEL)
    pose = pose_from_angles(HAND, angles)
    return HandFit(pose, angles, shapes, cam_from_hand, np.zeros((COUNT, 14)))


def test_palms_of_drawn_hands_are_turned_as_real_ones_and_fingers_bent_nearly_so(tmp_path):
    fit = write_some(tmp_path)
    shapes = np.repeat(fit.shape, (3, 2), axis=0)
    real = [
        at[:3, :3] @ palm_frame(MODEL, shape)[1]
        for at, shape in zip(fit.cam_from_hand, shapes, strict=True)
    ]
    draw = HandRandomizer(HandSceneConfig(poses=str(tmp_path)), MODEL, 3)
    plain = HandRandomizer(HandSceneConfig(), MODEL, 3)
    hinges = [HAND.index(f"{finger}{i} flexion") for finger in FINGERS[:4] for i in (2, 3)]
    seen, off = set(), []
    for i in range(40):
        hand, before = draw.scene(i).objects[0], plain.scene(i).objects[0]
        middle, R = palm_frame(MODEL, np.array(hand.posture.shape))
        apart = [np.abs(hand.matrix[:3, :3] @ R - turned).max() for turned in real]
        nearest = int(np.argmin(apart))
        assert apart[nearest] < 1e-12
        seen.add(nearest)

        pose = np.array(hand.posture.pose)
        turns = np.einsum("ai,ai->a", pose[HAND.joints[hinges]], HAND.axes[hinges])
        off.append(turns + HAND.rest[hinges] - fit.angles[nearest][hinges])
        assert hand.posture.shape == before.posture.shape
        np.testing.assert_allclose(
            hand.matrix[:3, :3] @ middle + hand.matrix[:3, 3],
            before.matrix[:3, :3] @ middle + before.matrix[:3, 3],
            atol=1e-12,
        )
    assert seen == set(range(COUNT))
    assert np.abs(off).max() < 6 * DISTURBED
    assert DISTURBED / 2 < np.std(off) <= 1.1 * DISTURBED


def test_what_was_written_is_read(tmp_path):
    fit = write_some(tmp_path)
    gestures = read_gestures(tmp_path, MODEL)
    np.testing.assert_array_equal(gestures.angles, fit.angles)
    posed = pose_hand(MODEL, fit.pose[3:4], fit.shape[1:], fit.cam_from_hand[3:4])[1][0]
    along = posed[4] - posed[0]  # from the wrist to the middle finger's knuckle
    np.testing.assert_allclose(gestures.cam_from_palm[3][:, 1], along / np.linalg.norm(along))


def test_a_dataset_of_other_poses_under_the_same_name_is_not_gone_on_with(tmp_path):
    write_some(tmp_path / "twins")
    scene = HandSceneConfig(poses=str(tmp_path / "twins"), images="alone")
    config = RenderConfig(hand="bundled", format="nyu", frames=2)
    generate_hands(config, scene, tmp_path / "out", 0, workers=1)
    for path in (tmp_path / "twins" / FITS).iterdir():
        path.unlink()
    (tmp_path / "twins" / FITS).rmdir()
    write_some(tmp_path / "twins", seed=1)
    with pytest.raises(InputError, match="was made with poses = "):
        generate_hands(config, scene, tmp_path / "out", 0, workers=1)


def test_a_folder_without_fits_or_with_those_of_another_hand_is_named(tmp_path):
    def fail(folder: Path, model=MODEL) -> str:
        with pytest.raises(InputError) as caught:
            HandRandomizer(HandSceneConfig(poses=str(folder)), model, 0)
        return str(caught.value)

    assert f"hand_scene.poses: {tmp_path} holds no fits/*.npz; give OUT/train" in fail(tmp_path)
    write_some(tmp_path)
    file = tmp_path / FITS / "0000000.npz"
    assert fail(tmp_path, stick_hand()).startswith(
        f"{file}: fitted with another hand than stick, right"
    )
    np.savez(file, shape=np.zeros(12))
    assert fail(tmp_path) == f"{file}: has no hand; make the twins again, elsewhere"
    file.write_bytes(b"PK\x03\x04 damaged")
    assert fail(tmp_path).startswith(
        f"{file}: not an .npz of plain arrays (File is not a zip file)"
    )


ANGLES = len(HAND.joints)
FAULTS = {
    "angles of another hand": ("angles", np.zeros((3, ANGLES - 1))),
    "poses of other frames": ("cam_from_hand", np.tile(np.eye(4), (2, 1, 1))),
    "angles of one frame": ("angles", np.zeros(ANGLES)),
    "angles of objects": ("angles", np.full((3, ANGLES), None)),
    "angles of text": ("angles", np.full((3, ANGLES), "a")),
    "angles that are none": ("angles", np.full((3, ANGLES), np.nan)),
    "shape of another hand": ("shape", np.zeros(MODEL.shape_size + 1)),
    "shape that is infinite": ("shape", np.full(MODEL.shape_size, np.inf)),
    "shape of a giant": ("shape", np.full(MODEL.shape_size, 1e200)),
    "no rotation": ("cam_from_hand", np.zeros((3, 4, 4))),
    "a stretched rotation": ("cam_from_hand", np.tile(2 * np.eye(4), (3, 1, 1))),
    "a rotation of 3 x 3": ("cam_from_hand", np.tile(np.eye(3), (3, 1, 1))),
    "complex": ("cam_from_hand", np.tile(np.eye(4) + 0j, (3, 1, 1))),
    "a digest of another kind": ("hand", np.array(7)),
    "digests": ("hand", np.array(["a", "b"])),
}


@pytest.mark.parametrize("name, array", FAULTS.values(), ids=FAULTS)
def test_arrays_that_are_no_fits_are_refused_by_the_name_of_their_file(tmp_path, name, array):
    write_some(tmp_path)
    file = tmp_path / FITS / "0000000.npz"
    with np.load(file) as fits:
        np.savez(file, **{**fits, name: array})
    with pytest.raises(InputError) as caught:
        read_gestures(tmp_path, MODEL)
    message = str(caught.value)
    assert message.startswith(f"{file}: ") and name in message and "\n" not in message


@pytest.mark.slow
def test_a_damaged_file_of_fits_is_read_or_refused(tmp_path, rng):
    write_some(tmp_path)
    file = tmp_path / FITS / "0000000.npz"
    content = file.read_bytes()
    for _ in range(300):
        file.write_bytes(damaged(content, rng, most=8))
        try:
            gestures = read_gestures(tmp_path, MODEL)
            assert np.isfinite(gestures.angles).all() and np.isfinite(gestures.cam_from_palm).all()
        except InputError as error:
            assert str(error).startswith(f"{file}: ")
