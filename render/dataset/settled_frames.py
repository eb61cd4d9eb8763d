"""Which frames of a dataset show the same settled scene: on both sides of a split, they would tell
the one side of the other."""

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

from render.config import OptionError, fill
from render.dataset.folder import RECORD, read_record
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.split_file import ImageKey
from render.scene.randomize import SceneConfig
from render.scene.surroundings import SETTLED


def shared_scenes(root: Path) -> Callable[[ImageKey], Hashable] | None:
    """What tells for each (scene id, image id) of a dataset which settled scene it shows; None
    where no two frames share one, as in every dataset that `render` did not make.

    Twins show what the frames show that they are made of.

    Raises:
        InputError: the dataset's generation.json is damaged.
    """
    settings = _settings(root)
    if "pair" in settings and isinstance(settings.get("dataset"), str):
        settings = _settings(Path(settings["dataset"]))
    scene = settings.get("scene")
    if not (isinstance(scene, Mapping) and scene.get("layout") in SETTLED and "render" in settings):
        return None
    try:
        cameras = fill(SceneConfig, scene, "settings.scene").cameras
        each = fill(RenderConfig, settings["render"], "settings.render").frames_per_scene
    except OptionError as error:
        raise InputError(f"{root / RECORD}: {error.message}") from None
    if cameras == 1:
        return None
    # Every split begins with a scene of its own, so that it need not be known where it does.
    return lambda key: (key[0] * each + key[1]) // cameras


def _settings(root: Path) -> Mapping[str, Any]:
    return read_record(root / RECORD)["settings"] if (root / RECORD).is_file() else {}
