"""A frame of a rendered dataset, drawn again from what was written down of it."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2

from render import plain
from render.config import OptionError, fill
from render.dataset.folder import DISTRACTORS, RECORD, TURNED, read_record
from render.dataset.inputs import mesh_digest
from render.draw.renderer import RenderConfig, make_renderer, see
from render.errors import InputError
from render.formats.bop_records import read_records
from render.hand.file import load_hand
from render.hand.guest import HAND_ID
from render.hand.model import HandModel
from render.image_file import check_png, write_png
from render.mesh.mesh import ObjectModel, load_models
from render.plain import clipped
from render.scene.distractors import is_distractor, load_distractors
from render.scene.furnishings import all_props
from render.scene.lighting import NONE
from render.scene.randomize import SceneConfig
from render.scene.spec import SceneSpec

log = logging.getLogger(__name__)

_MADE_BY_RENDER = plain.record(
    {"render": plain.record({}, others=True)}, {"meshes": plain.dict_of(plain.text)}, others=True
)


def replay_frame(frame: Path, out: Path) -> None:
    """Draw a frame again from its scene_spec.json, the same to the last bit, and write it as PNG.

    Meshes are read from where the dataset's generation.json says that they were, as long as they
    are the same, else from the dataset's own models. The background is read from where it was.

    Args:
        frame: DATASET/SPLIT/SCENE/rgb/IIIIII.png of a dataset that `render` made; the image itself
            may be missing.

    Raises:
        InputError: it is no such frame, `out` is no PNG, or meshes or background are not where they
            were.
    """
    check_png(out)
    frame = frame.absolute()
    if frame.parent.name != "rgb" or not frame.stem.isdecimal() or len(frame.parents) < 5:
        raise InputError(f"{frame}: give a frame as DATASET/SPLIT/SCENE/rgb/IIIIII.png")
    scene_dir, root = frame.parents[1], frame.parents[3]
    made = _made_by(root / RECORD)
    specs, im_id = read_records(scene_dir / "scene_spec.json"), int(frame.stem)
    where = f"{scene_dir / 'scene_spec.json'}, image {im_id}"
    if im_id not in specs:
        raise InputError(f"{scene_dir / 'scene_spec.json'}: there is no image {im_id}")
    spec = SceneSpec.from_plain(specs[im_id], where)

    config = _config(made, root / RECORD)
    if TURNED not in made["settings"]:  # no mesh was turned, nor by versions that could not
        config = replace(config, up="z")
    obj_ids = sorted({placed.obj_id for placed in spec.objects})
    others = [i for i in obj_ids if is_distractor(i)]
    of_meshes = [i for i in obj_ids if i not in all_props() and i not in (*others, HAND_ID)]
    scene = _scene(made["settings"], root / RECORD)
    physical = scene.environment != NONE
    models = _models(root, config, of_meshes, made["settings"].get("meshes", {}), physical)
    models |= {i: prop for i, prop in all_props().items() if i in obj_ids}
    if others:
        models |= _distractors(scene, made["settings"], others, root / RECORD)
    hands = {} if config.hand is None else {HAND_ID: load_hand(config.hand)}
    _check_postures(spec, hands, where)
    with closing(make_renderer(models, config, hands)) as renderer:
        if renderer.name != made.get("renderer"):
            log.warning("drawn by %s, the dataset by %s", renderer.name, made.get("renderer"))
        try:
            (drawn,) = see(renderer, [spec])
        except (ValueError, cv2.error) as error:  # numbers that are each right, not together
            raise InputError(f"{where}: cannot be drawn ({clipped(error)})") from None
    if drawn.rgb is None:
        raise ValueError("a renderer drew no colour")
    write_png(out, drawn.rgb)


def _made_by(path: Path) -> dict[str, Any]:
    """A generation.json that `render` wrote."""
    made = read_record(path)
    if "render" not in made["settings"]:
        raise InputError(f"{path}: {path.parent} was not made by `render`")
    _MADE_BY_RENDER(made["settings"], f"{path}: settings")
    return made


def _config(made: Mapping[str, Any], path: Path) -> RenderConfig:
    try:
        return fill(RenderConfig, made["settings"]["render"], "settings.render")
    except OptionError as error:
        raise InputError(f"{path}: {error.message}") from None


def _check_postures(spec: SceneSpec, hands: Mapping[int, HandModel], where: str) -> None:
    """Raise InputError for hands that are not there, or of another kind than they are bent."""
    for placed in spec.objects:
        hand = hands.get(placed.obj_id)
        if placed.obj_id == HAND_ID and hand is None:
            raise InputError(f"{where}: shows a hand, but {RECORD} names none")
        if placed.posture is not None and (
            hand is None or len(placed.posture.shape) != hand.shape_size
        ):
            raise InputError(f"{where}: object {placed.obj_id} is not the hand that is bent so")


def _models(
    root: Path,
    config: RenderConfig,
    obj_ids: Sequence[int],
    digests: Mapping[str, str],
    physical: bool,
) -> dict[int, ObjectModel]:
    """The objects that a dataset was drawn with.

    Args:
        digests: of each, by its id as text; {} where the dataset does not tell.
        physical: in an environment.
    """
    try:
        models = load_models(config.objects, config.unit, obj_ids, config.up)
        if not digests or _differing(models, digests, physical) is None:
            return models
        reason = f"object {_differing(models, digests, physical)} is another there now"
    except InputError as error:
        reason = str(error)
    own = load_models([root / "models"], "mm", obj_ids)
    if _differing(own, digests, physical) is None:
        log.info("drawn with %s (%s)", root / "models", reason)
    else:
        log.warning(
            "drawn with %s, which are rounded to float32 millimetres or changed, so that last bits"
            " may differ, and which have no surfaces but colours (%s)",
            root / "models",
            reason,
        )
    return own


def _scene(settings: Mapping[str, Any], path: Path) -> SceneConfig:
    try:
        return fill(SceneConfig, settings.get("scene", {}), "settings.scene")
    except OptionError as error:
        raise InputError(f"{path}: {error.message}") from None


def _distractors(
    scene: SceneConfig, settings: Mapping[str, Any], ids: Sequence[int], path: Path
) -> dict[int, ObjectModel]:
    """The meshes of scene.distractors that stand in a frame, from where they were."""
    digests = plain.dict_of(plain.text)(settings.get(DISTRACTORS, {}), f"{path}: {DISTRACTORS}")
    found = load_distractors(scene.distractors, ())
    missing = [i for i in ids if i not in found]
    there = {i: found[i] for i in ids if i in found}
    differing = _differing(there, digests, scene.environment != NONE)
    if missing or differing is not None:
        raise InputError(
            f"{path}: a mesh of scene.distractors ({', '.join(scene.distractors)}) is not there any"
            " more, or another one; a frame is drawn again from the same meshes"
        )
    return {i: found[i] for i in ids}


def _differing(
    models: Mapping[int, ObjectModel], digests: Mapping[str, str], physical: bool
) -> int | None:
    """The first object that is not what its digest says."""
    found = {i: mesh_digest(model, physical) for i, model in models.items()}
    return next((i for i in models if found[i] != digests.get(str(i))), None)
