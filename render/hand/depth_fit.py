"""Hands moved and bent to what a depth image shows of them: articulated iterative closest points.

Each point of the surface that can be seen is drawn to the nearest one that was measured, as in
Tagliasacchi et al., "Robust Articulated-ICP for Real-Time Hand Tracking", SGP 2015.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from render.camera import Camera
from render.hand.fit import HandFit, fit_at
from render.hand.model import HandModel
from render.hand.points import BonePoints, Placement, PointKinematics
from render.hand.pose import hand_angles
from render.hand.skin import HandSkin
from render.hand.solve import solve
from render.hand.subject import Subject

SURFACE = 600  # points of the surface
LOOSE = 1e-4  # metres: they sit where the mesh has them
ROUNDS, STEPS = 20, 4  # of looking for what is near; of least squares each time
REACH = 0.015  # metres within which something measured is taken for the hand's
HIDING = 0.008  # metres that something is nearer by which hides what is behind it
CELL = 3  # pixels of the cells in which points hide one another
EVERY = 2  # row and column of what was measured


def fit_to_depth(
    model: HandModel,
    subject: Subject,
    fit: HandFit,
    points_m: np.ndarray,
    depths: Sequence[np.ndarray],
    camera: Camera,
) -> HandFit:
    """Move N hands of one person from where they are thought to be.

    Args:
        subject: whose points are those of points_m.
        fit: of these to points_m, (N, K, 3) metres in the camera frame, which also keep fingers
            that are hidden.
        depths: N images (H, W) of the hand alone, metres, 0 where nothing was seen.
    """
    surface, normals = _surface(model)
    points, hand = _joined(subject.points, surface), hand_angles(model)
    kinematics = PointKinematics(model, hand, points, subject.shape)
    R = fit.cam_from_hand[:, :3, :3]
    wrist = fit.cam_from_hand[:, :3, 3] + R @ kinematics.joints[0]
    at, K = Placement(R, wrist, fit.angles), points_m.shape[1]
    clouds = [_measured(depth, camera) for depth in depths]
    for _ in range(ROUNDS):
        targets = kinematics.locate(at)
        targets[:, :K] = points_m
        turned = (kinematics.pose(at)[0][surface.bones] @ normals[:, None, :, None])[..., 0]
        facing = (turned.swapaxes(0, 1) * targets[:, K:]).sum(axis=2) < 0  # (N, k)
        for of_one, faces, cloud in zip(targets[:, K:], facing, clouds, strict=True):
            if cloud is not None:
                _draw_near(of_one, faces, cloud, camera)
        at, _ = solve(kinematics, targets, subject.prior, at, STEPS)
    own = PointKinematics(model, hand, subject.points, subject.shape)
    return fit_at(own, at, points_m, subject.shape)


def _surface(model: HandModel) -> tuple[BonePoints, np.ndarray]:
    """Points spread over the mesh, each on the bone that moves it most, and their normals (k, 3) in
    the rest pose."""
    count = min(SURFACE, len(model.vertices))
    chosen = np.linspace(0, len(model.vertices) - 1, count).round().astype(int)
    names = tuple(f"vertex {i}" for i in chosen)
    bones = model.weights[chosen].argmax(axis=1)
    places, directions = model.vertices[chosen], model.shape_directions[chosen]
    normals = HandSkin(model).mesh(None).normals[chosen]
    return BonePoints(names, bones, places, directions, np.full(count, LOOSE)), normals


def _joined(one: BonePoints, other: BonePoints) -> BonePoints:
    bones, places, directions, loose = (
        np.concatenate([getattr(one, name), getattr(other, name)])
        for name in ("bones", "places", "directions", "loose")
    )
    return BonePoints((*one.names, *other.names), bones, places, directions, loose)


def _measured(depth: np.ndarray, camera: Camera) -> cKDTree | None:
    """What an image has measured, as points (n, 3) in metres; None if that is nothing."""
    row, column = np.nonzero(depth[::EVERY, ::EVERY])
    if not len(row):
        return None
    row, column = EVERY * row, EVERY * column
    rays = np.stack([column, row, np.ones(len(row))], axis=1) @ np.linalg.inv(camera.K).T
    return cKDTree(rays * depth[row, column, None])


def _draw_near(points: np.ndarray, facing: np.ndarray, cloud: cKDTree, camera: Camera) -> None:
    """Put points (k, 3) that can be seen where something was measured; others stay, and so do those
    that do not face the camera: where points are sparse they often have no other in front."""
    seen = np.flatnonzero(facing & _is_seen(points, camera.project(points)))
    distance, nearest = cloud.query(points[seen])
    near = distance < REACH
    points[seen[near]] = cloud.data[nearest[near]]


def _is_seen(points: np.ndarray, px: np.ndarray) -> np.ndarray:
    """(k,) whether no other point is in front, in cells of the image."""
    cell = np.floor(px / CELL).astype(int)
    _, which = np.unique(cell, axis=0, return_inverse=True)
    nearest = np.full(which.max() + 1, np.inf)
    np.minimum.at(nearest, which, points[:, 2])
    return points[:, 2] <= nearest[which] + HIDING
