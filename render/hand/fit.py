"""Known points of hands in the camera frame -> where the hands are, and how bent.

Every known point is taken as fixed to one bone. What one person's frames share (the shape of the
hand, where on its bone each point sits, how the person holds the hand) is fitted first, on some of
the frames; then every frame by itself.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from render.errors import InputError
from render.hand.model import HandModel
from render.hand.points import BonePoints, Placement, PointKinematics
from render.hand.pose import hand_angles, pose_from_angles
from render.hand.solve import Prior, relaxed, solve, weak_prior
from render.hand.subject import Subject, learned_prior, refine_subject

SUBJECT_FRAMES = 300  # that a subject is fitted on, spread evenly
CHUNK = 512  # frames solved at once, to bound memory
CURLS = (0.2, 0.6, 0.9)  # of the fingers in the gestures that fits start from
GOOD = 1.0  # cost a point, in squared sigmas, from which other starts are tried as well
FEWEST = 4


@dataclass(frozen=True, eq=False)
class HandFit:
    """N fitted hands of one person, as `render.hand.model.pose_hand` takes them.

    pose: (N, J, 3) axis-angle. angles: (N, D) radians, within the limits of
    `render.hand.pose.hand_angles`. shape: (S,). cam_from_hand: (N, 4, 4). residual_mm: (N, K),
    distance of each point from where it was to be.
    """

    pose: np.ndarray
    angles: np.ndarray
    shape: np.ndarray
    cam_from_hand: np.ndarray
    residual_mm: np.ndarray


def fit_hands(
    model: HandModel, points_m: np.ndarray, points: BonePoints, subject: Subject | None = None
) -> HandFit:
    """Fit frames of one person.

    Args:
        points_m: (N, K, 3) metres, camera frame, in the order of points.names.
        points: what they are, see `render.formats.nyu_joints.nyu_points`.
        subject: from `fit_subject`, which may have known more points; None fits it on these frames.

    Raises:
        InputError: points_m has another shape, is not finite, or has fewer than 4 points a hand.
    """
    _check(points_m, points)
    if subject is None:
        subject = fit_subject(model, points_m, points)
    known = subject.points.subset(points.names)
    kinematics = PointKinematics(model, hand_angles(model), known, subject.shape)

    placed = [
        place_hands(kinematics, points_m[i : i + CHUNK], subject.prior)
        for i in range(0, len(points_m), CHUNK)
    ]
    at = Placement(
        *(
            np.concatenate([getattr(part, name) for part in placed])
            for name in ("R", "wrist", "angles")
        )
    )
    return fit_at(kinematics, at, points_m, subject.shape)


def fit_at(
    kinematics: PointKinematics, at: Placement, points_m: np.ndarray, shape: np.ndarray
) -> HandFit:
    """Hands of a shape where they were placed, beside where their points were to be, (N, K, 3)."""
    away = kinematics.locate(at) - points_m
    cam_from_hand = np.tile(np.eye(4), (len(at.R), 1, 1))
    cam_from_hand[:, :3, :3] = at.R
    cam_from_hand[:, :3, 3] = at.wrist - at.R @ kinematics.joints[0]
    pose = pose_from_angles(kinematics.hand, at.angles)
    return HandFit(pose, at.angles, shape, cam_from_hand, 1000 * np.linalg.norm(away, axis=2))


def fit_subject(model: HandModel, points_m: np.ndarray, points: BonePoints) -> Subject:
    """Fit what all frames of one person share; arguments and errors as of `fit_hands`.

    First with the mean hand held close to a relaxed gesture, lest fingers bend to be shorter, then
    with shape and places of the points free, last from all starts again.
    """
    _check(points_m, points)
    spread = np.linspace(0, len(points_m) - 1, min(len(points_m), SUBJECT_FRAMES))
    targets = points_m[spread.round().astype(int)]

    hand = hand_angles(model)
    weak = weak_prior(hand)
    strong = Prior(weak.mean, 10 * weak.precision)
    shape, places = np.zeros(model.shape_size), points.places
    for prior in (strong, weak, weak):
        fitted = dataclasses.replace(points, places=places)
        at = place_hands(PointKinematics(model, hand, fitted, shape), targets, prior)
        start = shape, places, at
        shape, places, at = refine_subject(model, targets, points, start, prior)
    return Subject(
        shape, dataclasses.replace(points, places=places), learned_prior(at.angles, weak)
    )


def place_hands(kinematics: PointKinematics, targets: np.ndarray, prior: Prior) -> Placement:
    """The best fit from several gestures; the later ones only where no good fit was found yet."""
    N = len(targets)
    R, wrist = np.empty((N, 3, 3)), np.empty((N, 3))
    angles, costs = np.empty((N, len(prior.mean))), np.full(N, np.inf)
    for curl in CURLS:
        open_cases = np.flatnonzero(costs > GOOD * targets.shape[1])
        if not len(open_cases):
            break
        start = _align(kinematics, targets[open_cases], relaxed(kinematics.hand, curl))
        at, reached = solve(kinematics, targets[open_cases], prior, start)
        better = reached < costs[open_cases]
        kept = open_cases[better]
        R[kept], wrist[kept] = at.R[better], at.wrist[better]
        angles[kept], costs[kept] = at.angles[better], reached[better]
    return Placement(R, wrist, angles)


def _align(kinematics: PointKinematics, targets: np.ndarray, angles: np.ndarray) -> Placement:
    """A rigid hand of one gesture (D,), laid over each frame's points.

    Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.
    """
    still = Placement(np.eye(3)[None], np.zeros((1, 3)), angles[None])
    points = kinematics.locate(still)[0]
    center, centers = points.mean(axis=0), targets.mean(axis=1)
    covariance = (points - center).T @ (targets - centers[:, None])
    U, _, V_t = np.linalg.svd(covariance)
    U[:, :, 2] *= np.sign(np.linalg.det(U) * np.linalg.det(V_t))[:, None]
    R = np.swapaxes(U @ V_t, 1, 2)
    return Placement(R, centers - R @ center, np.tile(angles, (len(targets), 1)))


def _check(points_m: np.ndarray, points: BonePoints) -> None:
    K = len(points.names)
    if points_m.ndim != 3 or points_m.shape[1:] != (K, 3) or not len(points_m):
        raise InputError(f"points of hands must be (frames, {K}, 3), got {points_m.shape}")
    if K < FEWEST:
        raise InputError(f"a hand is fitted to at least {FEWEST} points, got {K}")
    if not np.isfinite(points_m).all():
        frame, point = np.argwhere(~np.isfinite(points_m))[0, :2]
        raise InputError(
            f"points of hands must be finite; {points.names[point]} of frame {frame + 1} is not"
        )
