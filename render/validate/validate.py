"""A BOP dataset on disk -> every fault in it, by file."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from render.camera import Camera
from render.config import fill
from render.errors import InputError
from render.formats.bop_records import parse_integer, refuse_distortion
from render.frame import Frame
from render.json_file import read_json
from render.sensor.config import SensorConfig
from render.validate.dataset import SeenObjects, check_finite
from render.validate.fault import Fault, Faults
from render.validate.frame import FrameCheck
from render.validate.hands import SceneHands
from render.validate.models import Models, PoseDrawer
from render.validate.pixels import OTHERS, OURS, Slack, image_paths, read_pixels
from render.validate.records import ImageRecord, check_records
from render.validate.surface import check_nocs, check_normals
from render.validate.tables import check_tables, read_tables

KINDS = ("rgb", "gray", "depth", "mask", "mask_visib", "normals", "nocs")
INFO = "scene_gt_info.json"
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def validate(root: Path, split: str | None, render: bool = True) -> list[Fault]:
    """Find every fault of a BOP dataset; a sound one has none.

    What a split wholly lacks (depth, masks, scene_gt_info.json, models) is no fault: `survey` names
    it. How far values may differ is said by the constants of the validate_*.py files.

    Args:
        split: name of the split's folder; None checks all there are.
        render: compare masks, depth and boxes with every annotated object drawn at its pose.

    Raises:
        InputError: there is no such dataset or split, or no OpenGL to draw with.
    """
    faults = Faults()
    sensor_size = _sensor_size(root / "camera.json", faults)
    slack = _slack(root)
    models = Models(root / "models", faults)
    for folder in (root, root / "models"):
        check_finite(folder, faults)
    for scene_dirs in _splits(root, split).values():
        present, seen = _present(scene_dirs), SeenObjects()
        for scene_dir in scene_dirs:
            _Scene(scene_dir, present, sensor_size, slack, models, faults).check(render, seen)
        seen.report(scene_dirs[0].parent, faults)
    return faults.found


def survey(root: Path, split: str | None, render: bool = True) -> str:
    """One line: what `validate` checks, and what there is nothing of."""
    parts = []
    for name, scene_dirs in _splits(root, split).items():
        present = _present(scene_dirs)
        count = sum(len(_image_files(path / kind)) for path in scene_dirs for kind in present[:1])
        color = "gray" if "gray" in present else "rgb"
        wanted = (color, "depth", "mask", "mask_visib", INFO)
        absent = [f"no {kind}" for kind in wanted if kind not in present]
        parts.append(", ".join([f"{name}, {count} images", *absent]))
    parts += [] if (root / "models").is_dir() else ["no models"]
    parts += [] if render else ["poses not drawn"]
    return f"{root}: {'; '.join(parts)}"


def _splits(root: Path, split: str | None) -> dict[str, list[Path]]:
    """Split -> its scene folders, sorted."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    scenes: dict[str, list[Path]] = {}
    for path in sorted(root.glob("*/*")):
        if path.name.isdecimal() and path.is_dir():
            scenes.setdefault(path.parent.name, []).append(path)
    if not scenes or (split is not None and split not in scenes):
        there = f"there are {', '.join(scenes)}" if scenes else "there is none at all"
        wanted = "" if split is None else f" {split!r}"
        raise InputError(f"{root}: no split{wanted} with scene folders such as 000001; {there}")
    return scenes if split is None else {split: scenes[split]}


def _present(scene_dirs: Sequence[Path]) -> list[str]:
    """What any of the scenes has of KINDS and INFO; gray counts only where there is no rgb."""
    kinds = [k for k in (*KINDS, INFO) if any((path / k).exists() for path in scene_dirs)]
    return [kind for kind in kinds if kind != "gray" or "rgb" not in kinds]


def _image_files(folder: Path) -> set[Path]:
    """The images in a folder, none if there is no folder; hidden files are left out."""
    files = folder.iterdir() if folder.is_dir() else ()
    return {f for f in files if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")}


def _sensor_size(path: Path, faults: Faults) -> tuple[int, int] | None:
    """(width, height) of camera.json, if there is one that says so."""
    if path.is_file():
        with faults.caught(path):
            sensor = read_json(path)
            refuse_distortion(sensor, "")
            if "width" in sensor and "height" in sensor:
                size = parse_integer(sensor, "width", ""), parse_integer(sensor, "height", "")
                if min(size) < 1:
                    raise InputError("width and height must be positive, got {}x{}".format(*size))
                return size
    return None


def _slack(root: Path) -> Slack:
    """Of a dataset made by `render` numbers are exactly its masks', depths its sensor's."""
    path = root / "generation.json"
    try:
        settings = json.loads(path.read_text())["settings"]
        settings["render"]
    except (OSError, ValueError, KeyError, TypeError):
        return OTHERS
    return replace(OURS, sensor=fill(SensorConfig, settings.get("sensor", {}), str(path)))


@dataclass(frozen=True, eq=False)
class _Scene:
    """A scene folder under check; present: what of KINDS and INFO its split has."""

    folder: Path
    present: Sequence[str]
    sensor_size: tuple[int, int] | None
    slack: Slack
    models: Models
    faults: Faults

    def check(self, render: bool, seen: SeenObjects) -> None:
        """Report every fault of the scene, and count what is seen in it."""
        records = check_records(self.folder, self.present, self.faults)
        check_finite(self.folder, self.faults)
        seen.count(records)
        for im_id, gt_id, obj_id in _named_objects(records):
            if not self.models.knows(obj_id):
                message = f"obj_id {obj_id} has no {self.models.path(obj_id).name} in models"
                where = f"image {im_id}, gt {gt_id}"
                self.faults.add(self.folder / "scene_gt.json", f"{where}: {message}")
        self.models.ask({obj_id for _, _, obj_id in _named_objects(records)}, read=render)
        self._check_strays(records)

        hands = SceneHands(self.folder, records, self.faults)
        # Without masks there is nothing to compare a drawing with: `FrameCheck` projects instead.
        if render and self.models.meshes and {"mask", "mask_visib"} & set(self.present):
            normals = "normals" in self.present
            with closing(PoseDrawer(self.models.meshes, hands.models, normals)) as drawer:
                self._check_frames(records, drawer, hands)
        else:
            self._check_frames(records, None, hands)

    def _check_frames(
        self, records: dict[int, ImageRecord], drawer: PoseDrawer | None, hands: SceneHands
    ) -> None:
        tables = read_tables(self.folder)
        for im_id, record in records.items():
            instances, postures = record.instances or (), hands.postures.get(im_id, {})
            paths = image_paths(self.folder, im_id, len(instances), self.present)
            pixels = read_pixels(paths, len(instances), self.sensor_size, self.faults)
            camera = None
            if record.K is not None and pixels.size is not None:
                camera = Camera(record.K, *pixels.size)
            frames: list[Frame | None] = [None] * len(instances)
            if drawer is not None and camera is not None:
                frames = drawer.draw(camera, instances, postures)
            unknown = hands.of_unknown_posture(im_id, [a.obj_id for a in instances])
            frames = [None if i in unknown else drawn for i, drawn in enumerate(frames)]
            drawn = [None if frame is None else frame.depth for frame in frames]
            scale, slack = record.depth_scale, self.slack
            frame = FrameCheck(
                self.folder, im_id, camera, scale, instances, pixels, drawn, slack, self.faults
            )
            # A bent hand has not the box of its mesh, which is that of the rest pose.
            bent = {a.obj_id for i, a in enumerate(instances) if i in postures or i in unknown}
            if camera is not None:
                check_tables(self.folder, im_id, camera, tables, drawn, self.faults)
            frame.run({i: mesh for i, mesh in self.models.meshes.items() if i not in bent})
            check_normals(frame, [None if drawn is None else drawn.normals for drawn in frames])
            check_nocs(frame, self.models.box)

    def _check_strays(self, records: dict[int, ImageRecord]) -> None:
        """Report images that no record speaks of, unless a damaged one may."""
        expected: set[Path] = set()
        for im_id, record in records.items():
            paths = image_paths(self.folder, im_id, len(record.instances or ()), self.present)
            expected |= {path for some in paths.values() for path in some}
        damaged = {f"{im_id:06d}" for im_id, r in records.items() if r.instances is None}
        for kind in self.present if records else ():
            for path in sorted(_image_files(self.folder / kind) - expected):
                if path.stem.split("_")[0] not in damaged:
                    self.faults.add(path, "the scene's JSON files have no such image or annotation")


def _named_objects(records: dict[int, ImageRecord]) -> Iterator[tuple[int, int, int]]:
    """(image id, gt id, object id) of every annotation."""
    for im_id, record in records.items():
        for gt_id, instance in enumerate(record.instances or ()):
            if instance.obj_id is not None:
                yield im_id, gt_id, instance.obj_id
