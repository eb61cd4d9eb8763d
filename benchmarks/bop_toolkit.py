"""The scores of `score` beside those of bop_toolkit's scripts, on the same files.

    python benchmarks/bop_toolkit.py --toolkit bop_toolkit --python venv/bin/python

bop_toolkit is a clone of github.com/thodan/bop_toolkit, venv a virtual environment with what it
needs. The dataset is rendered: depth with holes, and several instances of each object in an image,
two of the three objects symmetric. The estimates are true poses, some turned by a symmetry, shifted
and turned by up to a tenth and more; some are missing, some are too many, some have equal scores.
Targets leave images and instances out. Theirs takes minutes: it starts 121 programs.
"""

# the path is set first
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # else `render` would be render.py here

import click
import numpy as np

from render.formats.bop import BopImage, read_split
from render.formats.bop_results import Estimate, write_results
from render.formats.bop_targets import TARGETS
from render.image_file import read_gray16, write_png
from render.mesh.mesh import ObjectModel, load_models
from render.transforms import rigid
from train.objects.data import DataConfig
from train.objects.score import score_file

# The toolkit knows datasets by name: this one has objects 1 to 3 and scenes 1 to 3 of 640x480.
DATASET, SPLIT, SCENE = "tudl", "test", 1
MEASURES = {"VSD": "vsd_recall", "MSSD": "mssd_recall", "MSPD": "mspd_recall", "AR": "ar"}


def make_dataset(folder: Path, frames: int, seed: int) -> Path:
    """Render a test split, put holes into its depth, and choose targets; returns its folder."""
    root = folder / DATASET
    command = ["pipeline.py", "render", "--objects=assets", f"--frames={frames}", f"--seed={seed}"]
    settings = ["layout=upright", "objects_per_frame=6,8", "background=noise"]
    sets = [f"--set=scene.{setting}" for setting in settings]
    command += [f"--split={SPLIT}", f"--frames-per-scene={frames}", *sets, f"--out={root}"]
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    (root / SPLIT / "000000").rename(root / SPLIT / f"{SCENE:06d}")
    shutil.copytree(root / "models", root / "models_eval")

    rng = np.random.default_rng(seed)
    for file in sorted((root / SPLIT / f"{SCENE:06d}" / "depth").iterdir()):
        depth = read_gray16(file)
        for x, y in rng.integers(0, (600, 440), (30, 2)):
            depth[y : y + 40, x : x + 20] = 0
        write_png(file, depth)
    (root / TARGETS).write_text(json.dumps(choose_targets(read_split(root, SPLIT), rng)))
    return root


def choose_targets(images: list[BopImage], rng: np.random.Generator) -> list[dict[str, int]]:
    """As BOP's enumerate_test_targets.py, but not of every image, and at times one fewer."""
    targets = []
    for image in images:
        if rng.random() < 0.2:
            continue
        visible = [a.obj_id for a in image.annotations if (a.visib_fract or 0) >= 0.1]
        for obj_id in sorted(set(visible)):
            count = max(1, visible.count(obj_id) - int(rng.random() < 0.3))
            keys = {"scene_id": image.scene_id, "im_id": image.im_id, "obj_id": obj_id}
            targets.append(keys | {"inst_count": count})
    return targets


def make_estimates(
    images: list[BopImage], models: dict[int, ObjectModel], rng: np.random.Generator
) -> list[Estimate]:
    """Poses of all kinds near the true ones; see this module."""
    estimates = []
    for image in images:
        for annotation in image.annotations:
            obj_id = annotation.obj_id
            model, copies = models[obj_id], rng.choice([0, 1, 1, 1, 1, 1, 2])
            for _ in range(copies):
                turned = annotation.cam_from_obj @ rng.choice(model.symmetries)
                size = 10 ** rng.uniform(-3, -0.3)  # of the diameter
                axis = rng.normal(size=3)
                turn = _rotation(size * axis / np.linalg.norm(axis))
                shift = size * model.diameter * rng.normal(size=3) / 2
                pose = rigid(turn @ turned[:3, :3], turned[:3, 3] + shift)
                score = round(float(rng.random()), 1)
                estimates.append(Estimate(image.scene_id, image.im_id, obj_id, score, pose))
    return estimates


def _rotation(rotvec: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(rotvec).as_matrix()


def theirs(toolkit: Path, python: Path, folder: Path, results: Path) -> dict[str, float]:
    """Percentages by the toolkit's eval_bop19_pose.py, with its vispy renderer."""
    environment = os.environ | {
        "BOP_PATH": str(folder),
        "BOP_RESULTS_PATH": str(folder),
        "BOP_EVAL_PATH": str(folder / "eval"),
        "BOP_OUTPUT_PATH": str(folder / "eval"),
        "BOP_NUM_WORKERS": "1",
        "PYTHONPATH": str(toolkit),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",  # it starts `python`
    }
    environment.setdefault("EGL_PLATFORM", "surfaceless")  # vispy would look for a display
    script = toolkit / "scripts" / "eval_bop19_pose.py"
    command = [str(python), str(script), f"--result_filenames={results.name}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(
            f"{script.name} failed: {done.stdout[-500:]}{done.stderr[-1500:]}"
        )
    scores = json.loads((folder / "eval" / results.stem / "scores_bop19.json").read_text())
    names = {"VSD": "_vsd", "MSSD": "_mssd", "MSPD": "_mspd", "AR": ""}
    return {name: 100 * scores[f"bop19_average_recall{end}"] for name, end in names.items()}


def table(ours: dict[str, float], toolkits: dict[str, float]) -> str:
    """Text: a measure a line."""
    lines = [f"{'average recall':14} {'ours':>9} {'theirs':>9} {'difference':>11}"]
    for name in MEASURES:
        difference = round(ours[name] - toolkits[name], 4) + 0.0  # no -0
        lines.append(f"{name:14} {ours[name]:9.4f} {toolkits[name]:9.4f} {difference:11.4f}")
    return "\n".join(lines)


@click.command()
@click.option("--toolkit", type=click.Path(path_type=Path), required=True, help="Its clone")
@click.option("--python", default=sys.executable, help="That has what the toolkit needs")
@click.option("--frames", default=40, show_default=True, help="Images that are rendered")
@click.option("--seed", default=0, show_default=True)
def main(toolkit: Path, python: str, frames: int, seed: int) -> None:
    """Score the same estimates with `score` and with bop_toolkit."""
    if not (toolkit / "scripts" / "eval_bop19_pose.py").is_file():
        raise click.BadParameter(
            f"{toolkit} holds no scripts/eval_bop19_pose.py;"
            " git clone https://github.com/thodan/bop_toolkit",
            param_hint="--toolkit",
        )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        root = make_dataset(folder, frames, seed)
        images, models = read_split(root, SPLIT), load_models([root / "models"])
        estimates = make_estimates(images, models, np.random.default_rng([seed, 1]))
        results = folder / f"noisy_{DATASET}-{SPLIT}.csv"
        write_results(results, estimates)

        scores = json.loads(score_file(DataConfig(), results, root, as_json=True))
        ours = {name: scores["targets"][key] for name, key in MEASURES.items()}
        instances = sum(len(image.annotations) for image in images)
        click.echo(f"{frames} images, {instances} instances, {len(estimates)} estimates")
        click.echo(f"{scores['scored']}\n")
        # The environment may be a link to the interpreter: resolved, it would be another.
        click.echo(table(ours, theirs(toolkit.resolve(), Path(python).absolute(), folder, results)))


if __name__ == "__main__":
    main()
