"""Films: scenes at rest that a camera goes through, from one image of a scene to the next.

Every object keeps its number and its place in the world, and flow leads to where it is seen next.
"""

import numpy as np

from render.camera import Camera
from render.formats.flow import flow_path
from render.transforms import apply, invert
from render.validate.frame import FEWEST_PIXELS, FrameCheck

WORLD_SLACK = 1e-6  # metres, and of rotations: records have all digits of their numbers
FLOW_SLACK = 0.1  # pixels; a step of the file is 1/64
# Share of flow that may be off by more or lead elsewhere: where a level of detail ends elsewhere
# than its mesh, and where rounding to a step leads into the next pixel.
MOST_OFF = 0.05


class Film:
    """Checks the images of a scene in their order."""

    def __init__(self, is_film: bool) -> None:
        """
        Args:
            is_film: whether `render` made the scene so; of others only flow is looked at.
        """
        self._is_film = is_film
        self._last: FrameCheck | None = None
        self._last_world: np.ndarray | None = None

    def check(self, frame: FrameCheck, cam_from_world: np.ndarray | None) -> None:
        """Report what of an image does not follow from the one before, and the flow between them.

        Args:
            frame: after its `run`.
        """
        last, world = self._last, self._last_world
        if last is None:
            _check_ends(frame, "backward")
        else:
            if self._is_film:
                _check_tracks(last, world, frame, cam_from_world)
            _check_flow(last, frame, "forward", _step(world, cam_from_world))
            _check_flow(frame, last, "backward", _step(cam_from_world, world))
        self._last, self._last_world = frame, cam_from_world

    def end(self) -> None:
        """Report flow that leads from the last image to none."""
        if self._last is not None:
            _check_ends(self._last, "forward")


def _check_ends(frame: FrameCheck, way: str) -> None:
    flow = frame.pixels.flow(way)
    count = 0 if flow is None else np.count_nonzero(~np.isnan(flow[..., 0]))
    if count:
        path = flow_path(frame.scene_dir, frame.im_id, way)
        frame.faults.add(path, f"{count} px have flow, but there is no image that it leads to")


def _check_tracks(
    last: FrameCheck, last_world: np.ndarray | None, frame: FrameCheck, world: np.ndarray | None
) -> None:
    """Report objects that are others than in the image before, or elsewhere in the world."""
    path, where = frame.scene_dir / "scene_gt.json", f"image {frame.im_id}"
    ids, before = ([a.obj_id for a in f.instances] for f in (frame, last))
    if ids != before:
        message = f"has objects {ids}, image {last.im_id} of the same film {before}"
        frame.faults.add(path, f"{where}: {message}")
        return
    if world is None or last_world is None:
        message = f"{where}: no cam_R_w2c and cam_t_w2c, which every image of a film has"
        frame.faults.add(frame.scene_dir / "scene_camera.json", message)
        return
    for gt_id, (one, other) in enumerate(zip(last.instances, frame.instances, strict=True)):
        if one.cam_from_obj is None or other.cam_from_obj is None:
            continue
        moved = invert(last_world) @ one.cam_from_obj - invert(world) @ other.cam_from_obj
        if np.abs(moved).max() > WORLD_SLACK:
            off = 1000 * np.linalg.norm(moved[:3, 3])
            message = (
                f"is {off:.3g} mm elsewhere in the world than in image {last.im_id}, or turned"
            )
            frame.faults.add(path, f"{where}, gt {gt_id}: {message}")


def _step(here: np.ndarray | None, there: np.ndarray | None) -> np.ndarray | None:
    """(4, 4) from one camera to another, of their cam_from_world; None if one is unknown."""
    return None if here is None or there is None else there @ invert(here)


def _check_flow(frame: FrameCheck, other: FrameCheck, way: str, step: np.ndarray | None) -> None:
    """Report flow from an image that does not lead to where its objects are in another.

    Args:
        step: from the one camera to the other, while all is at rest; None if that is not known.
    """
    flow, camera = frame.pixels.flow(way), frame.camera
    if flow is None or camera is None or other.camera is None:
        return
    path, reasons = flow_path(frame.scene_dir, frame.im_id, way), []
    v, u = np.nonzero(~np.isnan(flow[..., 0]))
    to = np.stack([u, v], axis=-1) + flow[v, u]
    outside = np.abs(to - (np.array(other.camera.size) - 1) / 2) > np.array(other.camera.size) / 2
    if outside.any():
        reasons.append(f"{np.count_nonzero(outside.any(axis=1))} px lead out of the other image")
    if not reasons and step is not None:
        reasons += _off_depth(frame, other.camera, flow, step)
    for gt_id in range(min(len(frame.instances), len(other.instances))):
        reasons += _misled(frame, other, gt_id, flow)
    if reasons:
        frame.faults.add(path, "; ".join(reasons))


def _off_depth(frame: FrameCheck, there: Camera, flow: np.ndarray, step: np.ndarray) -> list[str]:
    """What is wrong with flow by the depth image, where that has what was drawn."""
    depth, camera = frame.pixels.depth, frame.camera
    if depth is None or frame.depth_scale is None or camera is None or not frame.slack.exact:
        return []
    v, u = np.nonzero(~np.isnan(flow[..., 0]))
    if not (depth[v, u] > 0).all():
        return [f"{np.count_nonzero(depth[v, u] == 0)} px have flow, where nothing has depth"]
    to = np.stack([u, v], axis=-1) + flow[v, u]
    metres = depth * (frame.depth_scale / 1000)
    ends = []
    for rounding in (-0.5, 0.5):  # of the depth image
        lifted = camera.unproject(metres + rounding * frame.depth_scale / 1000)[v, u]
        ends.append(there.project(apply(step, lifted)))
    low, high = np.minimum(*ends) - FLOW_SLACK, np.maximum(*ends) + FLOW_SLACK
    wrong = ((to < low) | (to > high)).any(axis=1)
    return [f"{np.count_nonzero(wrong)} px lead elsewhere than by their depth"] * bool(wrong.any())


def _misled(frame: FrameCheck, other: FrameCheck, gt_id: int, flow: np.ndarray) -> list[str]:
    """What is wrong with the flow of one object."""
    poses = [f.instances[gt_id].cam_from_obj for f in (frame, other)]
    masks = [f.pixels.visible[gt_id] for f in (frame, other)]
    drawn = frame.drawn[gt_id]
    wrong = gt_id in frame.wrong_pose | frame.wrong_visible | other.wrong_pose | other.wrong_visible
    if wrong or any(x is None for x in (*poses, *masks, drawn)):
        return []
    (pose, there), (mask, seen) = poses, masks
    assert pose is not None and there is not None and mask is not None and seen is not None
    assert drawn is not None and frame.camera is not None and other.camera is not None
    known = mask & (drawn > 0) & ~np.isnan(flow[..., 0])
    v, u = np.nonzero(known)
    if len(u) < FEWEST_PIXELS:
        return []
    to = np.stack([u, v], axis=-1) + flow[v, u]
    points = apply(there @ invert(pose), _lifted(frame.camera, drawn, known))
    off = np.abs(other.camera.project(points) - to).max(axis=1)
    share = float(np.mean(~(off <= FLOW_SLACK)))
    if share > MOST_OFF:
        worst = f"by up to {off.max():.2g} px"
        return [f"{100 * share:.0f} % of gt {gt_id} are led elsewhere than its pose is, {worst}"]
    height, width = seen.shape
    column, row = np.rint(np.clip(to, 0, [width - 1, height - 1])).astype(np.intp).T
    share = float(np.mean(~seen[row, column]))
    if share > MOST_OFF:
        return [f"{100 * share:.0f} % of gt {gt_id} are led to where it is not visible"]
    return []


def _lifted(camera: Camera, depth: np.ndarray, known: np.ndarray) -> np.ndarray:
    return camera.unproject(depth.astype(np.float64))[known]
