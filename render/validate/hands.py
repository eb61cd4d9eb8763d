"""scene_hand.json of a BOP scene: checked, and the postures that its hands are drawn in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError
from render.formats.bop_records import read_records
from render.hand.file import load_hand
from render.hand.guest import HAND_ID, parse_hand, posed, scene_hand_path
from render.hand.model import HandModel
from render.scene.spec import Posture
from render.validate.fault import Faults
from render.validate.records import ImageRecord

JOINT_SLACK = 1e-4  # metres between given joints and those of the model in its posture
FIRST_MODEL = -1_000_000  # below any object's id and any prop's


class SceneHands:
    """The hands of a scene; none where there is no scene_hand.json.

    models: by a number from FIRST_MODEL down. postures: image id -> gt id -> number of the model,
    and posture. damaged: images of which not every hand could be read.
    """

    def __init__(self, scene_dir: Path, records: Mapping[int, ImageRecord], faults: Faults) -> None:
        """Report every fault of the file.

        Args:
            records: of the scene's images.
        """
        self.models: dict[int, HandModel] = {}
        self.postures: dict[int, dict[int, tuple[int, Posture]]] = {}
        self.damaged: set[int] = set()
        self._path, self._records, self._faults = scene_hand_path(scene_dir), records, faults
        self._numbers: dict[str, int] = {}
        if not self._path.is_file():
            return
        self.damaged.update(records)
        with faults.caught(self._path):
            listed = read_records(self._path)
            self.damaged.clear()
            for im_id, of_image in listed.items():
                self._read_image(im_id, of_image)

    def of_unknown_posture(self, im_id: int, obj_ids: Sequence[int | None]) -> set[int]:
        """Gt ids of an image's hands of which a damaged record may speak."""
        if im_id not in self.damaged:
            return set()
        known = self.postures.get(im_id, {})
        return {i for i, obj_id in enumerate(obj_ids) if obj_id == HAND_ID and i not in known}

    def _read_image(self, im_id: int, of_image: Any) -> None:
        self.damaged.add(im_id)
        with self._faults.caught(self._path):
            if not isinstance(of_image, list):
                raise InputError(f"image {im_id}: expected a list of hands, got {of_image!r}")
            for i, record in enumerate(of_image):
                self._read_hand(im_id, record, f"image {im_id}, hand {i}")
            self.damaged.remove(im_id)

    def _read_hand(self, im_id: int, record: Any, where: str) -> None:
        if not isinstance(record, dict) or not isinstance(record.get("model"), str):
            raise InputError(f"{where}: expected an object with the name of a model")
        source = record["model"]
        if source not in self._numbers:
            self.models[FIRST_MODEL - len(self._numbers)] = load_hand(source)
            self._numbers[source] = FIRST_MODEL - len(self._numbers)
        number = self._numbers[source]
        gt_id, posture, joints = parse_hand(record, self.models[number], where)
        self.postures.setdefault(im_id, {})[gt_id] = number, posture

        cam_from_hand = self._pose(im_id, gt_id, where)
        if cam_from_hand is None:
            return
        expected = posed(self.models[number], cam_from_hand, posture)
        off = float(np.linalg.norm(joints - expected, axis=1).max())
        if off > JOINT_SLACK:
            message = f"joints_cam_mm are {1000 * off:.1f} mm off the hand at its pose"
            self._faults.add(self._path, f"image {im_id}, gt {gt_id}: {message}")

    def _pose(self, im_id: int, gt_id: int, where: str) -> np.ndarray | None:
        """cam_from_hand of an annotation; None where its own record is damaged."""
        instances = self._records[im_id].instances if im_id in self._records else ()
        if instances is None:
            return None
        if not 0 <= gt_id < len(instances):
            raise InputError(f"{where}: scene_gt.json has no gt {gt_id} in this image")
        return instances[gt_id].cam_from_obj
