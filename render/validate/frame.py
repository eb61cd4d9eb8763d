"""One frame of a BOP dataset: masks, counts, depth and drawing against one another.

Where two of them differ, a third decides which one is named: the file on which nothing else agrees.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from render.camera import Camera
from render.formats.bop_files import depth_path, mask_path
from render.formats.bop_records import beyond
from render.formats.bop_writer import NOTHING_VISIBLE
from render.mesh.mesh import Mesh
from render.sensor.config import depth_spread, edge_reach_px
from render.transforms import apply
from render.validate.fault import Faults
from render.validate.pixels import (
    ImagePixels,
    Slack,
    contour_iou,
    full_mask_differences,
    visible_mask_differences,
)
from render.validate.records import BOX_SLACK, InstanceRecord

LEAST_IOU = 0.9  # of given and drawn silhouette, by `contour_iou`
# Metres between given and drawn depth. bop_toolkit calls visible what is within 15 mm of the scene.
DEPTH_SLACK = 0.02
DEPTH_SLACK_SHARE = 0.1  # of the depth: of small objects, seen from near, no more
MOST_OFF_DEPTH = 0.1  # share of a visible mask whose depth may be off by more
FEWEST_PIXELS = 50  # with depth, for it to be compared
SAME_RATIO = 0.05  # spread of given to drawn depth over a frame's objects, if the scale is wrong


@dataclass(eq=False)
class FrameCheck:
    """The checks of one frame, after its files were read.

    camera, depth_scale: None where their records are damaged. instances: index = BOP's gt id.
    drawn: each alone at its pose, (H, W) float32 metres, 0 where it is not; None if not drawn.
    """

    scene_dir: Path
    im_id: int
    camera: Camera | None
    depth_scale: float | None
    instances: Sequence[InstanceRecord]
    pixels: ImagePixels
    drawn: Sequence[np.ndarray | None]
    slack: Slack
    faults: Faults
    # gt ids whose mask, pose or depth is wrong already: what else differs there follows from it.
    wrong_whole: set[int] = field(default_factory=set)
    wrong_visible: set[int] = field(default_factory=set)
    wrong_pose: set[int] = field(default_factory=set)
    wrong_depth: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        # gt id -> what scene_gt_info.json says otherwise than the visible mask
        self.said_of_visible = [
            [] if mask is None else visible_mask_differences(instance.info, mask, self.slack)
            for instance, mask in zip(self.instances, self.pixels.visible, strict=True)
        ]

    def run(self, meshes: Mapping[int, Mesh]) -> None:
        """Report every fault of the frame."""
        self._check_blank_depth()
        for gt_id in range(len(self.instances)):
            self._check_full(gt_id)
            self._check_box(gt_id, meshes)
        self._check_overlaps()
        self._check_depth()
        for gt_id, said in enumerate(self.said_of_visible):
            if said and gt_id not in self.wrong_visible:
                self._add("scene_gt_info.json", gt_id, "; ".join(said))

    def _add(self, name: str, gt_id: int, message: str) -> None:
        self.faults.add(self.scene_dir / name, f"image {self.im_id}, gt {gt_id}: {message}")

    def _mask_path(self, gt_id: int, visible: bool) -> Path:
        return mask_path(self.scene_dir, self.im_id, gt_id, visible)

    def _check_blank_depth(self) -> None:
        """Report a depth image without any depth, though objects are seen, and pass over it."""
        depth, seen = self.pixels.depth, (m for m in self.pixels.visible if m is not None)
        if depth is not None and not depth.any() and any(mask.any() for mask in seen):
            path = depth_path(self.scene_dir, self.im_id)
            self.faults.add(path, "no depth in any pixel, but masks show objects")
            self.pixels = replace(self.pixels, depth=None)

    def _check_full(self, gt_id: int) -> None:
        """The full mask against its record, the drawing and the visible mask."""
        info = self.instances[gt_id].info
        full, visible = self.pixels.whole[gt_id], self.pixels.visible[gt_id]
        drawn = self.drawn[gt_id]
        if full is None:
            return
        said = full_mask_differences(info, full, self.pixels.depth, self.slack)
        iou = 1.0 if drawn is None else contour_iou(full, drawn > 0)
        outside = 0 if visible is None else int((visible & ~full).sum())
        misfit = f"IoU {iou:.2f} with object {self.instances[gt_id].obj_id} at its pose"
        sticks_out = f"{outside} px of the visible mask lie outside the full mask"

        visible_is_right = "px_count_visib" in info and not self.said_of_visible[gt_id]
        if (said and iou < LEAST_IOU) or (outside and visible_is_right):
            self.wrong_whole.add(gt_id)
            reasons = said + [misfit] * (iou < LEAST_IOU) + [sticks_out] * (outside > 0)
            self.faults.add(self._mask_path(gt_id, visible=False), "; ".join(reasons))
            return
        if outside:
            self.wrong_visible.add(gt_id)
            self.faults.add(self._mask_path(gt_id, visible=True), sticks_out)
        if said:
            self._add("scene_gt_info.json", gt_id, "; ".join(said))
        if iou < LEAST_IOU:
            self.wrong_pose.add(gt_id)
            where = self._mask_path(gt_id, visible=False).relative_to(self.scene_dir)
            self._add("scene_gt.json", gt_id, f"{misfit} against {where}")

    def _check_box(self, gt_id: int, meshes: Mapping[int, Mesh]) -> None:
        """The pose against bbox_obj, where there is no mask.

        A silhouette has the box of the projected vertices, so nothing needs to be drawn.
        """
        instance, camera = self.instances[gt_id], self.camera
        said = instance.info.get("bbox_obj", NOTHING_VISIBLE)
        mesh = None if instance.obj_id is None else meshes.get(instance.obj_id)
        pose = instance.cam_from_obj
        if self.pixels.whole[gt_id] is not None or said == NOTHING_VISIBLE:
            return
        if mesh is None or pose is None or camera is None:
            return
        points = apply(pose, mesh.vertices.astype(np.float64))
        if points[:, 2].min() <= 0:
            return
        corners = camera.project(points)
        (left, top), (width, height) = corners.min(axis=0), np.ptp(corners, axis=0)
        box = (float(left), float(top), float(width), float(height))
        if max(beyond(box, said), beyond(said, box)) > BOX_SLACK:
            self.wrong_pose.add(gt_id)
            shown = [round(value) for value in box]
            message = f"object {instance.obj_id} at its pose has the box {shown}"
            self._add("scene_gt.json", gt_id, f"{message}, but bbox_obj is {list(said)}")

    def _check_overlaps(self) -> None:
        """No pixel is in two visible masks; of two, that whose record differs is named."""
        seen = {i: m for i, m in enumerate(self.pixels.visible) if m is not None and m.any()}
        for i, j in combinations(seen.keys() - self.wrong_visible, 2):
            shared = int((seen[i] & seen[j]).sum())
            if shared <= self.slack.overlap * min(seen[i].sum(), seen[j].sum()):
                continue
            one, other = (i, j) if self.said_of_visible[i] else (j, i)
            self.wrong_visible.add(one)
            rest = self._mask_path(other, visible=True).name
            message = f"{shared} px are in {rest} too; a pixel shows one object"
            self.faults.add(self._mask_path(one, visible=True), message)

    def _check_depth(self) -> None:
        """The depth image against the drawn depth, within the visible masks."""
        ratios: dict[int, float] = {}
        off, shares = [], {}
        for gt_id, given, expected, inside in self._depths():
            ratios[gt_id] = float(np.median(given / expected))
            slack = np.minimum(DEPTH_SLACK, DEPTH_SLACK_SHARE * expected)
            allowed = slack + depth_spread(self.slack.sensor, expected)
            if abs(np.median(given - expected)) > np.median(allowed):
                off.append(gt_id)
            elif np.count_nonzero(inside) >= FEWEST_PIXELS:
                shares[gt_id] = float(np.mean((np.abs(given - expected) > allowed)[inside]))

        self._blame_depth(ratios, off)
        for gt_id, share in shares.items():
            if share > MOST_OFF_DEPTH:
                self.wrong_visible.add(gt_id)
                message = f"{100 * share:.0f} % of its pixels have not the object's depth"
                self.faults.add(self._mask_path(gt_id, visible=True), message)

    def _blame_depth(self, ratios: Mapping[int, float], off: Sequence[int]) -> None:
        """Name the file behind wrong depths; ratios: gt id -> given to drawn depth, off: wrong."""
        if not off:
            return
        self.wrong_depth.update(off)
        wrong = [ratios[gt_id] for gt_id in off]
        times = ", ".join(f"{ratio:.3g}" for ratio in wrong)
        if len(off) == len(ratios) and np.ptp(wrong) <= SAME_RATIO * min(wrong):
            message = f"depth_scale {self.depth_scale:g} makes the depth image {wrong[0]:.3g} times"
            path = self.scene_dir / "scene_camera.json"
            self.faults.add(path, f"image {self.im_id}: {message} as far as the annotated poses")
        elif len(off) == len(ratios):
            message = f"{times} times as far as the poses of gt {', '.join(map(str, off))}"
            self.faults.add(depth_path(self.scene_dir, self.im_id), message)
        else:
            for gt_id in off:
                message = f"the depth image is {ratios[gt_id]:.3g} times as far as this pose"
                self._add("scene_gt.json", gt_id, message)

    def _depths(self) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
        """(gt id, given depths, drawn depths, whether clear of the visible mask's contour).

        In metres, of annotations with enough of both.
        """
        if self.pixels.depth is None or self.depth_scale is None or self.camera is None:
            return
        reach = edge_reach_px(self.slack.sensor, float(self.camera.K[0, 0]))
        for gt_id, (visible, drawn) in enumerate(zip(self.pixels.visible, self.drawn, strict=True)):
            if visible is None or drawn is None or gt_id in self.wrong_visible | self.wrong_pose:
                continue
            both = visible & (drawn > 0) & (self.pixels.depth > 0)
            if np.count_nonzero(both) >= FEWEST_PIXELS:
                given = self.pixels.depth[both] * (self.depth_scale / 1000)
                inside = clear_of_edges(visible, reach)[both]
                yield gt_id, given, drawn[both].astype(np.float64), inside


def clear_of_edges(mask: np.ndarray, reach: int) -> np.ndarray:
    """The pixels of an (H, W) bool mask that are more than `reach` from its contour."""
    if not reach:
        return mask
    window = np.ones((2 * reach + 1, 2 * reach + 1))
    return cv2.erode(mask.view(np.uint8), window).view(bool)
