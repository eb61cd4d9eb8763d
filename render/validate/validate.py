"""A dataset on disk, in any layout that `render` writes -> every fault in it, by file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from render.config import fill
from render.errors import InputError
from render.formats.bop_records import EACH, numbers, parse_integer
from render.formats.lens_record import refuse_distortion
from render.formats.splits import BOP, NYU, find_splits, scene_dirs, shard_files
from render.json_file import read_json
from render.scene.randomize import SceneConfig
from render.scene.stereo import right_split
from render.scene.surroundings import has_path
from render.sensor.config import SensorConfig
from render.validate.dataset import SeenObjects, check_finite
from render.validate.fault import Fault, Faults
from render.validate.models import Models
from render.validate.nyu import check_nyu, survey_nyu
from render.validate.pixels import OTHERS, OURS, Slack
from render.validate.scene import INFO, SceneCheck, image_files, present_kinds
from render.validate.shards import check_shards, present_in_shards
from render.validate.stereo import check_stereo


def validate(root: Path, split: str | None, render: bool = True) -> list[Fault]:
    """Find every fault of a dataset in BOP's layout, of one in shards, or of NYU's hands.

    A sound one has none. What a split wholly lacks (depth, masks, scene_gt_info.json, models) is no
    fault: `survey` names it. How far values may differ is said by the constants of this package.

    Args:
        split: name of the split's folder; None checks all there are.
        render: compare masks, depth and boxes with every annotated object drawn at its pose.

    Raises:
        InputError: there is no such dataset or split, or no OpenGL to draw with.
    """
    faults, splits = Faults(), find_splits(root, split)
    for name in (name for name, kind in splits.items() if kind == NYU):
        check_nyu(root / name, faults)
    of_objects = {name: kind for name, kind in splits.items() if kind != NYU}
    if of_objects:
        _check_objects(root, of_objects, render, faults)
    return faults.found


def survey(root: Path, split: str | None, render: bool = True) -> str:
    """One line: what `validate` checks, and what there is nothing of."""
    parts, splits = [], find_splits(root, split)
    for name, kind in splits.items():
        if kind == NYU:
            parts.append(f"{name}, {survey_nyu(root / name)}")
            continue
        if kind == BOP:
            scenes = scene_dirs(root / name)
            present = present_kinds(scenes)
            files = (image_files(path / kind) for path in scenes for kind in present[:1])
            count = f"{sum(map(len, files))} images"
        else:
            shards = shard_files(root / name)
            present, images = present_in_shards(shards)
            count = f"{images} images in {len(shards)} shards"
        color = "gray" if "gray" in present else "rgb"
        wanted = (color, "depth", "mask", "mask_visib", INFO)
        absent = [f"no {kind}" for kind in wanted if kind not in present]
        parts.append(", ".join([f"{name}, {count}", *absent]))
    if set(splits.values()) - {NYU}:
        parts += [] if (root / "models").is_dir() else ["no models"]
        parts += [] if render else ["poses not drawn"]
    return f"{root}: {'; '.join(parts)}"


def _check_objects(root: Path, splits: Mapping[str, str], render: bool, faults: Faults) -> None:
    """The splits of a BOP dataset, as scenes or as shards."""
    sensor_size = _sensor_size(root / "camera.json", faults)
    slack = _slack(root / "generation.json", faults)
    models = Models(root / "models", faults)
    for folder in (root, root / "models"):
        check_finite(folder, faults)
    for name, kind in splits.items():
        seen = SeenObjects()

        def check(scene: Path, present: Sequence[str], into: Faults, seen=seen) -> None:
            SceneCheck(scene, present, sensor_size, slack, models, into).check(render, seen)

        if kind == BOP:
            scenes = scene_dirs(root / name)
            for scene in scenes:
                check(scene, present_kinds(scenes), faults)
        else:
            check_shards(root / name, check, faults)
        seen.report(root / name, faults)
    for name, kind in splits.items():
        if slack.baseline and kind == BOP and splits.get(right_split(name)) == BOP:
            check_stereo(root / name, root / right_split(name), slack.baseline, faults)


def _sensor_size(path: Path, faults: Faults) -> tuple[int, int] | None:
    """(width, height) of camera.json, if there is one that says so."""
    if path.is_file():
        with faults.caught(path):
            sensor = read_json(path)
            if sensor.get("distortion") == EACH:
                del sensor["distortion"]
            elif "distortion" in sensor:
                numbers(sensor, "distortion", 5, "")
                del sensor["distortion"]
            refuse_distortion(sensor, "")
            if "width" in sensor and "height" in sensor:
                size = parse_integer(sensor, "width", ""), parse_integer(sensor, "height", "")
                if min(size) < 1:
                    raise InputError("width and height must be positive, got {}x{}".format(*size))
                return size
    return None


def _slack(path: Path, faults: Faults) -> Slack:
    """Of a dataset made by `render` numbers are exactly its masks', depths its sensor's."""
    if not path.is_file():
        return OTHERS
    with faults.caught(path):
        settings: Any = read_json(path).get("settings")
        if not isinstance(settings, dict):
            raise InputError("has no settings")
        if "render" not in settings:
            return OTHERS
        try:
            sensor = fill(SensorConfig, settings.get("sensor", {}), "sensor")
            scene = fill(SceneConfig, settings.get("scene", {}), "scene")
            return replace(OURS, sensor=sensor, film=has_path(scene), baseline=scene.baseline)
        except (click.UsageError, TypeError, AttributeError) as error:
            raise InputError(f"settings: {error}") from None
    return OTHERS
