"""Joints that a network read, moved to what the depth image shows: of the hand of a known person.

The person's hand is fitted to the labelled frames, as twins are; a network reads one small crop, in
which a finger is a few pixels wide, and has never been told that bones keep their lengths.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from render.array_file import Wanted, read_npz
from render.errors import InputError
from render.formats.nyu import joints_from_uvd, uvd_from_joints
from render.formats.nyu_dataset import NyuSplit
from render.formats.nyu_joints import EVALUATED, LABEL_CAMERA, NYU_JOINTS, label_uvd, lift_labels
from render.hand.depth_fit import fit_to_depth
from render.hand.file import load_hand
from render.hand.fit import fit_hands, fit_subject
from render.hand.model import HandModel, hand_digest
from render.hand.nyu_points import nyu_points
from render.hand.points import BonePoints, posed_points
from render.hand.solve import Prior
from render.hand.subject import Subject
from render.whole_file import whole_file

REFINER = "refiner.npz"  # in the folder of a run, beside its networks
CHUNK = 128  # frames at once
K, D = len(EVALUATED), "angles"
ARRAYS = {
    "hand": Wanted((), "U"),
    "digest": Wanted((), "U"),
    "half": Wanted((), "f"),
    "shape": Wanted(("coefficients",), "f"),
    "bones": Wanted((K,), "i"),
    "places": Wanted((K, 3), "f"),
    "directions": Wanted((K, 3, "coefficients"), "f"),
    "loose": Wanted((K,), "f"),
    "mean": Wanted((D,), "f"),
    "precision": Wanted((D, D), "f"),
}


@dataclass(frozen=True, eq=False)
class HandRefiner:
    """Refines the joints of one person.

    hand: what `load_hand` takes, model: what it gives. half: metres along each axis from where a
    hand is looked for, within which it is.
    """

    hand: str
    model: HandModel
    subject: Subject
    half: float

    def refine(
        self, joints: np.ndarray, centers: np.ndarray, read_depth: Callable[[int], np.ndarray]
    ) -> np.ndarray:
        """(n, 14, 3) joints, metres in the camera frame, where the images have them.

        Args:
            joints: as they were read. centers: (n, 3), where the hands were looked for.
            read_depth: gives the i-th image, (480, 640) metres.
        """
        refined = np.empty_like(joints)
        for first in range(0, len(joints), CHUNK):
            part = slice(first, first + CHUNK)
            seen = [
                around(read_depth(i), center, self.half)
                for i, center in enumerate(centers[part], first)
            ]
            points_m, points = lift_labels(uvd_from_joints(joints[part])), self.subject.points
            fit = fit_hands(self.model, points_m, points, self.subject)
            fit = fit_to_depth(self.model, self.subject, fit, points_m, seen, LABEL_CAMERA)
            shapes = np.tile(fit.shape, (len(fit.pose), 1))
            found = posed_points(self.model, points, fit.pose, shapes, fit.cam_from_hand)
            refined[part] = camera_joints(found)
        return refined


def around(depth: np.ndarray, center: np.ndarray, half: float) -> np.ndarray:
    """An image (480, 640) without all that is farther than `half` from a place, along an axis."""
    reach = half * np.diag(LABEL_CAMERA.K)[:2] / center[2]
    low, high = (LABEL_CAMERA.project(center) + sign * reach for sign in (-1, 1))
    (left, top), (right, bottom) = np.clip([low, high], 0, LABEL_CAMERA.size).astype(int)
    kept = np.zeros_like(depth)
    kept[top:bottom, left:right] = depth[top:bottom, left:right]
    kept[np.abs(kept - center[2]) > half] = 0
    return kept


def camera_joints(points_m: np.ndarray) -> np.ndarray:
    """(..., 3) metres before the camera of the labels -> before nyu.CAMERA, at the same pixels."""
    return joints_from_uvd(label_uvd(points_m))


def learn_person(hand: str, labelled: NyuSplit) -> Subject:
    """The person of labelled frames, and where on the hand's bones the evaluated joints sit."""
    uvd = labelled.uvd
    known = np.flatnonzero((np.isfinite(uvd).all(axis=2) & (uvd[..., 2] > 0)).all(axis=0))
    names = tuple(NYU_JOINTS[j] for j in known)
    model = load_hand(hand)
    person = fit_subject(model, lift_labels(uvd[:, known]), nyu_points(model, names))
    return Subject(person.shape, person.points.subset(EVALUATED), person.prior)


def leave_refiner(refiner: HandRefiner | None, folder: Path) -> None:
    """Write what a refiner knows; or see that no older one is there."""
    if refiner is None:
        (folder / REFINER).unlink(missing_ok=True)
        return
    person = refiner.subject
    with whole_file(folder / REFINER) as partial, partial.open("wb") as file:
        np.savez(
            file,
            hand=np.array(refiner.hand),
            digest=np.array(hand_digest(refiner.model)),
            half=np.float64(refiner.half),
            shape=person.shape,
            bones=person.points.bones.astype(np.int64),
            places=person.points.places,
            directions=person.points.directions,
            loose=person.points.loose,
            mean=person.prior.mean,
            precision=person.prior.precision,
        )


def read_refiner(folder: Path) -> HandRefiner | None:
    """What `leave_refiner` left in a folder; None where it left nothing.

    Raises:
        InputError: it is damaged, or the hand that it is of is not there or another one.
    """
    path = folder / REFINER
    if not path.is_file():
        return None
    found = read_npz(path, ARRAYS)
    hand = str(found["hand"])
    model = load_hand(hand)
    if hand_digest(model) != str(found["digest"]) or model.shape_size != len(found["shape"]):
        raise InputError(f"{path}: is of another hand than {hand} is now; run the same again")
    bones = found["bones"].astype(int)
    if bones.min() < 0 or bones.max() >= len(model.joints) or not found["half"] > 0:
        raise InputError(f"{path}: bones must be of the hand's, and half above 0")
    points = BonePoints(EVALUATED, bones, found["places"], found["directions"], found["loose"])
    subject = Subject(found["shape"], points, Prior(found["mean"], found["precision"]))
    return HandRefiner(hand, model, subject, float(found["half"]))
