"""A dataset's folder: begun once, with its settings, and gone on with by the same ones only."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from render.config import first_difference
from render.errors import InputError
from render.json_file import read_json
from render.plain import record
from render.scene.surroundings import SETTLED
from render.whole_file import AREA, work_area, written

RECORD = "generation.json"
# Options of `render` that only say where something is -> the setting that says what it is.
CONTENTS = {"objects": "meshes", "unit": "meshes", "up": "meshes", "hand": "hand"}
DISTRACTORS = "distractors"  # the setting that tells the meshes of scene.distractors
TURNED = "up"  # the setting that names the meshes which were turned to have z up
_MADE = record({"settings": record({}, others=True)}, others=True)
PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "moderngl",
    "trimesh",
    "scipy",
    "fast-simplification",
    "isal",
)
OF_PHYSICS = ("mujoco-core", "coacd")  # what scenes that settle depend on, too


def begin_dataset(
    out: Path,
    settings: Mapping[str, Any],
    renderer: str,
    objects: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Create `out` with its generation.json, or check that it was begun with the same settings.

    Args:
        renderer: the OpenGL that draws; the same one and the same versions draw the same bytes.
        objects: what is told of those that it shows, as `table_of` has them; it is not compared.

    Raises:
        InputError: it was begun with others; the message names the first one that differs. Or it
            holds something else, or cannot be written to.
    """
    if is_begun(out, settings):
        return
    told = {"objects": dict(objects)} if objects else {}
    text = json.dumps({"settings": settings, **told, **_machine(renderer, settings)}, indent=2)
    with written(out):
        out.mkdir(parents=True, exist_ok=True)
        with work_area(out) as area, suppress(FileExistsError):
            (area / RECORD).write_text(text + "\n")
            os.sync()
            _place(area / RECORD, out / RECORD)
    is_begun(out, settings)


def is_begun(out: Path, settings: Mapping[str, Any]) -> bool:
    """Whether `out` holds a dataset of these settings; False if there is nothing in it.

    Raises:
        InputError: it holds something else; the message names the first setting that differs.
    """
    # Looked at before the record, which others may write meanwhile: it comes before all else.
    taken = out.is_dir() and any(not p.name.startswith(AREA) for p in out.iterdir())
    if not (out / RECORD).is_file():
        if taken:
            raise InputError(f"{out} is not empty and holds no {RECORD}; give another --out")
        return False
    old = read_record(out / RECORD)["settings"]
    new = json.loads(json.dumps(settings))
    difference = first_difference(*_without_paths(old, new))
    if difference:
        name, before, now = difference
        if name.startswith("meshes.") and bool(old.get(TURNED)) != bool(new.get(TURNED)):
            axis = "y" if old.get(TURNED) else "z"
            raise InputError(
                f"{out} was made from meshes with {axis} up; give --up {axis} to go on with it, or"
                " another --out"
            )
        if name.split(".")[0] in CONTENTS.values():  # a path says more than a digest
            name, before, now = first_difference(old, new) or difference
        if before is None and name not in old:
            raise InputError(
                f"{out} was made before {name} counted, which is now {now}: by this version its"
                " frames would not be the same; finish it with the version that began it, or give"
                " another --out"
            )
        raise InputError(
            f"{out} was made with {name} = {before}, not {now};"
            " give the old value, or another --out"
        )
    return True


def as_begun(out: Path, settings: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Settings with those values of some names, such as scene.background, that `out` has.

    For what is known to be the same by other means, such as files whose folder was moved.
    """
    old = read_record(out / RECORD)["settings"] if (out / RECORD).is_file() else {}
    found = dict(settings)
    for name in names:
        section, _, option = name.rpartition(".")
        of_section = old.get(section) if section else old
        if isinstance(of_section, Mapping) and option in of_section:
            value = of_section[option]
            found |= {section: {**found[section], option: value}} if section else {option: value}
    return found


def read_record(path: Path) -> dict[str, Any]:
    """A dataset's generation.json, with its settings.

    Raises:
        InputError: it is missing or damaged, or has none.
    """
    return _MADE({"settings": {}, **read_json(path)}, str(path))


def join_dataset(
    out: Path,
    settings: Mapping[str, Any],
    renderer: str,
    objects: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Begin a dataset, or go on with one that was begun by the same settings, OpenGL and libraries.

    Arguments and errors as of `begin_dataset` and `check_machine`.
    """
    begin_dataset(out, settings, renderer, objects)
    check_machine(out, renderer)


def _without_paths(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both settings without the paths and units of files of which both tell the content."""
    known = {option for option, content in CONTENTS.items() if content in old and content in new}
    cleared = []
    for settings in (old, new):
        render = settings.get("render")
        if isinstance(render, Mapping):
            render = {name: value for name, value in render.items() if name not in known}
            settings = {**settings, "render": render}
        scene = settings.get("scene")
        if DISTRACTORS in old and DISTRACTORS in new and isinstance(scene, Mapping):
            scene = {name: value for name, value in scene.items() if name != DISTRACTORS}
            settings = {**settings, "scene": scene}
        if "up" in known:
            settings = {name: value for name, value in settings.items() if name != TURNED}
        cleared.append(dict(settings))
    return cleared[0], cleared[1]


def check_machine(out: Path, renderer: str) -> None:
    """Refuse to go on with a dataset where the same scenes would not give the same bytes.

    Raises:
        InputError: OpenGL or a library differ from those it was begun with; names the first.
    """
    old = read_record(out / RECORD)
    new = _machine(renderer, old["settings"])
    difference = first_difference({name: old.get(name) for name in new}, new)
    if difference:
        name, before, now = difference
        raise InputError(
            f"{out} was begun with {name} = {before}, but on {platform.node()} it is {now} and"
            " would not draw the same bytes; go on where it is the same, or give another --out"
        )


def _place(file: Path, path: Path) -> None:
    """Move a file to where none is yet; FileExistsError if there is one."""
    try:
        os.link(file, path)  # a rename would replace what another process was first to write
    except FileExistsError:
        raise
    except OSError:  # a file system without links, as USB sticks have: of one machine
        file.replace(path)


def _machine(renderer: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the bytes of a dataset depend on beside its settings."""
    scene = settings.get("scene")
    settles = isinstance(scene, Mapping) and scene.get("layout") in SETTLED
    packages = (*PACKAGES, *(OF_PHYSICS if settles else ()))
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return {
        "renderer": renderer,
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "simd": found,  # NumPy and BLAS round differently with other instructions
    }
