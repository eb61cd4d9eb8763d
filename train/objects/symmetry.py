"""Which symmetries of an object count: its record's, or those that its mesh shows."""

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from render.camera import Camera
from render.dataset.inputs import mesh_digest
from render.draw.renderer import RenderConfig, make_renderer
from render.image_file import write_png
from render.mesh.mesh import ObjectModel, load_models
from render.mesh.proposed import Proposal, propose
from render.mesh.symmetry import symmetry_transforms
from render.scene.spec import Light, Placed, SceneSpec, near_plane, rows
from render.show.overlay import label, sheet
from render.transforms import rigid, rodrigues
from train.objects.data import DataConfig

log = logging.getLogger(__name__)

FILE = "symmetries.png"
KEYS = ("symmetries_discrete", "symmetries_continuous")
TILE, TURNS = 200, 4  # pixels; pictures of a round object
DIAMETERS = 3.0  # that it is seen from
_found: dict[str, Proposal] = {}


def load_object(
    data: DataConfig, root: Path, obj_id: int, folder: Path | None = None
) -> tuple[ObjectModel, dict[str, Any] | None]:
    """A dataset's object under the symmetries that count.

    Args:
        folder: where a picture of what was found in the mesh is left, if anything was.

    Returns:
        The object, and the symmetries that data.symmetry proposes of its mesh; None where it does
        not ask for that, the object's record has symmetries, or the mesh shows none.
    """
    model = load_models([root / "models"], obj_ids=[obj_id])[obj_id]
    if data.symmetry != "propose" or any(model.info.get(key) for key in KEYS):
        return with_symmetries(model, data, None), None
    digest = mesh_digest(model)
    if digest not in _found:
        _found[digest] = propose(model.mesh)
    proposal = _found[digest]
    if not proposal:
        return model, None
    if folder is not None and not (folder / FILE).exists():
        show_symmetries(model, proposal, folder)
    return with_symmetries(model, data, proposal.record), proposal.record


def with_symmetries(
    model: ObjectModel, data: DataConfig, proposed: Mapping[str, Any] | None
) -> ObjectModel:
    """An object with the symmetries that count.

    Args:
        data: of which `symmetry` says what counts.
        proposed: symmetries as models_info.json has them, which count where that has none.
    """
    rest = {key: value for key, value in model.info.items() if key not in KEYS}
    if data.symmetry == "none":
        info = rest
    elif proposed and not any(model.info.get(key) for key in KEYS):
        info = {**rest, **proposed}
    else:
        return model
    return replace(model, info=info, symmetries=symmetry_transforms(info))


def show_symmetries(model: ObjectModel, proposal: Proposal, folder: Path) -> None:
    """Say what was found in a mesh and how to overrule it, and leave a picture: a row for each turn
    that leaves the object as it is, the object before and after."""
    turns = [(axis, 2 * np.pi * k / TURNS) for axis in proposal.continuous for k in range(1, TURNS)]
    turns += [(axis, 2 * np.pi * k / n) for axis, n in proposal.discrete for k in range(1, n)]
    with closing(make_renderer({model.obj_id: model}, RenderConfig(exact=True))) as renderer:
        specs = [_seen(model, proposal.center, np.eye(3))]
        specs += [_seen(model, proposal.center, rodrigues(angle * axis)) for axis, angle in turns]
        pictures = [frame.rgb for frame in renderer.render(specs)]
    names = ["as it is", *(f"turned {np.degrees(angle):.0f} deg" for _, angle in turns)]
    tiles = [label(p, name) for p, name in zip(pictures, names, strict=True) if p is not None]
    folder.mkdir(parents=True, exist_ok=True)
    write_png(folder / FILE, sheet([tiles[i : i + 6] for i in range(0, len(tiles), 6)]))
    log.info(
        "%s: %s, as its mesh shows (%s); --symmetry none or models_info.json overrules that",
        model.title,
        proposal,
        folder / FILE,
    )


def _seen(model: ObjectModel, center: np.ndarray, turn: np.ndarray) -> SceneSpec:
    """The object about its centre, turned, from the side and above, lit from there."""
    look = rodrigues(np.array([np.radians(-60.0), 0, 0])) @ rodrigues(np.array([0, 0, 0.6]))
    look = np.diag([1.0, -1.0, -1.0]) @ look
    R = look @ turn
    t = np.array([0, 0, DIAMETERS * model.diameter]) - R @ center
    focal = 0.9 * DIAMETERS * TILE
    middle = (TILE - 1) / 2
    camera = Camera(np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1.0]]), TILE, TILE)
    return SceneSpec(
        rows(camera.K),
        camera.size,
        (Placed(model.obj_id, rows(rigid(R, t))),),
        ambient=(0.6, 0.6, 0.6),
        lights=(Light("directional", (0.0, 0.0, -1.0), (0.4, 0.4, 0.4)),),
        near=near_plane(model.diameter),
    )
