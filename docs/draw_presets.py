"""Draw docs/presets.jpg: what the presets of `render` show of the bundled objects.

python docs/draw_presets.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import imageio.v3 as imageio
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from render.image_file import read_rgb
from render.show.overlay import label, sheet

FILE = ROOT / "docs" / "presets.jpg"
COLUMNS, SIZE = 4, (320, 240)
# Preset and what else it is told.
ROWS: tuple[tuple[str, ...], ...] = (
    ("tabletop",),
    ("tabletop", "scene.object_textures=0.7"),
    ("photo",),
    ("clutter",),
    ("bop-pbr", "scene.cameras=2"),
    ("bop-pbr", "scene.cameras=2", "scene.layout=bin"),
    ("crops",),
)


def row(preset: str, *settings: str) -> list[np.ndarray]:
    """The first frames of a preset, named above the first."""
    with tempfile.TemporaryDirectory() as folder:
        sets = [part for setting in settings for part in ("--set", setting)]
        count = COLUMNS if preset != "crops" else COLUMNS * SIZE[0] // 128
        made = ["--objects", str(ROOT / "assets"), "--frames", str(count), "--seed", "1"]
        command = [sys.executable, str(ROOT / "pipeline.py"), "render", "--preset", preset]
        subprocess.run([*command, *sets, *made, "--out", folder + "/out"], check=True)
        files = sorted(Path(folder, "out").glob("train*/*/rgb/*"))
        images = [read_rgb(file) for file in files]
    if preset != "crops":
        images = [cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA) for image in images]
    texts = [" ".join([f"--preset {preset}", *settings])] + [""] * (count - 1)
    return [label(image, text) for image, text in zip(images, texts, strict=True)]


if __name__ == "__main__":
    imageio.imwrite(FILE, sheet([row(*given) for given in ROWS]), quality=88)
