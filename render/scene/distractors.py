"""What stands before and behind objects without being one of them: other meshes, plain solids."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from render.errors import InputError
from render.mesh.mesh import ObjectModel, load_models
from render.scene.props import SOLIDS, props, solid_kind

log = logging.getLogger(__name__)

FIRST = -1000  # ids go down from here; nobody else has such ones
SAME = 0.01  # of the diameter: as near the box of another mesh is, where it is of the same object
SOLID_SIZE = (0.25, 0.75)  # sides of a plain solid, in diameters of an object


def load_distractors(
    sources: Sequence[str], objects: Iterable[ObjectModel]
) -> dict[int, ObjectModel]:
    """The meshes that scenes are furnished with, by ids of their own, from FIRST down.

    A mesh that is one of the objects is left out, and said to be: where the object itself stood
    beside the one that is annotated, nobody could tell which is meant.

    Args:
        sources: as `load_models` takes them.
        objects: all that is or may be annotated.

    Raises:
        InputError: as `load_models`, or nothing is left.
    """
    try:
        meshes = load_models(sources) if sources else {}
    except InputError as error:
        raise InputError(f"scene.distractors: {error}") from None
    found: dict[int, ObjectModel] = {}
    known = list(objects)
    for number, model in meshes.items():
        twin = next((own for own in known if _is_same(model, own)), None)
        if twin is None:
            obj_id = FIRST - number
            found[obj_id] = replace(model, obj_id=obj_id)
        else:
            log.info("%s is object %d itself, and no distractor", model.source, twin.obj_id)
    if sources and not found:
        raise InputError(
            f"scene.distractors: {', '.join(sources)} holds the objects themselves alone; give"
            " other meshes, or leave it: plain solids stand in"
        )
    return found


def is_distractor(obj_id: int) -> bool:
    """Whether an id is of a mesh of scene.distractors."""
    return obj_id <= FIRST


def draw_solid(size: float, rng: np.random.Generator) -> tuple[int, tuple[float, ...]]:
    """Which plain solid stands somewhere, smaller than an object of diameter `size`, and its
    stretch, metres."""
    obj_id = int(rng.choice(SOLIDS))
    x, y, z = (size * rng.uniform(*SOLID_SIZE, 3)).tolist()
    return obj_id, {"box": (x, y, z), "cylinder": (x, x, z), "ball": (x, x, x)}[solid_kind(obj_id)]


def draw_distractor(
    others: Mapping[int, ObjectModel], size: float, rng: np.random.Generator
) -> tuple[int, tuple[float, ...] | None, np.ndarray, float]:
    """What stands before or behind an object: another mesh, or a plain solid where there is none.

    Args:
        size: the object's diameter, metres.

    Returns:
        Its id, stretch, (2, 3) box and diameter, metres.
    """
    if others:
        obj_id = list(others)[rng.integers(len(others))]
        return obj_id, None, others[obj_id].box, others[obj_id].diameter
    obj_id, stretch = draw_solid(size, rng)
    box = props()[obj_id].box * stretch
    return obj_id, stretch, box, float(np.linalg.norm(np.ptp(box, axis=0)))


def needs_solids(layout: str, chances: Sequence[float], models: Mapping[int, ObjectModel]) -> bool:
    """Whether plain solids stand in crops for want of other meshes.

    Args:
        chances: that anything stands before or behind the object.
        models: all meshes that may appear.
    """
    return layout == "crop" and len(models) == 1 and max(chances) > 0


def _is_same(model: ObjectModel, own: ObjectModel) -> bool:
    return bool(np.abs(model.box - own.box).max() <= SAME * own.diameter)
