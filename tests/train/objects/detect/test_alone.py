"""A detector of its own, from the command that trains it to those that use it."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.formats.bop import read_split
from render.formats.bop_files import mask_path
from render.image_file import write_png
from tests.small_dataset import CAMERA, cuboids, random_frames, write_dataset
from tests.train.objects.test_predict import save_run
from train.objects.detect.detector import overlap

MODEL = cuboids()[1]
RED = (220, 30, 30)


def invoke(*args: object) -> str:
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    return result.stdout


def red_boats(root, seed, count):
    """A dataset with masks, of frames in which object 1, the boat, is a red box."""
    rng = np.random.default_rng(seed)
    write_dataset(root, {1: MODEL}, random_frames(rng, {1: MODEL}, count))
    (root / "models" / "names.json").write_text('{"1": "boat"}')
    for image in read_split(root, "test"):
        x, y, w, h = map(int, image.annotations[0].bbox_visib)
        seen = np.zeros((CAMERA.height, CAMERA.width), bool)
        seen[y : y + h + 1, x : x + w + 1] = True
        rgb = image.read_rgb()
        rgb[seen] = RED
        write_png(image.rgb_path, rgb)
        write_png(mask_path(image.scene_dir, image.im_id, 0, visible=True), seen)
    return root


@pytest.mark.slow
def test_what_train_makes_finds_the_object_for_evaluate_and_predict(tmp_path, rng, caplog):
    caplog.set_level("INFO")
    data, synthetic = red_boats(tmp_path / "data", 1, 12), red_boats(tmp_path / "synthetic", 2, 20)
    run = tmp_path / "run"
    detector = run / "obj_000001" / "detector"
    frames = ["--dataset", data, "--train-fraction", 0.5, "--device", "cpu"]
    small = ["--set", "detector.size=96", "--set", "detector.steps=90"]
    asked = ["--method", "detector", "--objects", "boat", "--synthetic", synthetic, *frames, *small]
    invoke("train", *asked, "--out", detector)
    assert any(message.startswith("cut-outs of boat: 20 of 20") for message in caplog.messages)

    *_, row, _ = invoke("evaluate", detector, *frames, "--out", tmp_path / "out").splitlines()
    name, _, _, n, within_50, _, sure = row.split()
    assert (name, n) == ("boat", "6") and float(within_50) > 80 and float(sure) > 80

    save_run(run / "obj_000001" / "real", random_frames(rng, {1: MODEL}, 1)[1], (30, 20, 90, 80))
    found = []
    for image in read_split(data, "test"):
        text = invoke("predict", run, image.rgb_path, "--out", tmp_path / "pose.png")
        found.append((json.loads(text)["box"], image.annotations[0].bbox_visib))
    hits = [box is not None and overlap(tuple(box), true) > 0.5 for box, true in found]
    assert np.mean(hits) > 0.8
