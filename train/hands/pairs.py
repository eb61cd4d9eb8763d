"""Annotated real frames of hands in NYU's layout -> their twins: a hand fitted to each, and drawn.

A twin is what a perfect depth camera sees of the hand model. It has the number and the joints of
its real frame, and is drawn with the camera of the labels, so that both agree to the pixel.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from render.array_file import Wanted, read_npz
from render.dataset.folder import is_begun, join_dataset
from render.dataset.missing import make_missing
from render.errors import InputError
from render.formats.nyu import EVALUATED as EVALUATED_IDS
from render.formats.nyu import write_depth
from render.formats.nyu_dataset import (
    SENSOR,
    SYNTHETIC,
    NyuSplit,
    depth_path,
    read_split,
    read_uvd,
    write_joint_data,
)
from render.formats.nyu_joints import (
    LABEL_CAMERA,
    NYU_JOINTS,
    TEST_SUBJECTS,
    lift_labels,
)
from render.hand.depth_fit import fit_to_depth
from render.hand.file import load_hand
from render.hand.fit import HandFit, fit_hands, fit_subject
from render.hand.fits import FITS, write_fits
from render.hand.model import HandModel
from render.hand.nyu_points import nyu_points
from render.hand.points import posed_points
from render.hand.subject import Subject
from render.scene.spec import Placed, Posture, SceneSpec, rows
from render.whole_file import work_area, written
from train.hands.refine import around

SHARD = 256  # frame numbers
BATCH = 16  # frames drawn at once


def pair_hands(hand: str, root: Path, split: str, out: Path, workers: int) -> str:
    """Make twins of all annotated frames of a split that have an image; what is there is kept.

    Writes OUT/SPLIT/synthdepth_1_*.png and joint_data.mat, the real frames' own joints, and
    OUT/SPLIT/fits/*.npz, see `render.hand.fits`; a file a shard, which marks that it is whole.

    Args:
        hand: as `render.hand.file.load_hand` takes it.
        root: the folder that holds train and test.
        split: "train", frames of one person, or "test", of nyu_joints.TEST_SUBJECTS.

    Returns:
        Lines that say what was made, and how well the hand fits the annotated joints.

    Raises:
        InputError: a folder, file or label is missing or malformed, the hand cannot be loaded, or
            `out` was made otherwise.
    """
    model = load_hand(hand)
    settings = {"hand": hand, "dataset": str(root)}
    is_begun(out, settings)
    people, uvd = _people(root, split)
    jobs = [job for person in people for job in _jobs(model, person, settings, out / split)]
    make_missing(_TwinMaker, jobs, "twins", workers)
    write_joint_data(out / split / "joint_data.mat", uvd[None])
    return _report(out / split, jobs, len(uvd))


@dataclass(frozen=True, eq=False)
class Measured:
    """Depth images of frames, and where in them the hand is.

    centers: (n, 3) metres, camera frame. half: metres from there, along each axis, that are kept.
    """

    split: NyuSplit
    centers: np.ndarray
    half: float

    def __getitem__(self, part: slice) -> "Measured":
        split = replace(self.split, numbers=self.split.numbers[part], uvd=self.split.uvd[part])
        return Measured(split, self.centers[part], self.half)

    def read(self) -> list[np.ndarray]:
        """(480, 640) metres each, 0 where nothing was seen or not the hand."""
        read = self.split.read_depth
        return [around(read(i), center, self.half) for i, center in enumerate(self.centers)]


def fit_and_draw(
    hand: str, subject: Subject, points_m: np.ndarray, measured: Measured, folder: Path
) -> np.ndarray:
    """Twins of frames whose joints were read by a network: FOLDER/synthdepth_1_*.png, of the hand
    that is fitted to these and to what was measured; what is there is kept.

    Args:
        hand: as `render.hand.file.load_hand` takes it. subject: the person, who is known from other
            frames, with the evaluated joints for points.
        points_m: (n, 14, 3) metres, where the evaluated joints were read, camera of the labels.
        folder: of a split, `train` of a dataset of twins.

    Returns:
        (n, 14, 3) metres, where the fitted hands have them.

    Raises:
        InputError: an image is missing or damaged, or FOLDER/.. was made of another hand or of
            other frames.
    """
    model, numbers = load_hand(hand), measured.split.numbers
    settings = {"hand": hand, "dataset": str(measured.split.folder), "frames": len(numbers)}
    is_begun(folder.parent, settings)
    jobs = []
    for first in range(0, len(numbers), SHARD):
        part = slice(first, first + SHARD)
        path = folder / FITS / f"{numbers[first]:07d}.npz"
        about = settings, path, "the person of the labelled frames", subject
        jobs.append(_Job(*about, numbers[part], points_m[part], measured[part]))
    make_missing(_TwinMaker, jobs, "twins of what was read", 1)
    wanted = {
        "pose": Wanted(("frames", len(model.joints), 3), "f"),
        "shape": Wanted((model.shape_size,), "f"),
        "cam_from_hand": Wanted(("frames", 4, 4), "f"),
    }
    found = []
    for job in jobs:
        fits = read_npz(job.path, wanted)
        shapes = np.tile(fits["shape"], (len(job.numbers), 1))
        found.append(
            posed_points(model, subject.points, fits["pose"], shapes, fits["cam_from_hand"])
        )
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class _Person:
    """One person's frames.

    name: what the user knows the person by. points_m: (n, K, 3) the annotated joints of all frames,
    metres, camera frame. joints: (K,) names. numbers: (n,) of the frames. seen: (n,) bool, which
    frames have an image.
    """

    name: str
    points_m: np.ndarray
    joints: tuple[str, ...]
    numbers: np.ndarray
    seen: np.ndarray


def _people(root: Path, split: str) -> tuple[list[_Person], np.ndarray]:
    """Those that have an image of them, and (frames, 36, 3) all labels of the split."""
    uvd, source = read_uvd(root / split)
    numbers = np.arange(1, len(uvd) + 1)
    seen = np.array([depth_path(root / split, SENSOR, n).is_file() for n in numbers.tolist()])
    if not seen.any():
        raise InputError(f"{root / split}: no depth_1_*.png of any of the frames in {source}")
    read_split(root, split, SENSOR, numbers[seen].tolist())  # which refuses malformed labels

    known = np.isfinite(uvd).all(axis=2) & (uvd[..., 2] > 0)  # (frames, 36)
    annotated = known[:, EVALUATED_IDS].all(axis=1)
    people = []
    for i, frames in enumerate(TEST_SUBJECTS if split == "test" else (slice(None),), start=1):
        own = np.zeros(len(uvd), bool)
        own[frames] = annotated[frames]
        if seen[own].any():
            joints = np.flatnonzero(known[own].all(axis=0))
            points_m = lift_labels(uvd[own][:, joints])
            names = tuple(NYU_JOINTS[j] for j in joints)
            people.append(_Person(f"person {i}", points_m, names, numbers[own], seen[own]))
    return people, uvd


def _jobs(
    model: HandModel, person: _Person, settings: dict[str, Any], folder: Path
) -> Iterator["_Job"]:
    """The shards of a person's frames; all frames tell of the person, image or not."""
    subject = fit_subject(model, person.points_m, nyu_points(model, person.joints))
    shards = (person.numbers - 1) // SHARD
    for shard in np.unique(shards[person.seen]):
        chosen = person.seen & (shards == shard)
        numbers = tuple(person.numbers[chosen].tolist())
        # Named alike whichever of its frames have an image.
        path = folder / FITS / f"{person.numbers[shards == shard][0]:07d}.npz"
        yield _Job(settings, path, person.name, subject, numbers, person.points_m[chosen])


@dataclass(frozen=True, eq=False)
class _Job:
    """Frames of one person to make twins of.

    path: of the fits. points_m: (n, K, 3) metres, those of subject.points. measured: images that
    the hands are fitted to as well, if any.
    """

    settings: dict[str, Any]
    path: Path
    person: str
    subject: Subject
    numbers: tuple[int, ...]
    points_m: np.ndarray
    measured: Measured | None = None

    @property
    def name(self) -> str:
        return f"twins {self.numbers[0]} to {self.numbers[-1]}"

    @property
    def frames(self) -> int:
        return len(self.numbers)

    @property
    def folder(self) -> Path:
        return self.path.parents[1]

    def is_made(self) -> bool:
        """Whether it is there, of just these frames: more may have an image by now."""
        if not self.path.is_file():
            return False
        try:
            fits = read_npz(self.path, {"numbers": Wanted(("frames",), "iu")})
        except InputError:  # cut off, by a full disk for instance: it is made again
            return False
        return np.array_equal(fits["numbers"], self.numbers)


class _TwinMaker:
    """Holds the hand and the OpenGL context while twins are made."""

    def __init__(self, job: _Job) -> None:
        from render.draw.rasterizer import Rasterizer

        self.model = load_hand(job.settings["hand"])
        self.rasterizer = Rasterizer({1: self.model})
        join_dataset(job.folder.parent, job.settings, self.rasterizer.name)

    def close(self) -> None:
        """Free the OpenGL context."""
        self.rasterizer.close()

    def make(self, job: _Job) -> None:
        """Fit and draw, whole or not at all."""
        fit = fit_hands(self.model, job.points_m, job.subject.points, job.subject)
        if job.measured is not None:
            depths = job.measured.read()
            known = self.model, job.subject, fit, job.points_m
            fit = fit_to_depth(*known, depths, LABEL_CAMERA)
        job.path.parent.mkdir(parents=True, exist_ok=True)
        with written(job.folder), work_area(job.folder) as area:
            for number, depth in zip(job.numbers, self._draw(fit), strict=True):
                write_depth(depth_path(area, SYNTHETIC, number), depth)
            for number in job.numbers:
                drawn = depth_path(area, SYNTHETIC, number)
                drawn.replace(job.folder / drawn.name)
        write_fits(job.path, job.numbers, fit, self.model)

    def _draw(self, fit: HandFit) -> Iterator[np.ndarray]:
        """(480, 640) metres, the depth of each fitted hand."""
        K, size = rows(LABEL_CAMERA.K), LABEL_CAMERA.size
        specs = [
            SceneSpec(K, size, (Placed(1, rows(at), posture=Posture.of(pose, fit.shape)),))
            for at, pose in zip(fit.cam_from_hand, fit.pose, strict=True)
        ]
        for first in range(0, len(specs), BATCH):
            for frame in self.rasterizer.render(specs[first : first + BATCH]):
                assert frame.depth is not None  # what is rendered always has one
                yield frame.depth


def _report(folder: Path, jobs: Sequence[_Job], annotated: int) -> str:
    """What was made, and a line a person on how well the hand fits."""
    count = sum(len(job.numbers) for job in jobs)
    of_all = "" if count == annotated else f" of the {annotated} annotated frames: those with image"
    lines = [f"{folder}: {count} twins{of_all}"]
    for person in dict.fromkeys(job.person for job in jobs):
        parts = []
        for job in jobs:
            if job.person == person:
                wanted = Wanted(("frames", "joints"), "f")
                parts.append(read_npz(job.path, {"residual_mm": wanted})["residual_mm"])
        residual_mm = np.concatenate(parts)  # (n, K)
        lines.append(
            f"{person}: {len(residual_mm)} frames, {residual_mm.shape[1]} joints each; joint"
            f" residual median {np.median(residual_mm):.2f} mm, mean {residual_mm.mean():.2f} mm;"
            f" 95 % of frames below {np.percentile(residual_mm.mean(axis=1), 95):.2f} mm on average"
        )
    return "\n".join(lines)
