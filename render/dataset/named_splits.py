"""The splits of a dataset that is made: their names, and which frames each of them has."""

from render.draw.renderer import VAL, RenderConfig
from render.errors import InputError
from render.formats.coco_split import FOLDER
from render.scene.randomize import SceneConfig
from render.scene.stereo import right_split
from render.scene.surroundings import SETTLED, has_path

TAKEN = "models", FOLDER  # what else stands in a dataset's folder


def splits_of(config: RenderConfig, ranges: SceneConfig) -> dict[str, tuple[int, int, float]]:
    """Name of each split -> its first frame id, how many frames it has, and their baseline."""
    splits = {}
    for split, part in config.parts.items():
        splits[split] = (*part, 0.0)
        if ranges.baseline:
            splits[right_split(split)] = (*part, ranges.baseline)
    return splits


def check_splits(config: RenderConfig, scene: SceneConfig) -> None:
    """Raise InputError for a split that is no folder of its own; for a split val that is none, or
    there is twice, or shows scenes of the other; for scenes that are no films; and for flow without
    films."""
    if not _is_free(config.split):
        raise InputError(
            f"render.split: {config.split!r} is no name of a folder for scenes; give one such as"
            f" train, without / and not {' or '.join(TAKEN)}"
        )
    if scene.baseline and scene.layout == "crop":
        raise InputError(
            "scene.baseline: a crop is cut around its object for one camera; leave it, or use"
            " another scene.layout"
        )
    if scene.baseline and {right_split(split) for split in config.parts} & set(config.parts):
        raise InputError(
            f"scene.baseline: render.split={config.split} is the right cameras' of another split;"
            " give another name"
        )
    if has_path(scene) and (scene.cameras < 2 or config.frames_per_scene != scene.cameras):
        raise InputError(
            f"scene.path: each scene folder is a film of two frames or more; scene.cameras is"
            f" {scene.cameras}, render.frames_per_scene {config.frames_per_scene}; make them equal"
        )
    if config.flow and not has_path(scene):
        raise InputError(
            "render.flow: there is flow in films only; set scene.layout=pile or bin, and scene.path"
        )
    if config.val and len(config.parts) < 2:
        fault = f"{config.val:g} of {config.frames} frames is none; give more of them"
        if config.split == VAL:
            fault = f"render.split is {VAL}, too; give that another name"
        raise InputError(f"render.val: {fault}")
    rest = config.parts[config.split][1]
    if config.val and scene.layout in SETTLED and rest % scene.cameras:
        raise InputError(
            f"render.val: {rest} of {config.frames} frames would be in {config.split}, no multiple"
            f" of scene.cameras = {scene.cameras}, so that both splits would show one scene; give"
            " other numbers"
        )


def _is_free(name: str) -> bool:
    """Whether it is the name of a folder in a dataset that nothing else has, and all can see."""
    return bool(name) and not name.startswith(".") and "/" not in name and name not in TAKEN
