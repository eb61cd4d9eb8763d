"""A dataset's folder: begun once, with its settings; the folders in it are whole or not there."""

import json
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from render.config import first_difference
from render.errors import InputError


def begin_dataset(out: Path, settings: Mapping[str, Any], renderer: str) -> None:
    """Create `out` with its generation.json, or check that it was begun with the same settings.

    Args:
        renderer: the OpenGL that draws; the same one and the same versions draw the same bytes.

    Raises:
        InputError: it was begun with others; the message names the first one that differs.
    """
    record = out / "generation.json"
    if record.is_file():
        old = json.loads(record.read_text())["settings"]
        difference = first_difference(old, json.loads(json.dumps(settings)))
        if difference:
            name, before, now = difference
            raise InputError(
                f"{out} was made with {name} = {before}, not {now};"
                " give the old value, or another --out"
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out} is not empty and holds no generation.json; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    packages = ("numpy", "opencv-python-headless", "moderngl", "trimesh", "scipy")
    text = json.dumps(
        {
            "settings": settings,
            "renderer": renderer,
            "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        },
        indent=2,
    )
    partial = out / ".generation.json"
    partial.write_text(text + "\n")
    partial.rename(record)


class whole_folder:
    """`with whole_folder(path) as folder`: `folder` becomes `path` only if nothing failed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f".{path.name}.partial")

    def __enter__(self) -> Path:
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True)
        return self.partial

    def __exit__(self, failure, *_: object) -> None:
        if failure is None:
            self.partial.rename(self.path)
        else:
            shutil.rmtree(self.partial, ignore_errors=True)
