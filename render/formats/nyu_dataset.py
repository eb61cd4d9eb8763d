"""The NYU hand dataset's folders, as published: read, and written for frames of our own.

ROOT/train and ROOT/test each hold depth_K_NNNNNNN.png, what the sensor of camera K saw,
synthdepth_K_NNNNNNN.png, a hand drawn at the annotated pose, and joint_data.mat with joint_uvd and
joint_xyz, [camera] x frames x 36 x 3. Cameras and frames are numbered from 1. Camera 1 is the one
that is evaluated; only it is read and written here.
"""

import io
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.io import savemat

from render.array_file import Wanted, read_npy
from render.errors import InputError
from render.formats.mat_file import read_mat
from render.formats.nyu import (
    CAMERA,
    EVALUATED,
    JOINTS,
    joints_from_uvd,
    read_depth,
    read_joints,
    write_depth,
    xyz_from_uvd,
)
from render.formats.nyu_joints import NYU_JOINTS
from render.whole_file import write_whole

log = logging.getLogger(__name__)

SENSOR, SYNTHETIC = "depth", "synthdepth"  # what a frame's images are called
LABELS = "nyu_test_groundtruth_label.txt"  # the 14 evaluated joints of the test frames, as text

JOINTS_OF_SHARD = Wanted(("frames", 36, 3), "f", finite=False)  # NaN where not known

# A MAT-file starts with 116 bytes of text, where scipy puts the date: other bytes at every writing.
MAT_HEADER = b"MATLAB 5.0 MAT-file, joints of hands in the layout of the NYU dataset".ljust(116)


@dataclass(frozen=True, eq=False)
class NyuSplit:
    """Frames of one split, by camera 1.

    stream: which images `read_depth` reads, SENSOR or SYNTHETIC. numbers: of the frames, from 1.
    uvd: (n, 36, 3) px, px, mm, NaN where a joint is not known; the evaluated ones always are.
    """

    folder: Path
    stream: str
    numbers: tuple[int, ...]
    uvd: np.ndarray

    @property
    def joints(self) -> np.ndarray:
        """(n, 14, 3) the evaluated joints in the order of nyu.JOINTS, metres, camera frame."""
        return joints_from_uvd(self.uvd[:, EVALUATED])

    def read_depth(self, i: int) -> np.ndarray:
        """The i-th frame's (480, 640) float32 depth in metres.

        Raises:
            InputError: the image is missing, truncated or of another size.
        """
        path = depth_path(self.folder, self.stream, self.numbers[i])
        depth = read_depth(path)
        if depth.shape[::-1] != CAMERA.size:
            width, height = depth.shape[::-1]
            raise InputError(f"{path}: NYU's images are 640x480, this one is {width}x{height}")
        return depth


@dataclass(frozen=True, eq=False)
class NyuFrame:
    """A frame to be written.

    uvd: (36, 3) joints, or the 14 evaluated (14, 3), px, px, mm; NaN where not known. Of joints in
    front of nyu.CAMERA they are `nyu.uvd_from_joints`. depth, synthdepth: (480, 640) metres; what
    is None is not written.
    """

    uvd: np.ndarray
    depth: np.ndarray | None = None
    synthdepth: np.ndarray | None = None


def read_split(
    root: Path, split: str, stream: str = SENSOR, numbers: Sequence[int] | None = None
) -> NyuSplit:
    """Find a split's frames and their joints.

    Joints come from joint_data.mat, or for a test split without one from the LABELS beside it.

    Args:
        split: "train" or "test".
        stream: SENSOR for the sensor's images, SYNTHETIC for the drawn ones.
        numbers: of the frames; None takes all that have joints, and says how many images have none.

    Raises:
        InputError: a folder, a file or a frame is missing, or the joints are malformed.
    """
    folder = root / split
    if not folder.is_dir():
        raise InputError(f"{root}: no folder {split}; NYU's holds train and test")
    uvd, source = read_uvd(folder)
    chosen = tuple(range(1, len(uvd) + 1) if numbers is None else numbers)
    unknown = [number for number in chosen if not 1 <= number <= len(uvd)]
    if unknown:
        raise InputError(f"{source}: no frame {unknown[0]}; it has frames 1 to {len(uvd)}")

    uvd = uvd[np.array(chosen, int) - 1]
    seen = uvd[:, EVALUATED]
    wrong = ~(np.isfinite(seen).all(axis=-1) & (seen[..., 2] > 0))
    if wrong.any():
        i, joint = np.argwhere(wrong)[0]
        raise InputError(
            f"{source}, frame {chosen[i]}: {JOINTS[joint]} must be a finite u v d with d above 0,"
            f" got {seen[i, joint].tolist()}"
        )
    there = {path.name for path in folder.glob(f"{stream}_1_*.png")}
    missing = [n for n in chosen if depth_path(folder, stream, n).name not in there]
    if missing:
        raise InputError(
            f"{depth_path(folder, stream, missing[0])}: no such file; {source} has joints of"
            f" {len(chosen)} frames, {len(missing)} of them without {stream} image"
        )
    if numbers is None and len(there) > len(chosen):
        _say_passed_over(folder, stream, len(there) - len(chosen), len(there), source)
    return NyuSplit(folder, stream, chosen, uvd)


@cache
def _say_passed_over(folder: Path, stream: str, unlabelled: int, count: int, source: Path) -> None:
    """Once, however often a split is read."""
    log.info(
        "%s: %d of %d %s images are passed over: %s has no joints of them",
        folder, unlabelled, count, stream, source,
    )  # fmt: skip


def read_uvd(folder: Path) -> tuple[np.ndarray, Path]:
    """All joints of a split's folder, as `NyuSplit.uvd` but unchecked, and the file they stand in.

    Raises:
        InputError: there is no such file, or it is malformed.
    """
    path, labels = folder / "joint_data.mat", folder.parent / LABELS
    if path.is_file() or folder.name != "test" or not labels.is_file():
        return read_joint_data(path)[0][0], path
    return np.stack([_spread(uvd) for uvd in read_joints(labels)]), labels


def depth_path(folder: Path, stream: str, number: int) -> Path:
    """Where camera 1's image of a frame is."""
    return folder / f"{stream}_1_{number:07d}.png"


def read_joint_data(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a joint_data.mat: joint_uvd (px, px, mm) and joint_xyz (mm, y up).

    Returns:
        Two (cameras, frames, 36, 3) float64.

    Raises:
        InputError: the file is missing, is no MAT-file of version 5 to 7, or holds something else.
    """
    of_joints = ("cameras", "frames", 36, 3)
    found = read_mat(path, {"joint_uvd": of_joints, "joint_xyz": of_joints})
    for name in ("joint_uvd", "joint_xyz"):
        if name not in found:
            raise InputError(f"{path}: holds no {name}")
    uvd, xyz = (found[name].astype(np.float64) for name in ("joint_uvd", "joint_xyz"))
    if uvd.shape != xyz.shape or 0 in uvd.shape:
        raise InputError(
            f"{path}: joint_uvd and joint_xyz must be of the same frames, at least one, got"
            f" {uvd.shape[1]} and {xyz.shape[1]} by {uvd.shape[0]} and {xyz.shape[0]} cameras"
        )
    return uvd, xyz


def write_joint_data(path: Path, uvd: np.ndarray) -> None:
    """Write a joint_data.mat, whole or not at all; the same joints give the same bytes.

    As in the published files joint_uvd holds numbers of 32 bits, and joint_xyz follows from them.
    Joints that are not known are NaN in both: a reader that wants them notices.

    Args:
        uvd: (cameras, frames, 36, 3) px, px, mm.
    """
    if uvd.ndim != 4 or uvd.shape[2:] != (36, 3):
        raise ValueError(f"uvd must be (cameras, frames, 36, 3), got {uvd.shape}")
    uvd = uvd.astype(np.float32).astype(np.float64)
    names = np.array(NYU_JOINTS, object)  # an array of objects becomes a cell array
    content = io.BytesIO()
    variables = {"joint_names": names, "joint_uvd": uvd, "joint_xyz": xyz_from_uvd(uvd)}
    savemat(content, variables, oned_as="row")
    write_whole(path, MAT_HEADER + content.getvalue()[len(MAT_HEADER) :])


def write_shard(folder: Path, first: int, frames: Iterable[NyuFrame]) -> None:
    """Write some of a split's frames, `first` and those after it; workers may write at once.

    The shard's joints come last and mark that it is whole: see `shard_path`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uvd = []
    for number, frame in enumerate(frames, start=first):
        if frame.uvd.shape not in ((36, 3), (14, 3)):
            raise ValueError(f"uvd must be (36, 3) or (14, 3), got {frame.uvd.shape}")
        uvd.append(frame.uvd if len(frame.uvd) == 36 else _spread(frame.uvd))
        for stream, depth in ((SENSOR, frame.depth), (SYNTHETIC, frame.synthdepth)):
            if depth is not None:
                if depth.shape[::-1] != CAMERA.size:
                    raise ValueError(f"{stream} must be (480, 640), got {depth.shape}")
                write_depth(depth_path(folder, stream, number), depth)
    content = io.BytesIO()
    np.save(content, np.stack(uvd))
    write_whole(shard_path(folder, first), content.getvalue())


def shard_path(folder: Path, first: int) -> Path:
    """A file that is there if the shard from frame `first` on is whole."""
    return folder / f".joints_{first:07d}.npy"


def shard_frames(folder: Path, first: int) -> int:
    """How many frames the shard from frame `first` on has; 0 where there is none."""
    try:
        return len(read_npy(shard_path(folder, first), JOINTS_OF_SHARD))
    except InputError:  # there is none, or it is just being joined with the others
        return 0


def finish_split(folder: Path, count: int) -> None:
    """Join the joints of all shards into joint_data.mat, which marks that the split is whole.

    Raises:
        InputError: a shard is damaged.
        ValueError: the shards are not those of frames 1 to `count`.
    """
    shards = sorted(folder.glob(".joints_*.npy"))
    parts = {}
    for path in shards:
        try:
            parts[int(path.stem.split("_")[1])] = read_npy(path, JOINTS_OF_SHARD)
        except InputError as error:
            advice = "delete it, and the same command makes its frames again"
            raise InputError(f"{error}; {advice}") from None
    following = 1
    for first, part in parts.items():
        if first != following:
            raise ValueError(f"{folder}: a shard begins at frame {first}, not {following}")
        following += len(part)
    if following != count + 1:
        raise ValueError(f"{folder}: shards end at frame {following - 1}, not {count}")
    write_joint_data(folder / "joint_data.mat", np.concatenate(list(parts.values()))[None])
    for path in shards:
        path.unlink(missing_ok=True)


def _spread(uvd: np.ndarray) -> np.ndarray:
    """The 14 evaluated joints at their places among 36, NaN elsewhere."""
    spread = np.full((36, 3), np.nan)
    spread[list(EVALUATED)] = uvd
    return spread
