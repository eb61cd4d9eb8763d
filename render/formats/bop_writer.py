"""BOP scenes, written: images, poses and what they measure, in the format's own units."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop_files import depth_path, mask_path
from render.formats.bop_points import points_records
from render.formats.bop_records import DISTORTION, EACH, gt_record, info_record, write_records
from render.formats.coco import COCO, coco_annotations, coco_image, write_coco
from render.formats.flow import encode_flow, flow_path
from render.formats.surface import encode_nocs, encode_normals, nocs_path, normals_path
from render.frame import Box, Frame
from render.image_file import write_png
from render.json_file import write_text
from render.mesh.mesh import SMALL, ObjectModel

NOTHING_VISIBLE: Box = (-1, -1, -1, -1)
DEPTH_SCALE = 0.1  # mm: 16 bits then reach 6.5 m
COARSER = (1, 10, 100, 1000, 10000)  # times a scale, where depths need it


def measure(frame: Frame, canvas: np.ndarray) -> Frame:
    """Fill in what scene_gt_info.json holds, by the rules of bop_toolkit's calc_gt_info.py.

    But for one: a pixel is visible by its instance id, not by a depth within 15 mm of the scene's.

    Args:
        frame: with instance ids; without depth px_count_valid stays None.
        canvas: (n, 3H, 3W) bool, each annotation's whole silhouette on a canvas three times the
            image's size with the image in its middle, so that the part outside counts too.

    Returns:
        The frame with boxes, counts and visib_fract in its annotations.
    """
    if frame.instance is None:
        raise ValueError("measure needs a frame with instance ids")
    width, height = frame.camera.size
    expected = (len(frame.annotations), 3 * height, 3 * width)
    if canvas.shape != expected:
        raise ValueError(f"canvas must be {expected}, got {canvas.shape}")

    inside = _middle(canvas)
    measured = []
    for i, annotation in enumerate(frame.annotations):
        visible = frame.instance == i + 1
        count_all, count_visib = _count(canvas[i]), _count(visible)
        valid = None if frame.depth is None else _count((frame.depth > 0) & inside[i])
        x, y, box_width, box_height = bounding_box(canvas[i])
        whole = (x - width, y - height, box_width, box_height)
        measured.append(
            replace(
                annotation,
                visib_fract=count_visib / count_all if count_all else 0.0,
                bbox_obj=whole if count_visib else NOTHING_VISIBLE,
                bbox_visib=bounding_box(visible),
                px_count_all=count_all,
                px_count_valid=valid,
                px_count_visib=count_visib,
            )
        )
    return replace(frame, annotations=tuple(measured))


def bounding_box(mask: np.ndarray) -> Box:
    """BOP's box of an (H, W) mask: x, y, max-min, max-min; four times -1 if it is empty."""
    x, y, columns, rows = cv2.boundingRect(mask.view(np.uint8))
    return (x, y, columns - 1, rows - 1) if columns else NOTHING_VISIBLE


def write_scene(
    scene_dir: Path,
    images: Iterable[tuple[int, Frame, np.ndarray | None]],
    depth_scale: float | None = DEPTH_SCALE,
    camera_records: Mapping[int, Mapping[str, Any]] | None = None,
    models: Mapping[int, ObjectModel] | None = None,
) -> None:
    """Write a scene, image by image as they come; scene_camera.json comes last and marks the end.

    What a frame lacks is not written: rgb/, depth/, mask_visib/ (from instance), scene_gt_info,
    normals/ and nocs/ (see surface.py), flow (see flow.py). Where there are both kinds of masks,
    scene_gt_coco.json has them too.

    Args:
        scene_dir: folder of the scene, made if missing.
        images: image id, frame, and the annotations' whole silhouettes for mask/: (n, H, W) bool,
            or (n, 3H, 3W) on `measure`'s canvas, or None.
        depth_scale: mm of one step of the depth PNGs, a power of ten times that in images with
            depths that 16 bits would not hold; None leaves it out where nothing has depth.
        camera_records: image id -> what else scene_camera.json shall say of it.
        models: what is annotated; they give scene_gt_points.json, where their box corners and
            keypoints are seen, and the categories of scene_gt_coco.json. Frames with object
            coordinates need them.

    Raises:
        InputError: a depth does not fit 16 bits at 10000 times this scale.
    """
    records = write_images(scene_dir, images, depth_scale, camera_records, models)
    scene_dir.mkdir(parents=True, exist_ok=True)
    records.write(scene_dir)


def write_images(
    scene_dir: Path,
    images: Iterable[tuple[int, Frame, np.ndarray | None]],
    depth_scale: float | None = DEPTH_SCALE,
    camera_records: Mapping[int, Mapping[str, Any]] | None = None,
    models: Mapping[int, ObjectModel] | None = None,
) -> "SceneRecords":
    """As `write_scene`, but for the scene's JSON files, whose content is returned."""
    records = SceneRecords(camera_records or {}, models)
    for im_id, frame, silhouettes in images:
        scale = _fitting_scale(frame, depth_scale, im_id)
        _write_pixels(scene_dir, im_id, frame, silhouettes, scale)
        _write_surface(scene_dir, im_id, frame, models or {})
        records.add(im_id, frame, silhouettes, scale)
    return records


def write_camera_json(
    root: Path, camera: Camera, depth_scale: float = DEPTH_SCALE, one_lens: bool = True
) -> None:
    """Write a dataset's camera.json: the sensor its scenes were rendered for.

    Args:
        one_lens: whether all images have the camera's lens distortion; else each has its own.
    """
    (fx, skew, cx), (skew_y, fy, cy) = camera.K[:2].tolist()
    if skew or skew_y:
        raise ValueError(f"camera.json has no place for a skew, got K {camera.K.tolist()}")
    sensor = {"cx": cx, "cy": cy, "depth_scale": depth_scale, "fx": fx, "fy": fy}
    sensor |= {"height": camera.height, "width": camera.width}
    if camera.distortion is not None:
        sensor["distortion"] = list(camera.distortion) if one_lens else EACH
    write_text(root / "camera.json", json.dumps(sensor, indent=2) + "\n")


class SceneRecords:
    """The JSON files of a scene, gathered image by image; the arguments are `write_scene`'s."""

    BY_IMAGE, LISTS = ("cameras", "gts", "infos", "points"), ("coco_images", "coco_objects")

    def __init__(
        self,
        camera_records: Mapping[int, Mapping[str, Any]],
        models: Mapping[int, ObjectModel] | None,
    ) -> None:
        self.camera_records, self.models = camera_records, models
        self.cameras: dict[int, Any] = {}
        self.gts: dict[int, Any] = {}
        self.infos: dict[int, Any] = {}
        self.points: dict[int, Any] = {}
        self.coco_images: list[dict[str, Any]] = []
        self.coco_objects: list[dict[str, Any]] = []

    def add(
        self, im_id: int, frame: Frame, silhouettes: np.ndarray | None, depth_scale: float | None
    ) -> None:
        camera: dict[str, Any] = {"cam_K": frame.camera.K.ravel().tolist()}
        if depth_scale is not None:
            camera["depth_scale"] = depth_scale
        if frame.camera.distortion is not None:
            camera[DISTORTION] = list(frame.camera.distortion)
        self.cameras[im_id] = {**camera, **self.camera_records.get(im_id, {})}
        self.gts[im_id] = [gt_record(annotation) for annotation in frame.annotations]
        self.infos[im_id] = [info_record(annotation) for annotation in frame.annotations]
        if self.models is not None:
            self.points[im_id] = points_records(frame.annotations, self.models, frame.camera)
        if frame.instance is not None and silhouettes is not None:
            self.coco_images.append(coco_image(im_id, f"rgb/{im_id:06d}.png", frame.camera))
            inside, first_id = _inside(silhouettes, frame), len(self.coco_objects) + 1
            self.coco_objects += coco_annotations(im_id, frame, inside, first_id)

    def plain(self) -> dict[str, Any]:
        """All that was gathered, as JSON holds it; `join` takes it back."""
        return {name: getattr(self, name) for name in (*self.BY_IMAGE, *self.LISTS)}

    def join(self, plain: Mapping[str, Any]) -> None:
        """Add what other images of the scene gave; COCO's numbers go on from those here."""
        for name in self.BY_IMAGE:
            getattr(self, name).update({int(i): record for i, record in plain[name].items()})
        self.coco_images += plain["coco_images"]
        first_id = len(self.coco_objects) + 1
        objects = enumerate(plain["coco_objects"], first_id)
        self.coco_objects += [{**record, "id": number} for number, record in objects]

    def write(self, scene_dir: Path) -> None:
        """Write the JSON files; scene_camera.json comes last."""
        if any(info for image in self.infos.values() for info in image):
            write_records(scene_dir / "scene_gt_info.json", self.infos)
        if self.points:
            write_records(scene_dir / "scene_gt_points.json", self.points)
        if self.coco_images:
            names = {record["category_id"]: "" for record in self.coco_objects}
            if self.models:
                names = {i: model.name for i, model in self.models.items()}
            file = scene_dir / COCO
            write_coco(file, self.coco_images, self.coco_objects, names)
        write_records(scene_dir / "scene_gt.json", self.gts)
        write_records(scene_dir / "scene_camera.json", self.cameras)


def _write_pixels(
    scene_dir: Path,
    im_id: int,
    frame: Frame,
    silhouettes: np.ndarray | None,
    depth_scale: float | None,
) -> None:
    """Write those of an image's PNGs that there is something for."""
    pngs: dict[Path, np.ndarray] = {}
    if frame.rgb is not None:
        pngs[scene_dir / "rgb" / f"{im_id:06d}.png"] = frame.rgb
    if frame.depth is not None:
        pngs[depth_path(scene_dir, im_id)] = _encode_depth(frame.depth, depth_scale)
    for gt_id in range(len(frame.annotations)):
        if frame.instance is not None:
            visible = frame.instance == gt_id + 1
            pngs[mask_path(scene_dir, im_id, gt_id, visible=True)] = visible
        if silhouettes is not None:
            whole = _inside(silhouettes, frame)[gt_id]
            pngs[mask_path(scene_dir, im_id, gt_id, visible=False)] = whole
    for path, image in pngs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, image)


def _write_surface(
    scene_dir: Path, im_id: int, frame: Frame, models: Mapping[int, ObjectModel]
) -> None:
    """Write an image's normals, object coordinates and flow, if it has them."""
    pngs: dict[Path, np.ndarray] = {}
    if frame.normals is not None:
        pngs[normals_path(scene_dir, im_id)] = encode_normals(frame.normals)
    if frame.coordinates is not None:
        boxes = {obj_id: model.box for obj_id, model in models.items()}
        pngs[nocs_path(scene_dir, im_id)] = encode_nocs(frame, boxes)
    for way, flow in (("forward", frame.flow_forward), ("backward", frame.flow_backward)):
        if flow is not None:
            pngs[flow_path(scene_dir, im_id, way)] = encode_flow(flow)
    for path, image in pngs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, image)


def fine_scale(diameter: float) -> float:
    """The depth_scale for a smallest object of this diameter, metres: SMALL takes 300 steps."""
    return next((s for s in (DEPTH_SCALE, 0.01) if diameter * DEPTH_SCALE >= SMALL * s), 0.001)


def _fitting_scale(frame: Frame, depth_scale: float | None, im_id: int) -> float | None:
    """The scale at which a frame's depth is written."""
    if frame.depth is None or depth_scale is None:
        return depth_scale
    farthest = 1000 * float(frame.depth.max())  # mm
    for scale in (factor * depth_scale for factor in COARSER):
        if round(farthest / scale) <= np.iinfo(np.uint16).max:
            return scale
    raise InputError(
        f"image {im_id}: a depth of {farthest / 1000:.2f} m does not fit 16 bits"
        f" at depth_scale {COARSER[-1] * depth_scale:g}"
    )


def _encode_depth(depth: np.ndarray, depth_scale: float | None) -> np.ndarray:
    if depth_scale is None:
        raise ValueError("a frame with depth needs a depth_scale")
    steps = depth.astype(np.float64)
    steps *= 1000
    steps /= depth_scale
    return np.rint(steps, out=steps).astype(np.uint16)


def _count(mask: np.ndarray) -> int:
    return cv2.countNonZero(mask.view(np.uint8))


def _inside(silhouettes: np.ndarray, frame: Frame) -> np.ndarray:
    """The image's own part of (n, H, W) silhouettes, or of those on `measure`'s canvas."""
    on_canvas = silhouettes.shape[1] == 3 * frame.camera.height
    return _middle(silhouettes) if on_canvas else silhouettes


def _middle(canvas: np.ndarray) -> np.ndarray:
    """The image's own part of a canvas three times its size: (..., 3H, 3W) -> (..., H, W)."""
    height, width = canvas.shape[-2] // 3, canvas.shape[-1] // 3
    return canvas[..., height : 2 * height, width : 2 * width]
