"""BOP datasets, read: images with their camera and annotations in metres.

The format: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from render import image_file
from render.camera import Camera
from render.errors import InputError
from render.formats.bop_files import depth_path, mask_path, present, rgb_path
from render.formats.bop_records import (
    nearest_mm,
    parse_annotation,
    parse_camera,
    parse_depth_scale,
    parse_info,
    read_records,
    require_boxes,
)
from render.formats.lens_record import refuse_distortion
from render.formats.splits import scene_dirs
from render.formats.surface import nocs_path, normals_path, read_nocs, read_normals
from render.frame import Annotation
from render.json_file import read_json
from render.mesh.names import read_names, title_of
from render.plain import parse_integer, whole

LARGEST_SIDE = 1 << 16  # pixels, of an image


@dataclass(frozen=True, eq=False)
class BopImage:
    """One image of a BOP scene: its annotations at hand, its pixels read when asked for.

    annotations: index = BOP's gt id. depth_scale: depth PNG value times this is mm; None where the
    dataset does not say. camera_record: what else scene_camera.json says of the image.
    """

    scene_dir: Path
    scene_id: int
    im_id: int
    camera: Camera
    depth_scale: float | None
    annotations: tuple[Annotation, ...]
    camera_record: dict[str, Any]

    @property
    def rgb_path(self) -> Path:
        """The colour image, or the grey one where the dataset has no colour."""
        return rgb_path(self.scene_dir, self.im_id)

    @property
    def has_depth(self) -> bool:
        """Whether the scene has depth images at all."""
        return (self.scene_dir / "depth").is_dir()

    def read_rgb(self) -> np.ndarray:
        """The image as (H, W, 3) uint8; raises InputError if it is missing or damaged."""
        path = present(self.rgb_path)
        return self._fitting(path, image_file.read_rgb(path))

    def read_depth(self) -> np.ndarray | None:
        """(H, W) float32 metres, 0 where nothing was seen; None if the scene has no depth.

        Raises:
            InputError: the scene has a depth folder, but this image is missing or damaged.
        """
        if not self.has_depth:
            return None
        path = depth_path(self.scene_dir, self.im_id)
        if self.depth_scale is None:
            raise InputError(f"{self.scene_dir / 'scene_camera.json'}: no depth_scale for {path}")
        depth = self._fitting(path, image_file.read_gray16(present(path)))
        return (depth * (self.depth_scale / 1000)).astype(np.float32)

    def read_mask(self, gt_id: int, visible: bool) -> np.ndarray | None:
        """An object's silhouette, or only the visible part of it, as (H, W) bool.

        None if the scene has no such masks; InputError if this one is missing or damaged.
        """
        path = mask_path(self.scene_dir, self.im_id, gt_id, visible)
        if not path.parent.is_dir():
            return None
        return self._fitting(path, image_file.read_mask(present(path)))

    def read_normals(self) -> np.ndarray | None:
        """(H, W, 3) float32 unit normals in the camera frame, 0 where there is none.

        None if the scene has no normals; InputError if this image's are missing or damaged.
        """
        path = normals_path(self.scene_dir, self.im_id)
        return self._fitting(path, read_normals(path)) if path.parent.is_dir() else None

    def read_nocs(self) -> np.ndarray | None:
        """(H, W, 3) float32 normalised object coordinates, 0 where there are none.

        `points_from_nocs` of surface.py turns them into metres. None if the scene has none;
        InputError if this image's are missing or damaged.
        """
        path = nocs_path(self.scene_dir, self.im_id)
        return self._fitting(path, read_nocs(path)) if path.parent.is_dir() else None

    def _fitting(self, path: Path, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        if (width, height) != self.camera.size:
            expected = "{}x{}".format(*self.camera.size)
            raise InputError(f"{path} has {width}x{height} pixels, its camera {expected}")
        return image


def read_split(
    root: Path,
    split: str,
    images: Collection[tuple[int, int]] | None = None,
    lens: bool = False,
    labelled: bool = True,
) -> list[BopImage]:
    """Read what a split of a BOP dataset says of its images; pixels are left for later.

    Args:
        root: the dataset's folder.
        split: name of the split's folder, such as "test".
        images: (scene id, image id) of those to read; None reads all.
        lens: take images with a lens distortion, which their `camera` has; else they are refused.
        labelled: refuse images of which scene_gt.json says nothing; else they have no annotations.

    Returns:
        The images, sorted by scene and image id.

    Raises:
        InputError: something is missing or contradicts the format; the message names the file.
    """
    scenes = _scenes(root, split)
    sensor = _read_sensor(root, lens)
    nearest = nearest_mm(root)
    found = []
    for scene_id, scene_dir in scenes.items():
        im_ids = None if images is None else {im for scene, im in images if scene == scene_id}
        if im_ids is None or im_ids:
            found += _read_scene(scene_dir, scene_id, im_ids, sensor, nearest, lens, labelled)

    missing = set(images or ()) - {(image.scene_id, image.im_id) for image in found}
    if missing:
        scene_id, im_id = min(missing)
        raise InputError(
            f"{root / split}: no image {im_id} in scene {scene_id}"
            f" ({len(missing)} of the images asked for are not there)"
        )
    return found


def read_camera(scene_dir: Path, im_id: int, size: tuple[int, int]) -> Camera:
    """The camera of an image of (width, height), in a scene that may lack a ground truth.

    Raises:
        InputError: scene_camera.json has no such image, or it or the dataset's has a distortion.
    """
    path = scene_dir / "scene_camera.json"
    _read_sensor(scene_dir.parents[1])
    records = read_records(path)
    if im_id not in records:
        raise InputError(f"{path}: no image {im_id}")
    return parse_camera(records[im_id], size, f"{path}, image {im_id}")


def require_objects(images: Iterable[BopImage], obj_ids: Iterable[int]) -> None:
    """Raise InputError unless every object is annotated in at least one of the images."""
    images = list(images)
    present = {annotation.obj_id for image in images for annotation in image.annotations}
    missing = sorted(set(obj_ids) - present)
    if missing:
        names = read_names(images[0].scene_dir.parents[1] / "models") if images else {}
        there = ", ".join(names.get(i) or str(i) for i in sorted(present))
        title = title_of(missing[0], names.get(missing[0], ""))
        raise InputError(f"no image shows {title}; there are [{there}]")


def _read_sensor(root: Path, lens: bool = False) -> dict[str, Any]:
    """The dataset's camera.json, {} where there is none."""
    path = root / "camera.json"
    sensor = read_json(path) if path.is_file() else {}
    if lens:  # as each image's record says
        sensor.pop("distortion", None)
    refuse_distortion(sensor, str(path))
    return sensor


def _scenes(root: Path, split: str) -> dict[int, Path]:
    """Scene id -> folder, sorted."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    if not (root / split).is_dir():
        splits = sorted({path.parent.parent.name for path in root.glob("*/*/scene_camera.json")})
        there = f"there are {', '.join(splits)}" if splits else "there is none at all"
        raise InputError(f"{root}: no split {split!r}; {there}")
    scenes = {int(path.name): path for path in scene_dirs(root / split)}
    if not scenes:
        shards = any((root / split).glob("shard-*.tar"))
        instead = ", but shards of a bop-webdataset; render with --format bop" if shards else ""
        raise InputError(f"{root / split}: no scene folders, such as 000001{instead}")
    return dict(sorted(scenes.items()))


def _read_scene(
    scene_dir: Path,
    scene_id: int,
    im_ids: Collection[int] | None,
    sensor: Mapping[str, Any],
    nearest: float,
    lens: bool,
    labelled: bool,
) -> list[BopImage]:
    camera_path, gt_path = scene_dir / "scene_camera.json", scene_dir / "scene_gt.json"
    info_path = scene_dir / "scene_gt_info.json"
    cameras, gts = read_records(camera_path), read_records(gt_path)
    infos = read_records(info_path) if info_path.is_file() else None
    unknown = sorted(set(gts) - set(cameras))
    if unknown:
        raise InputError(f"{camera_path}: image {unknown[0]}, which scene_gt.json has, is missing")

    wanted = sorted(cameras if im_ids is None else set(im_ids) & set(cameras))
    unlabelled = [im_id for im_id in wanted if im_id not in gts] if labelled else []
    if unlabelled:
        raise InputError(
            f"{gt_path}: image {unlabelled[0]}, which scene_camera.json has, is missing; an image"
            " that shows no object has an empty list"
        )

    images = []
    for im_id in wanted:
        record, gt = cameras[im_id], gts.get(im_id, [])
        info = [{} for _ in gt] if infos is None else infos.get(im_id, [])
        if not isinstance(gt, list) or not isinstance(info, list) or len(info) != len(gt):
            raise InputError(
                f"{info_path}, image {im_id}: expected a list as long as in scene_gt.json"
            )
        where = f"{camera_path}, image {im_id}"
        camera = parse_camera(record, _image_size(scene_dir, im_id, sensor), where, lens)
        annotations = []
        for i in range(len(gt)):
            of = f"image {im_id}, gt {i}"
            annotation = parse_annotation(gt[i], f"{gt_path}, {of}", nearest)
            annotation = replace(annotation, **parse_info(info[i], f"{info_path}, {of}"))
            require_boxes(annotation, camera.size, f"{info_path}, {of}")
            annotations.append(annotation)
        depth_scale = parse_depth_scale(record, where)
        rest = {k: v for k, v in record.items() if k not in ("cam_K", "depth_scale")}
        images.append(
            BopImage(scene_dir, scene_id, im_id, camera, depth_scale, tuple(annotations), rest)
        )
    _require_sizes(images)
    return images


def _require_sizes(images: Iterable[BopImage]) -> None:
    """Raise InputError for images of a scene that have one cam_K and different sizes: what is
    annotated in one that was scaled lies elsewhere."""
    first: dict[bytes, BopImage] = {}
    for image in images:
        other = first.setdefault(image.camera.K.tobytes(), image)
        if other.camera.size != image.camera.size:
            sizes = ["{}x{}".format(*one.camera.size) for one in (image, other)]
            raise InputError(
                f"{image.rgb_path} has {sizes[0]} pixels, but image {other.im_id}, of the same"
                f" cam_K, has {sizes[1]}; one cam_K is of one size"
            )


def _image_size(scene_dir: Path, im_id: int, sensor: Mapping[str, Any]) -> tuple[int, int]:
    """(width, height) by the image's own header, or by camera.json while the image is missing."""
    for path in (rgb_path(scene_dir, im_id), depth_path(scene_dir, im_id)):
        if path.is_file():
            return image_file.image_size(path)
    if "width" in sensor and "height" in sensor:
        where = str(scene_dir.parents[1] / "camera.json")
        width, height = (parse_integer(sensor, side, where) for side in ("width", "height"))
        whole(1, LARGEST_SIDE)(width, f"{where}: width")
        whole(1, LARGEST_SIDE)(height, f"{where}: height")
        return width, height
    raise InputError(f"{rgb_path(scene_dir, im_id)}: no such file, and no camera.json has its size")
