"""Normals and object coordinates of a frame, against its masks, depth and poses.

Neither follows from the other images: a point of an object, moved by its pose, must project to the
very pixel that shows it, at the depth that the depth image has there.
"""

from collections.abc import Callable, Sequence

import numpy as np

from render.camera import Camera
from render.draw.bent import OVERSAMPLE
from render.formats.surface import nocs_path, normals_path, points_from_nocs
from render.sensor.config import depth_spread, edge_reach_px
from render.transforms import apply
from render.validate.frame import (
    DEPTH_SLACK,
    DEPTH_SLACK_SHARE,
    FEWEST_PIXELS,
    MOST_OFF_DEPTH,
    FrameCheck,
    clear_of_edges,
)
from render.validate.records import InstanceRecord

UNIT_SLACK = 1e-4  # of a normal's length: rounding to 16 bits makes up to 2.6e-5
BEHIND_SLACK = 1e-3  # cosine between a normal and the ray to its pixel, which point apart
# A level of detail has other normals than its mesh: turned further on up to a seventh of an object
# that is 40 pixels large.
TURNED, MOST_TURNED = np.cos(np.radians(20)), 0.3
BOX_SLACK = 0.02  # of the object's size, which a level of detail may stick out of its box
PIXEL_SLACK = 0.1  # pixels: those of `render` are off by less than 0.01, and rounding
ROUNDING = 1 / 65535  # of the object's box diagonal: two steps of half a unit, and some


def check_normals(frame: FrameCheck, drawn: Sequence[np.ndarray | None]) -> None:
    """Report what is wrong with an image's normals, if it has any.

    Args:
        frame: after its `run`.
        drawn: of each object alone at its pose, (H, W, 3); None where it was not drawn.
    """
    normals, depth, camera = frame.pixels.normals, frame.pixels.depth, frame.camera
    if normals is None:
        return
    there = normals.any(axis=2)
    said = {"are no unit vectors": there & (np.abs(_length(normals) - 1) > UNIT_SLACK)}
    for mask in _sound_masks(frame).values():
        said["of objects have none"] = said.get("of objects have none", False) | (mask & ~there)
    if depth is not None and frame.slack.exact and not frame.wrong_depth:
        said["have one, where nothing has depth"] = there & (depth == 0)
        said["have none, though they have depth"] = ~there & (depth > 0)
    if camera is not None:
        rays = camera.unproject(np.ones(there.shape))
        towards = np.einsum("hwc,hwc->hw", normals, rays) / _length(rays)
        behind = BEHIND_SLACK + _beside(camera) / camera.K[0, 0]
        said["point away from the camera"] = towards > behind
    reasons = [f"{np.count_nonzero(px)} px {what}" for what, px in said.items() if px.any()]

    for gt_id, mask in _sound_masks(frame).items():
        expected = drawn[gt_id]
        if expected is not None and gt_id not in frame.wrong_pose and not reasons:
            both = mask & there & expected.any(axis=2)
            cosines = np.einsum("nc,nc->n", normals[both], expected[both])
            share = np.mean(cosines < TURNED) if len(cosines) >= FEWEST_PIXELS else 0.0
            if share > MOST_TURNED:
                reasons.append(f"{100 * share:.0f} % of gt {gt_id} are turned otherwise than drawn")
    if reasons:
        frame.faults.add(normals_path(frame.scene_dir, frame.im_id), "; ".join(reasons))


def check_nocs(frame: FrameCheck, box_of: Callable[[int], np.ndarray | None]) -> None:
    """Report what is wrong with an image's object coordinates, if it has any.

    Args:
        frame: after its `run`.
        box_of: obj_id -> (2, 3) corners of its box, metres; None where nobody knows.
    """
    nocs, masks = frame.pixels.nocs, _sound_masks(frame)
    if nocs is None:
        return
    reasons, there = [], nocs.any(axis=2)
    if len(masks) == len(frame.instances):
        outside = there & ~np.any([np.zeros_like(there), *masks.values()], axis=0)
        if outside.any():
            count = np.count_nonzero(outside)
            reasons.append(f"{count} px hold coordinates, where no visible mask has an object")
    for gt_id, mask in masks.items():
        instance = frame.instances[gt_id]
        missing = np.count_nonzero(mask & ~there)
        if missing:
            reasons.append(f"{missing} px of gt {gt_id} have none")
        box = None if instance.obj_id is None else box_of(instance.obj_id)
        seen = mask & there
        if box is not None and np.ptp(box, axis=0).any() and seen.any():
            reasons += [f"gt {gt_id}: {s}" for s in _misfits(frame, gt_id, instance, seen, box)]
    if reasons:
        frame.faults.add(nocs_path(frame.scene_dir, frame.im_id), "; ".join(reasons))


def _misfits(
    frame: FrameCheck, gt_id: int, instance: InstanceRecord, seen: np.ndarray, box: np.ndarray
) -> list[str]:
    """What an object's coordinates contradict; seen: (H, W) bool, the pixels that have them."""
    assert frame.pixels.nocs is not None
    diagonal = float(np.linalg.norm(box[1] - box[0]))
    points = points_from_nocs(frame.pixels.nocs[seen].astype(np.float64), box)
    beyond = np.maximum(box[0] - points, points - box[1]).max(axis=1) > BOX_SLACK * diagonal
    if beyond.any():
        return [f"{np.count_nonzero(beyond)} px lie outside the box of object {instance.obj_id}"]
    pose, camera = instance.cam_from_obj, frame.camera
    if pose is None or camera is None or gt_id in frame.wrong_pose:
        return []
    points = apply(pose, points)
    off = _off_px(points, seen, camera)
    allowed = (
        PIXEL_SLACK
        + _beside(camera)
        + np.abs(camera.K[:2, :2]).sum() * ROUNDING * diagonal / points[:, 2]
    )
    wrong = ~(off <= allowed)
    if wrong.any():
        count, worst = np.count_nonzero(wrong), float(off[wrong].max())
        return [f"at its pose, {count} of {len(off)} points are up to {worst:.2g} px off"]
    return _off_depth(frame, gt_id, points[:, 2], seen, ROUNDING * diagonal)


def _beside(camera: Camera) -> float:
    """How far from a pixel's ray that of what it shows may be, pixels."""
    return 0.0 if camera.distortion is None else 0.75 / OVERSAMPLE


def _off_px(points: np.ndarray, seen: np.ndarray, camera: Camera) -> np.ndarray:
    """How far (n, 3) points of the camera frame are from the pixels that show them."""
    v, u = np.nonzero(seen)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(camera.project(points) - np.stack([u, v], axis=-1)).max(axis=1)
    return np.where(points[:, 2] > 0, off, np.inf)


def _off_depth(
    frame: FrameCheck, gt_id: int, z: np.ndarray, seen: np.ndarray, rounding: float
) -> list[str]:
    """What the depth image says otherwise than the (n,) depths of an object's points."""
    depth, scale, sensor = frame.pixels.depth, frame.depth_scale, frame.slack.sensor
    if depth is None or scale is None or frame.camera is None or gt_id in frame.wrong_depth:
        return []
    reach = edge_reach_px(sensor, float(frame.camera.K[0, 0]))
    compared = (clear_of_edges(seen, reach) & (depth > 0))[seen]
    if np.count_nonzero(compared) < FEWEST_PIXELS:
        return []
    z, given = z[compared], depth[seen][compared] * (scale / 1000)
    allowed = scale / 1000 + rounding  # half a step, and some
    if not frame.slack.exact:
        slack = np.minimum(DEPTH_SLACK, DEPTH_SLACK_SHARE * z)
        allowed = allowed + slack + depth_spread(sensor, z)
    share = float(np.mean(np.abs(z - given) > allowed))
    if share > MOST_OFF_DEPTH:
        return [f"{100 * share:.0f} % of its points have not the depth image's depth"]
    return []


def _sound_masks(frame: FrameCheck) -> dict[int, np.ndarray]:
    """Gt id -> visible mask, of those that nothing contradicts."""
    visible = enumerate(frame.pixels.visible)
    return {i: mask for i, mask in visible if mask is not None and i not in frame.wrong_visible}


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors.astype(np.float64), axis=-1)
