"""One scene of a BOP dataset: its JSON files, images and objects, against one another."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from render.camera import Camera
from render.distortion import farthest_ray, reach
from render.frame import Frame
from render.validate.beside import Beside
from render.validate.dataset import SeenObjects, check_finite
from render.validate.fault import Faults
from render.validate.film import Film
from render.validate.frame import FrameCheck
from render.validate.hands import SceneHands
from render.validate.models import Models, PoseDrawer
from render.validate.pixels import READERS, Slack, image_paths, read_pixels
from render.validate.records import ImageRecord, check_records
from render.validate.surface import check_nocs, check_normals
from render.validate.tables import check_pairs, check_tables, read_tables

KINDS, INFO = tuple(READERS), "scene_gt_info.json"
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def present_kinds(scene_dirs: Sequence[Path]) -> list[str]:
    """What any of the scenes has of KINDS and INFO; gray counts only where there is no rgb."""
    kinds = [k for k in (*KINDS, INFO) if any((path / k).exists() for path in scene_dirs)]
    return [kind for kind in kinds if kind != "gray" or "rgb" not in kinds]


def image_files(folder: Path) -> set[Path]:
    """The images in a folder, none if there is no folder; hidden files are left out."""
    files = folder.iterdir() if folder.is_dir() else ()
    return {f for f in files if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")}


@dataclass(frozen=True, eq=False)
class SceneCheck:
    """A scene folder under check.

    present: what of KINDS and INFO its split has. sensor_size: (width, height) of camera.json.
    """

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
        tables, beside = read_tables(self.folder, self.faults), Beside(self.folder, self.faults)
        film = Film(self.slack.film)
        for im_id, record in records.items():
            instances, postures = record.instances or (), hands.postures.get(im_id, {})
            paths = image_paths(self.folder, im_id, len(instances), self.present)
            pixels = read_pixels(paths, len(instances), self.sensor_size, self.faults)
            camera = self._camera(im_id, record.camera, pixels.size)
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
                check_pairs(self.folder, im_id, drawn, self.faults)
            frame.run({i: mesh for i, mesh in self.models.meshes.items() if i not in bent})
            check_normals(frame, [None if drawn is None else drawn.normals for drawn in frames])
            if record.instances is not None:
                check_nocs(frame, self.models.box)
                beside.check(frame, self.models.box)
            film.check(frame, record.cam_from_world)
        film.end()

    def _camera(
        self, im_id: int, camera: Camera | None, size: tuple[int, int] | None
    ) -> Camera | None:
        """The camera of an image of a size; None, and a fault, if its lens is none."""
        if camera is None or size is None:
            return None
        camera, lens = replace(camera, width=size[0], height=size[1]), camera.distortion
        if lens is not None and not reach(lens) >= farthest_ray(camera.K, size, lens):
            message = f"image {im_id}: cam_dist {list(lens)} folds within the image"
            self.faults.add(self.folder / "scene_camera.json", message)
            return None
        return camera

    def _check_strays(self, records: dict[int, ImageRecord]) -> None:
        """Report images that no record speaks of, unless a damaged one may."""
        expected: set[Path] = set()
        for im_id, record in records.items():
            paths = image_paths(self.folder, im_id, len(record.instances or ()), self.present)
            expected |= {path for some in paths.values() for path in some}
        damaged = {f"{im_id:06d}" for im_id, r in records.items() if r.instances is None}
        for kind in self.present if records else ():
            for path in sorted(image_files(self.folder / kind) - expected):
                if path.stem.split("_")[0] not in damaged:
                    self.faults.add(path, "the scene's JSON files have no such image or annotation")


def _named_objects(records: dict[int, ImageRecord]) -> Iterator[tuple[int, int, int]]:
    """(image id, gt id, object id) of every annotation."""
    for im_id, record in records.items():
        for gt_id, instance in enumerate(record.instances or ()):
            if instance.obj_id is not None:
                yield im_id, gt_id, instance.obj_id
