"""Hands drawn at known poses, read as if by a network, and moved to what their image shows."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from render.draw.rasterizer import Rasterizer
from render.formats.nyu_joints import EVALUATED, LABEL_CAMERA
from render.hand.contact import HandCapsules
from render.hand.depth_fit import REACH, fit_to_depth
from render.hand.file import load_hand
from render.hand.fit import HandFit, fit_hands
from render.hand.model import HandModel
from render.hand.nyu_points import nyu_points
from render.hand.points import posed_points
from render.hand.pose import hand_angles, pose_from_angles
from render.hand.sample import draw_angles
from render.hand.solve import weak_prior
from render.hand.subject import Subject
from render.scene.spec import Placed, Posture, SceneSpec, rows
from render.transforms import rigid, rodrigues

COUNT = 8


class Scene:
    """Hands of zero shape, turned by about 23 degrees from the palm's view, 0.7 m away."""

    def __init__(self, hand: str) -> None:
        rng, self.model = np.random.default_rng(0), load_hand(hand)
        limits, self.shape = hand_angles(self.model), np.zeros(self.model.shape_size)
        angles = draw_angles(rng, limits, HandCapsules(self.model, self.shape), COUNT)
        R = rodrigues(rng.normal(0, 0.4, (COUNT, 3)))
        t = np.array([0, 0, 0.7]) + rng.uniform(-0.05, 0.05, (COUNT, 3))
        cam_from_hand = np.array([rigid(*place) for place in zip(R, t, strict=True)])
        self.points, pose = nyu_points(self.model, EVALUATED), pose_from_angles(limits, angles)
        self.subject = Subject(self.shape, self.points, weak_prior(limits))
        unknown = np.full((COUNT, len(EVALUATED)), np.nan)
        self.truth = HandFit(pose, angles, self.shape, cam_from_hand, unknown)
        self.joints, self.depths = self.locate(self.truth), self.draw(self.truth)

    def locate(self, fit: HandFit) -> np.ndarray:
        shape = np.tile(self.shape, (len(fit.pose), 1))
        return posed_points(self.model, self.points, fit.pose, shape, fit.cam_from_hand)

    def draw(self, fit: HandFit) -> list[np.ndarray]:
        specs = [
            SceneSpec(
                rows(LABEL_CAMERA.K),
                LABEL_CAMERA.size,
                (Placed(1, rows(at), posture=Posture.of(pose, self.shape)),),
            )
            for at, pose in zip(fit.cam_from_hand, fit.pose, strict=True)
        ]
        with Rasterizer({1: self.model}) as rasterizer:
            return [frame.depth for frame in rasterizer.render(specs)]

    def plain(self, read: np.ndarray) -> HandFit:
        return fit_hands(self.model, read, self.points, self.subject)

    def fit(self, read: np.ndarray, depths: list[np.ndarray]) -> HandFit:
        start = self.plain(read)
        return fit_to_depth(self.model, self.subject, start, read, depths, LABEL_CAMERA)

    def away_mm(self, fit: HandFit) -> np.ndarray:
        return 1000 * np.linalg.norm(self.locate(fit) - self.joints, axis=2)

    def surface_mm(self, fit: HandFit) -> float:
        """Mean difference of depth over what both hands cover."""
        pairs = zip(self.draw(fit), self.depths, strict=True)
        return float(np.mean([1000 * np.abs(a - b)[(a > 0) & (b > 0)].mean() for a, b in pairs]))


@cache
def scene(hand: str = "bundled") -> Scene:
    return Scene(hand)


def disturbed(joints: np.ndarray, together: bool) -> np.ndarray:
    """By 10 to 15 mm: all joints of a hand alike, or each its own way."""
    rng = np.random.default_rng(1)
    way = rng.normal(size=(COUNT, 1 if together else joints.shape[1], 3))
    length = rng.uniform(0.010, 0.015, (*way.shape[:2], 1))
    return joints + way * length / np.linalg.norm(way, axis=2, keepdims=True)


def one_of(fit: HandFit, i: int) -> HandFit:
    parts = {name: getattr(fit, name)[i : i + 1] for name in ("pose", "angles", "cam_from_hand")}
    return replace(fit, **parts, residual_mm=fit.residual_mm[i : i + 1])


def within_limits(model: HandModel, fit: HandFit) -> bool:
    limits = hand_angles(model)
    return bool(((fit.angles >= limits.lower) & (fit.angles <= limits.upper)).all())


@pytest.mark.parametrize("hand", ["bundled", "bundled-left"])
@pytest.mark.parametrize("together", [True, False], ids=["shifted", "scattered"])
def test_the_fit_comes_several_times_nearer_than_one_to_the_joints_alone(hand, together):
    of, read = scene(hand), disturbed(scene(hand).joints, together)
    plain, fit = of.plain(read), of.fit(read, of.depths)
    before, after = of.away_mm(plain), of.away_mm(fit)
    assert after.mean() < before.mean() / 2
    assert (after.mean(axis=1) < before.mean(axis=1)).all()
    assert of.surface_mm(fit) < of.surface_mm(plain) / 2.5
    assert within_limits(of.model, fit)


@pytest.mark.parametrize("hand", ["bundled", "bundled-left"])
def test_hands_that_are_where_they_are_seen_stay_there(hand):
    """Their far side is not drawn to what is seen of the near one."""
    of = scene(hand)
    assert of.away_mm(of.fit(of.joints, of.depths)).mean(axis=1).max() < 3


def test_where_the_image_is_empty_or_shows_what_is_out_of_reach_nothing_moves():
    """Beyond what the plain fit had left to go until it converges."""
    of = scene()
    read = disturbed(of.joints, together=False)
    plain = of.plain(read)
    far = [np.where(depth > 0, np.float32(3), depth) for depth in of.depths]
    for depths in ([np.zeros_like(depth) for depth in of.depths], far):
        moved = np.linalg.norm(of.locate(of.fit(read, depths)) - of.locate(plain), axis=2)
        assert moved.max() < 0.001 and moved.mean() < 0.0001


def test_every_hand_is_fitted_as_it_would_be_alone():
    of = scene()
    read = disturbed(of.joints, together=False)
    plain, together = of.plain(read), of.fit(read, of.depths)
    for i in (0, 5):
        known = of.subject, one_of(plain, i), read[i : i + 1], of.depths[i : i + 1]
        alone = fit_to_depth(of.model, *known, LABEL_CAMERA)
        for name in ("pose", "angles", "cam_from_hand", "residual_mm"):
            np.testing.assert_allclose(
                getattr(alone, name)[0], getattr(together, name)[i], atol=1e-9
            )


def test_an_empty_image_among_others_changes_nothing_about_them():
    of = scene()
    read = disturbed(of.joints, together=False)
    some = [np.zeros_like(of.depths[0]), *of.depths[1:]]
    whole, part = of.fit(read, of.depths), of.fit(read, some)
    np.testing.assert_allclose(part.angles[1:], whole.angles[1:], atol=1e-9)
    assert np.abs(part.angles[0] - whole.angles[0]).max() > 0.01


def test_angles_stay_within_their_limits_whatever_is_seen(rng):
    """Noise within reach of every point."""
    of = scene()
    noise = [
        np.where(depth > 0, depth + rng.uniform(-REACH, REACH, depth.shape), 0)
        for depth in of.depths
    ]
    assert within_limits(of.model, of.fit(disturbed(of.joints, together=True), noise))


def test_the_residuals_are_from_the_joints_that_were_read():
    of = scene()
    read = disturbed(of.joints, together=True)
    fit = of.fit(read, of.depths)
    expected = 1000 * np.linalg.norm(of.locate(fit) - read, axis=2)
    np.testing.assert_allclose(fit.residual_mm, expected, atol=1e-9)
    np.testing.assert_array_equal(fit.pose, pose_from_angles(hand_angles(of.model), fit.angles))
