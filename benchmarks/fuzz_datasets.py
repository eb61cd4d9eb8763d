"""Valid datasets, hands, results and checkpoints to be damaged, small, by the project's writers."""

import json
import os
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.fuzz_seeds import lump, picture, textured
from render.camera import Camera
from render.dataset.generate import generate
from render.draw import level_of_detail
from render.draw.level import Level
from render.draw.renderer import RenderConfig
from render.formats.bop_results import Estimate, write_results
from render.formats.bop_targets import TARGETS
from render.image_file import write_png
from render.mesh.mesh import load_mesh
from render.scene.randomize import SceneConfig
from render.transforms import rigid

SIZE = (64, 48)


def make_dataset(folder: Path, kind: str = "bop", split: str = "train") -> None:
    """Two frames of two objects, with all that `render` can write of them."""
    lump().export(folder / "obj_000001.ply")
    textured().export(folder / "x.glb")
    objects = (str(folder / "obj_000001.ply"), str(folder / "x.glb"))
    render = RenderConfig(
        objects=objects, frames=2, size=SIZE, split=split, format=kind,  # type: ignore[arg-type]
        normals=True, coordinates=True, exact=True, unit="m",
    )  # fmt: skip
    scene = SceneConfig(layout="upright", objects_per_frame=(2, 2))
    generate(render, scene, folder / "ds", seed=0, workers=1)


def make_shards(folder: Path) -> None:
    make_dataset(folder, "bop-webdataset")


def make_with_hand(folder: Path) -> None:
    """A frame with a hand in it."""
    lump().export(folder / "obj_000001.ply")
    render = RenderConfig(
        objects=(str(folder / "obj_000001.ply"),), frames=1, size=SIZE, hand="bundled", unit="m"
    )
    generate(render, SceneConfig(objects_per_frame=(1, 1)), folder / "ds", seed=0, workers=1)


def make_split_file(folder: Path) -> None:
    parts = {"train": [[0, 0], [0, 1]], "test": [[1, 0]]}
    (folder / "split.json").write_text(json.dumps(parts))


def make_detections(folder: Path) -> None:
    entry = {"scene_id": 0, "image_id": 0, "category_id": 1, "score": 0.5, "bbox": [9, 8, 20, 30]}
    entries = [entry | {"image_id": i, "time": 0.1} for i in range(3)]
    (folder / "detections.json").write_text(json.dumps(entries))


def make_targets(folder: Path) -> None:
    target = {"scene_id": 0, "obj_id": 1, "inst_count": 2}
    (folder / TARGETS).write_text(json.dumps([target | {"im_id": i} for i in range(3)]))


def make_results(folder: Path) -> None:
    pose = rigid(Rotation.from_euler("xyz", [0.3, 0.2, 0.1]).as_matrix(), [0.01, 0.02, 0.7])
    write_results(folder / "results.csv", [Estimate(0, i, 1, 0.5, pose, 0.2) for i in range(3)])


def make_config(folder: Path) -> None:
    (folder / "config.toml").write_text(
        'extends = "demo"\n# a comment\n[train]\nsteps = 500\nlr = 1e-3\n[scene]\n'
        'background = ""\ndistance = [0.4, 0.8]\nlayout = "upright"\n[render]\nsize = [64, 48]\n'
        'objects = ["assets"]\n[sensor]\ndepth = "perfect"\n[data]\nobjects = [1, 2]\n'
    )


def make_backgrounds(folder: Path) -> None:
    (folder / "backgrounds.json").write_text(json.dumps({"a.png": 100, "b.png": 200}))


def make_weights(folder: Path) -> None:
    """In both formats of torch."""
    import torch

    weights = {"features.0.weight": torch.zeros(4, 3, 3, 3), "features.0.bias": torch.zeros(4)}
    torch.save(weights, folder / "new.pth")
    torch.save(weights, folder / "old.pth", _use_new_zipfile_serialization=False)


def make_checkpoint(folder: Path) -> None:
    """As `train` leaves it."""
    import torch

    from train.learn.checkpoint import Checkpoint
    from train.learn.networks import build
    from train.learn.targets import ObjectInfo
    from train.options import CropConfig

    net = build("small", 16, True)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    settings = {"steps": 7, "train": {"lr": 0.01, "init": ""}, "start": None, "sizes": [1, 2]}
    camera = Camera(np.array([[150.0, 0, 80], [0, 150, 60], [0, 0, 1]]), 160, 120)
    target = ObjectInfo(2, np.array([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]]), camera)
    state, crop = optimizer.state_dict(), CropConfig(size=16, margin=1.7)
    found = Checkpoint(net, "small", crop, target, "mapping", 7, settings, state)
    found.save(folder / "checkpoint.pt")


def read_levels(folder: Path) -> object:
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    return level_of_detail.load_levels({1: load_mesh(next((folder / "mesh").iterdir()), "m")})


def make_levels(folder: Path) -> None:
    """A mesh of so few faces that it has no levels, and one for it in the cache all the same."""
    (folder / "mesh").mkdir()
    lump().export(folder / "mesh" / "lump.ply")
    read_levels(folder)
    (file,) = (folder / "cache").rglob("*.npz")
    level_of_detail._keep(file, [Level(load_mesh(folder / "mesh" / "lump.ply", "m"), 1e-4, True)])


def make_pictures(folder: Path) -> None:
    """What a report shows."""
    write_png(folder / "curve.png", picture())
