"""A frame of a rendered dataset, drawn again from what was written down of it."""

import json
import logging
from contextlib import closing
from pathlib import Path

from render.config import fill
from render.draw.renderer import RenderConfig, make_renderer, see
from render.errors import InputError
from render.formats.bop_records import read_records
from render.hand.file import load_hand
from render.hand.guest import HAND_ID
from render.image_file import write_png
from render.json_file import read_json
from render.mesh.mesh import load_models
from render.scene.props import props
from render.scene.spec import SceneSpec

log = logging.getLogger(__name__)


def replay_frame(frame: Path, out: Path) -> None:
    """Draw a frame again from its scene_spec.json, the same to the last bit, and write it as PNG.

    Meshes and backgrounds are read from where the dataset's generation.json and the spec say that
    they were.

    Args:
        frame: DATASET/SPLIT/SCENE/rgb/IIIIII.png of a dataset that `render` made; the image itself
            may be missing.

    Raises:
        InputError: it is no such frame, or meshes or background are not where they were.
    """
    frame = frame.absolute()
    if frame.parent.name != "rgb" or not frame.stem.isdecimal() or len(frame.parents) < 5:
        raise InputError(f"{frame}: give a frame as DATASET/SPLIT/SCENE/rgb/IIIIII.png")
    scene_dir, root = frame.parents[1], frame.parents[3]
    record = read_json(root / "generation.json")
    settings = record.get("settings", {}).get("render")
    if settings is None:
        raise InputError(f"{root / 'generation.json'}: {root} was not made by `render`")
    specs, im_id = read_records(scene_dir / "scene_spec.json"), int(frame.stem)
    if im_id not in specs:
        raise InputError(f"{scene_dir / 'scene_spec.json'}: there is no image {im_id}")
    spec = SceneSpec.from_json(json.dumps(specs[im_id]))

    config = fill(RenderConfig, settings, str(root / "generation.json"))
    obj_ids = sorted({placed.obj_id for placed in spec.objects})
    of_meshes = [i for i in obj_ids if i not in props() and i != HAND_ID]
    models = load_models(config.objects, config.unit, of_meshes)
    models |= {i: prop for i, prop in props().items() if i in obj_ids}
    hands = {} if config.hand is None else {HAND_ID: load_hand(config.hand)}
    with closing(make_renderer(models, config, hands)) as renderer:
        if renderer.name != record.get("renderer"):
            log.warning("drawn by %s, the dataset by %s", renderer.name, record.get("renderer"))
        (drawn,) = see(renderer, [spec])
    if drawn.rgb is None:
        raise ValueError("a renderer drew no colour")
    write_png(out, drawn.rgb)
