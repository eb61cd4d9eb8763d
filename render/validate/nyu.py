"""A split of NYU's hands: joints and images, against one another."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from render.config import fill
from render.errors import InputError
from render.formats.nyu import (
    CAMERA,
    EVALUATED,
    JOINTS,
    LARGEST,
    read_depth,
    read_joints,
    xyz_from_uvd,
)
from render.formats.nyu_dataset import (
    LABELS,
    SENSOR,
    SYNTHETIC,
    depth_path,
    read_joint_data,
    read_uvd,
)
from render.formats.splits import frame_numbers
from render.json_file import read_json
from render.sensor.config import SensorConfig, depth_spread
from render.validate.fault import Faults

XYZ_SLACK_MM, XYZ_SLACK_SHARE = 1.0, 0.005  # labels have another focal length than CAMERA
UVD_SLACK = 0.01  # of labels as text, which has three decimals; float32 has fewer
# A joint lies in the flesh: what is drawn near its pixel begins before it, and is the hand.
AROUND, BEFORE_MM = 2, 10  # pixels, millimetres
MOST_OFF_JOINTS = 0.5  # share of a frame's, where the hand was fitted to labels
HAND_SLACK = 0.02  # metres, beside what the sensor's noise is
MOST_BEHIND = 0.5  # share of the hand's pixels where a sensor may see nothing but what is behind


def check_nyu(folder: Path, faults: Faults) -> None:
    """Report every fault of a split."""
    for path in sorted(folder.glob(".joints_*.npy")):
        faults.add(path, "joints of a part: the split is not finished; run its command again")
    sensor = _sensor(folder / "generation.json", faults)
    numbers = {stream: set(frame_numbers(folder, stream)) for stream in (SENSOR, SYNTHETIC)}
    uvd = _read_uvd(folder, faults)
    if uvd is not None:
        _check_xyz(folder, faults)
        for stream, there in numbers.items():
            _check_numbers(folder, stream, there, len(uvd), sensor is not None, faults)
    for number in sorted(set().union(*numbers.values())):
        depths = {
            stream: _read_depth(depth_path(folder, stream, number), faults)
            for stream, there in numbers.items()
            if number in there
        }
        if uvd is not None and 1 <= number <= len(uvd):
            _check_frame(folder, number, uvd[number - 1], depths, sensor, faults)


def _read_uvd(folder: Path, faults: Faults) -> np.ndarray | None:
    """All joints of a split, checked; None if they cannot be read."""
    path, labels = folder / "joint_data.mat", folder.parent / LABELS
    as_text = folder.name == "test" and not path.is_file() and labels.is_file()
    source = labels if as_text else path
    with faults.caught(source):
        uvd, _ = read_uvd(folder)
        _check_joints(uvd, source, faults)
        return uvd
    return None


def survey_nyu(folder: Path) -> str:
    """What there is in a split, and what there is nothing of."""
    numbers = {stream: set(frame_numbers(folder, stream)) for stream in (SENSOR, SYNTHETIC)}
    count = len(set().union(*numbers.values()))
    absent = [f"no {stream} images" for stream, there in numbers.items() if not there]
    return ", ".join([f"{count} frames of hands", *absent])


def _sensor(path: Path, faults: Faults) -> SensorConfig | None:
    """What a split that `render` made was seen with; None of another."""
    if not path.is_file():
        return None
    with faults.caught(path):
        settings = read_json(path).get("settings")
        if not isinstance(settings, dict):
            raise InputError("has no settings")
        if "render" not in settings:
            return None
        try:
            return fill(SensorConfig, settings.get("sensor", {}), "sensor")
        except (click.UsageError, TypeError, AttributeError) as error:
            raise InputError(f"settings: {error}") from None
    return None


def _check_joints(uvd: np.ndarray, source: Path, faults: Faults) -> None:
    """Of each frame the evaluated joints are known, and before the camera."""
    seen = uvd[:, EVALUATED]
    wrong = ~((np.abs(seen) < LARGEST).all(axis=-1) & (seen[..., 2] > 0))  # so that NaN is wrong
    for i in np.flatnonzero(wrong.any(axis=1)):
        j = int(np.argmax(wrong[i]))
        got = seen[i, j].tolist()
        message = f"{JOINTS[j]} must be a finite u v d below 1e6 with d above 0, got {got}"
        faults.add(source, f"frame {i + 1}: {message}")


def _check_xyz(folder: Path, faults: Faults) -> None:
    """joint_xyz against joint_uvd, and both against the labels as text."""
    path, labels = folder / "joint_data.mat", folder.parent / LABELS
    if not path.is_file():
        return
    (uvd, *_), (xyz, *_) = read_joint_data(path)
    off = np.abs(xyz - xyz_from_uvd(uvd)).max(axis=-1)
    allowed = XYZ_SLACK_MM + XYZ_SLACK_SHARE * np.abs(xyz).max(axis=-1)
    known = np.isfinite(uvd).all(axis=-1)
    wrong = known & ~(off <= allowed)
    for i in np.flatnonzero(wrong.any(axis=1)):
        worst = float(np.max(off[i][wrong[i]]))
        faults.add(path, f"frame {i + 1}: joint_xyz is up to {worst:.3g} mm off joint_uvd")
    if folder.name == "test" and labels.is_file():
        with faults.caught(labels):
            text = read_joints(labels)
            if len(text) != len(uvd):
                raise InputError(f"has {len(text)} frames, {path.name} {len(uvd)}")
            apart = np.abs(text - uvd[:, EVALUATED]).max(axis=(1, 2))
            for i in np.flatnonzero(apart > UVD_SLACK):
                faults.add(labels, f"line {i + 1}: differs from {path.name} by {apart[i]:.3g}")


def _check_numbers(
    folder: Path, stream: str, there: set[int], count: int, ours: bool, faults: Faults
) -> None:
    """Report frames without an image of a stream, and images without joints.

    Args:
        ours: each missing image is a fault; of others', of which one may keep a part, they are one.
    """
    for number in sorted(there - set(range(1, count + 1))):
        message = f"there are joints of {count} frames only, numbered from 1"
        faults.add(depth_path(folder, stream, number), message)
    missing = sorted(set(range(1, count + 1)) - there) if there else []
    if ours or len(missing) == 1:
        for number in missing:
            faults.add(depth_path(folder, stream, number), "no such file, but there are joints")
    elif missing:
        message = f"no such file, nor of {len(missing) - 1} more of the {count} frames with joints"
        faults.add(depth_path(folder, stream, missing[0]), message)


def _read_depth(path: Path, faults: Faults) -> np.ndarray | None:
    with faults.caught(path):
        depth = read_depth(path)
        if depth.shape[::-1] != CAMERA.size:
            size = "x".join(map(str, depth.shape[::-1]))
            raise InputError(f"NYU's images are 640x480, this one is {size}")
        if not depth.any():
            raise InputError("no depth in any pixel")
        return depth
    return None


def _check_frame(
    folder: Path,
    number: int,
    uvd: np.ndarray,
    depths: Mapping[str, np.ndarray | None],
    sensor: SensorConfig | None,
    faults: Faults,
) -> None:
    """The drawn hand against the joints, and what the sensor sees against the drawn hand."""
    drawn, seen = depths.get(SYNTHETIC), depths.get(SENSOR)
    if drawn is None:
        return
    path = depth_path(folder, SYNTHETIC, number)
    off = _joints_beside(drawn, uvd)
    few = 0 if sensor is not None else MOST_OFF_JOINTS * len(EVALUATED)
    if len(off) > few:
        names = ", ".join(off[:3]) + (", ..." if len(off) > 3 else "")
        faults.add(path, f"the hand is not where {len(off)} of its joints are: {names}")
    elif seen is not None and sensor is not None:
        hand = drawn > 0
        allowed = HAND_SLACK + depth_spread(sensor, drawn[hand])
        behind = float(np.mean(seen[hand] > drawn[hand] + allowed))
        if behind > MOST_BEHIND:
            message = f"{100 * behind:.0f} % of the hand, as {path.name} has it, is not there"
            faults.add(depth_path(folder, SENSOR, number), message)


def _joints_beside(drawn: np.ndarray, uvd: np.ndarray) -> Sequence[str]:
    """Names of the evaluated joints within the image at which no hand is drawn before them."""
    height, width = drawn.shape
    off = []
    for name, (u, v, d) in zip(JOINTS, uvd[list(EVALUATED)], strict=True):
        if not (0 <= u <= width - 1 and 0 <= v <= height - 1 and d > 0):
            continue
        column, row = round(u), round(v)
        near = drawn[
            max(row - AROUND, 0) : row + AROUND + 1, max(column - AROUND, 0) : column + AROUND + 1
        ]
        if not ((near > 0) & (1000 * near < d + BEFORE_MM)).any():
            off.append(name)
    return off
