import numpy as np
import pytest

from render.formats.nyu import CAMERA
from render.hand.clutter import (
    SECOND_BEHIND,
    add_clutter,
    draw_ellipsoids,
    draw_forearm,
    nearest_of,
)
from tests.hand_scenes import draw_balls, hand_depth, random_hand


@pytest.fixture(scope="module")
def hands() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(3)
    return [(hand_depth(joints), joints) for joints in (random_hand(rng) for _ in range(4))]


def points_of(depth: np.ndarray) -> np.ndarray:
    return CAMERA.unproject(depth)[depth > 0]


def test_every_seen_point_lies_on_its_ellipsoid(rng):
    """And none is missed: where a denser set of its points projects to, something is seen."""
    for _ in range(10):
        center = rng.uniform([-0.5, -0.4, 0.6], [0.5, 0.4, 1.5])
        axes = rng.uniform(0.02, 0.3, 3)
        depth = draw_ellipsoids(center[None], axes[None], CAMERA)
        on = np.linalg.norm((points_of(depth) - center) / axes, axis=1)
        np.testing.assert_allclose(on, 1, atol=1e-9)

        directions = rng.normal(size=(2000, 3))
        surface = center + axes * directions / np.linalg.norm(directions, axis=1, keepdims=True)
        inner = 0.98 * (surface - center) + center
        u, v = np.rint(CAMERA.project(inner)).astype(int).T
        inside = (u >= 0) & (u < 640) & (v >= 0) & (v < 480)
        # A pixel's middle may miss what projects to its rim.
        assert (depth[v[inside], u[inside]] > 0).mean() > 0.98 if inside.any() else True
        assert (depth[v[inside], u[inside]] <= inner[inside, 2] + 0.002).all()


def test_ellipsoids_with_equal_axes_are_balls_the_nearest_in_front(rng):
    centers = rng.uniform([-0.2, -0.2, 0.5], [0.2, 0.2, 0.9], (6, 3))
    radii = rng.uniform(0.02, 0.1, 6)
    drawn = draw_ellipsoids(centers, np.repeat(radii[:, None], 3, axis=1), CAMERA)
    expected = draw_balls(centers, radii)
    # Each looks only where it expects the ball; either may miss a rim's pixel.
    both = (drawn > 0) & (expected > 0)
    assert both.sum() > 0.999 * max((drawn > 0).sum(), (expected > 0).sum())
    assert (np.abs(drawn - expected)[both] < 1e-9).mean() > 0.999


def test_what_reaches_the_camera_is_left_out():
    around, behind = np.array([[0, 0, 0.1]]), np.array([[0, 0, -1.0]])
    for center in (around, behind):
        assert not draw_ellipsoids(center, np.full((1, 3), 0.2), CAMERA).any()


def test_the_nearest_is_seen_and_nothing_is_behind_everything():
    depths = [np.array([[0, 1.0, 2.0, 0]]), np.array([[0, 3.0, 1.5, 0.7]])]
    np.testing.assert_array_equal(nearest_of(depths), [[0, 1.0, 1.5, 0.7]])
    assert depths[0][0, 0] == 0


def test_a_forearm_leaves_the_wrist_away_from_the_palm(hands):
    for seed, (_, joints) in enumerate(hands):
        points = points_of(draw_forearm(np.random.default_rng(seed), joints, CAMERA))
        wrist = joints[11:13].mean(axis=0)
        along = (wrist - joints[-1]) / np.linalg.norm(wrist - joints[-1])
        beyond = (points - wrist) @ along
        assert beyond.min() > -0.05 and 0.05 < beyond.max() < 0.33
        assert np.linalg.norm(points - wrist, axis=1).max() < 0.34
        assert points[:, 2].min() > wrist[2] - 0.1  # an arm comes from behind its hand


def test_the_hand_stays_in_view_and_nearest_of_all_but_its_forearm(hands):
    seen = 0
    for seed in range(12):
        (depth, joints), other = hands[seed % 4], hands[(seed + 1) % 4]
        whole = add_clutter(np.random.default_rng(seed), depth, joints, other, CAMERA)
        forearm = draw_forearm(np.random.default_rng(seed), joints, CAMERA)
        own = nearest_of([depth, forearm])
        kept = depth > 0
        assert (whole[kept] <= depth[kept]).all() and (whole[kept] == own[kept]).mean() > 0.9
        added = (own == 0) & (whole > 0)
        assert whole[added].min(initial=np.inf) >= depth[kept].min() + SECOND_BEHIND[0] - 1e-9
        seen += added.any()
    assert seen > 8


def test_equal_draws_make_equal_clutter(hands):
    (depth, joints), other = hands[:2]
    before = depth.copy()
    one, again, another = (
        add_clutter(np.random.default_rng(seed), depth, joints, other, CAMERA) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, another)
    np.testing.assert_array_equal(depth, before)
