"""What else a depth camera sees around a hand: forearm, body, a second hand, a wall.

Drawn by formula into the depth images of lone hands, so that who looks for the hand can be trained
and tested on what is really in view.
"""

import cv2
import numpy as np

from render.camera import Camera

ELBOW = (0.18, 0.28)  # metres of forearm in view
WRIST_RADIUS, ELBOW_RADIUS = (0.022, 0.030), (0.035, 0.050)  # metres
BENT = 0.5  # radians that the wrist bends at most
BALLS = 40  # along a forearm; neighbours overlap by more than nine tenths
TORSO = np.array([0.20, 0.35, 0.12])  # half axes, metres
HEAD = np.array([0.08, 0.11, 0.10])
BODY_BEHIND = (0.15, 0.60)  # metres that the chest is behind the hand
SECOND_BEHIND = (0.06, 0.30)  # metres that the second hand is, at least
SECOND_ASIDE = (0.12, 0.30)  # metres


def add_clutter(
    rng: np.random.Generator,
    depth: np.ndarray,
    joints: np.ndarray,
    other: tuple[np.ndarray, np.ndarray],
    camera: Camera,
) -> np.ndarray:
    """Put a hand's forearm, and at random a body, a second hand and a wall into its depth image.

    Nothing that is added stands nearer than the hand, but for its own forearm.

    Args:
        depth: (H, W) metres, the hand alone, 0 where nothing is.
        joints: (14, 3) of nyu.JOINTS, metres, camera frame.
        other: depth and joints of another frame, which becomes the second hand: mirrored, since it
            is the person's other one.

    Returns:
        (H, W) depth in metres; the clutter's own is not changed by sensors.
    """
    parts = [depth, draw_forearm(rng, joints, camera)]
    nearest = depth[depth > 0].min(initial=joints[:, 2].max())
    if rng.random() < 0.5:
        parts.append(_second_hand(rng, other, nearest, camera))
    if rng.random() < 0.7:
        behind = joints[-1, 2] + rng.uniform(*BODY_BEHIND)
        chest = np.array([*rng.uniform(-0.2, 0.2, 2), behind + TORSO[2]])
        head = chest + [rng.uniform(-0.05, 0.05), -TORSO[1] - 0.08, 0]
        parts.append(draw_ellipsoids(np.stack([chest, head]), np.stack([TORSO, HEAD]), camera))
    if rng.random() < 0.5:
        wall = np.full(depth.shape, joints[:, 2].max() + rng.uniform(0.3, 1.2))
        parts.append(wall)
    return nearest_of(parts)


def nearest_of(depths: list[np.ndarray]) -> np.ndarray:
    """The nearest of several (H, W) depth images at every pixel; 0 is nothing."""
    stack = np.stack(depths)
    stack[stack <= 0] = np.inf
    nearest = stack.min(axis=0)
    return np.where(np.isfinite(nearest), nearest, 0)


def draw_ellipsoids(centers: np.ndarray, half_axes: np.ndarray, camera: Camera) -> np.ndarray:
    """Draw ellipsoids along the camera's axes.

    Each shows the nearer root of |(z ray - center) / half_axes|^2 = 1, with ray = K^-1 (u, v, 1).
    One that reaches the camera, or nearly so, is left out.

    Args:
        centers, half_axes: (n, 3) metres.

    Returns:
        (H, W) float64 depth in metres, 0 where there is none.
    """
    depth = np.full((camera.height, camera.width), np.inf)
    K_inv = np.linalg.inv(camera.K)
    for center, axes in zip(centers, half_axes, strict=True):
        longest = axes.max()
        if center[2] <= 1.5 * longest:
            continue
        slant = 1 + np.abs(center[:2]) / center[2]
        reach = slant * longest * np.diag(camera.K)[:2] / (center[2] - longest) + 1
        pixel = camera.project(center)
        bounds = np.clip([pixel - reach, pixel + reach + 1], 0, camera.size).astype(int)
        (left, top), (right, bottom) = bounds.tolist()

        u, v = np.arange(left, right)[:, None], np.arange(top, bottom)[:, None, None]
        ray = (u * K_inv[:, 0] + K_inv[:, 2] + v * K_inv[:, 1]) / axes  # (h, w, 3)
        offset = center / axes
        a, b = (ray**2).sum(axis=-1), ray @ offset
        root = b**2 - a * (offset @ offset - 1)
        z = np.where(root >= 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
        part = depth[top:bottom, left:right]
        depth[top:bottom, left:right] = np.minimum(part, z)
    return np.where(np.isfinite(depth), depth, 0)


def draw_forearm(rng: np.random.Generator, joints: np.ndarray, camera: Camera) -> np.ndarray:
    """(H, W) depth in metres of a tapering forearm that leaves the wrist away from the palm."""
    wrist, palm = joints[11:13].mean(axis=0), joints[-1]
    along = (wrist - palm) / np.linalg.norm(wrist - palm)
    aside = rng.normal(size=3)
    aside -= (aside @ along) * along
    along = along + np.tan(rng.uniform(0, BENT)) * aside / np.linalg.norm(aside)
    along[2] = max(along[2], -0.1)  # an arm comes from behind its hand
    along /= np.linalg.norm(along)

    steps = np.linspace(0, 1, BALLS)[:, None]
    centers = wrist + steps * rng.uniform(*ELBOW) * along
    radii = (1 - steps) * rng.uniform(*WRIST_RADIUS) + steps * rng.uniform(*ELBOW_RADIUS)
    return draw_ellipsoids(centers, np.repeat(radii, 3, axis=1), camera)


def _second_hand(
    rng: np.random.Generator,
    other: tuple[np.ndarray, np.ndarray],
    nearest: float,
    camera: Camera,
) -> np.ndarray:
    """Another hand with its forearm, mirrored, moved aside and behind `nearest` metres."""
    hand, joints = other
    depth = nearest_of([hand, draw_forearm(rng, joints, camera)])
    z = joints[-1, 2]
    back = max(nearest + rng.uniform(*SECOND_BEHIND) - depth[depth > 0].min(initial=z), 0)
    aside = rng.uniform(*SECOND_ASIDE) * rng.choice([-1, 1])
    shift = np.diag(camera.K)[:2] / (z + back) * [aside, rng.uniform(-0.1, 0.1)]
    # A flat thing seen from farther off shrinks about the optical axis.
    scale, axis = z / (z + back), camera.K[:2, 2]
    u, v = axis - scale * axis * [-1, 1] + shift  # mirrored: u -> axis - scale (u - axis)
    affine = np.array([[-scale, 0, u], [0, scale, v]])
    moved = cv2.warpAffine(depth, affine, camera.size, flags=cv2.INTER_NEAREST)
    return np.where(moved > 0, moved + back, 0)
