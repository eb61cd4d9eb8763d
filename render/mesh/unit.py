"""In which unit a mesh file is read, and what its size and its place say of that."""

import logging
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.mesh.axes import RECORDS

log = logging.getLogger(__name__)

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
SMALLEST, LARGEST = 0.0005, 10.0  # metres; what lies outside has almost surely the wrong unit
FAR_OFF, TOO_FAR_OFF = 10, 1000  # sizes of an object from its origin: worth a word, refused
WITH_UNIT = (".glb", ".gltf")  # formats whose numbers are metres by their specification
HAND_HELD = 1.0  # metres; a larger object is worth a word where nobody gave its unit


def unit_of(path: Path, unit: str | None) -> str:
    """The unit to read a mesh file in.

    Args:
        unit: what was asked for. None takes millimetres in a folder with a models_info.json (BOP's
            layout), metres elsewhere.

    Raises:
        InputError: there is no such unit.
    """
    if unit is None:
        return "mm" if (path.parent / RECORDS).is_file() else "m"
    if unit not in UNITS:
        raise InputError(f"--unit {unit}: no such unit; use one of {', '.join(UNITS)}")
    return unit


def check_size(path: Path, size: float, unit: str) -> None:
    """Refuse a mesh whose largest side, in its own unit, shows that the unit is wrong."""
    if (1 - 1e-6) * SMALLEST <= size * UNITS[unit] <= (1 + 1e-6) * LARGEST:  # as float32 has it
        return
    fitting = [u for u, scale in UNITS.items() if SMALLEST <= size * scale <= LARGEST]
    # Of several units the one that gives the size of a household object.
    best = min(fitting, key=lambda u: abs(np.log(size * UNITS[u] / 0.2)), default=None)
    advice = f"give --unit {best}" if best else "no unit of m, cm, mm makes it 0.5 mm to 10 m large"
    # Commands that read a BOP dataset have no --unit: its meshes are in mm, as this file says.
    if best == "mm" and not (path.parent / RECORDS).is_file():
        advice += f", or put a {RECORDS} beside it, as BOP has it; {{}} in it is enough"
    elif best and unit == "mm":
        advice += ", or, of a BOP dataset, bring its meshes to mm"
    raise InputError(
        f"{path}: {size * UNITS[unit]:.4g} m across when read in {unit},"
        f" most likely the wrong unit; {advice}"
    )


def check_origin(path: Path, vertices: np.ndarray, unit: str) -> None:
    """Refuse an object so far from its origin that float32 and poses cannot tell its shape."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    size, away = float((high - low).max()), math.hypot(*((low + high) / 2).tolist())
    if away <= FAR_OFF * size:
        return
    middle = ", ".join(f"{c:.10g}" for c in ((low + high) / 2).tolist())
    far = f"the object, {size * UNITS[unit]:.4g} m large, lies {away * UNITS[unit]:.4g} m from its"
    if away > TOO_FAR_OFF * size:
        raise InputError(
            f"{path}: {far} origin, as in map coordinates; poses are those of the origin, and would"
            f" tell nothing of it: subtract {middle} from its vertices and export it again"
        )
    log.warning("%s: %s origin, to which all poses belong", path, far)


def say_taken_for_metres(sizes: Mapping[Path, float]) -> None:
    """Say of meshes, file -> largest side in metres, that nothing said their unit.

    Those of a format with a unit, or beside a models_info.json, are left out. A line a folder: a
    warning if one of them is larger than is held in a hand, which a file in cm or inches is.
    """
    folders: dict[Path, dict[Path, float]] = {}
    for path, size in sizes.items():
        if path.suffix.lower() not in WITH_UNIT and not (path.parent / RECORDS).is_file():
            folders.setdefault(path.parent, {})[path] = size
    for folder, found in folders.items():
        largest = max(found, key=lambda path: found[path])
        name, across = str(largest), f"{found[largest]:.3g} m across"
        if len(found) > 1:
            across = f"{min(found.values()):.3g} to {across} ({largest.name})"
            name = f"{folder}: {len(found)} meshes"
        _say_once(name, across, found[largest] > HAND_HELD)


@cache
def _say_once(name: str, across: str, large: bool) -> None:
    """Once, however often the meshes are loaded."""
    level = logging.WARNING if large else logging.INFO
    log.log(level, "%s: %s, read in metres; --unit says otherwise", name, across)
