"""Samples that are rendered while they are trained on."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from click.testing import CliRunner
from torch.multiprocessing import active_children

from pipeline import main
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop import read_split
from render.mesh.mesh import load_models
from render.scene.randomize import SceneConfig
from render.sensor.config import DEFAULT_SENSOR
from render.transforms import apply
from train.learn.batches import Batches
from train.learn.checkpoint import Checkpoint
from train.learn.stream import Live, Samples, Stream
from train.objects.crops import ObjectCrops
from train.objects.data import load_instances
from train.objects.live import ObjectSource
from train.options import COMPOSITION, CropConfig

pytestmark = pytest.mark.slow  # all of it renders and trains

SEED, SIZE = 3, 4
MODEL = load_models(["assets"], obj_ids=[1])[1]
SCENE = SceneConfig(layout="crop", zoom=(1.5, 1.8), occluder_chance=1.0)
RENDER = RenderConfig(objects=("assets",), size=(64, 64), exact=True, obj_ids=(1,))
SOURCE = ObjectSource(RENDER, SCENE, DEFAULT_SENSOR, obj_id=1, min_visib=0.6)
CROPS = ObjectCrops(CropConfig(size=32))


def stream(workers: int = 0, seed: int = SEED, part: range | None = None) -> Stream:
    return Stream(Samples(SOURCE, CROPS, seed, SIZE, part), workers)


def steps_of(made: Stream, steps) -> list[tuple[torch.Tensor, torch.Tensor]]:
    try:
        return [made.batch(step) for step in steps]
    finally:
        made.close()


def assert_same(one, other):
    for (images, targets), (others, their_targets) in zip(one, other, strict=True):
        assert torch.equal(images, others)
        assert torch.equal(targets, their_targets)


@pytest.fixture(scope="module")
def first_steps():
    return steps_of(stream(), range(5))


@pytest.fixture(scope="module")
def instances():
    """The first samples, before they are cropped."""
    return Live(SOURCE).examples(12, SEED)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sample_is_the_same_for_any_number_of_workers(first_steps, workers):
    assert_same(steps_of(stream(workers), range(5)), first_steps)
    assert not active_children()


def test_without_shared_memory_the_samples_are_the_same(first_steps, monkeypatch, tmp_path):
    monkeypatch.setattr("train.learn.stream.SHARED_MEMORY", str(tmp_path / "missing"))
    got = steps_of(stream(1), range(3))
    assert_same(got, first_steps[:3])
    strides = [images.stride() for images, _ in first_steps[:3]]
    assert [images.stride() for images, _ in got] == strides  # by which torch rounds


def test_a_stream_begun_at_a_step_gives_what_it_would_have_given_there(first_steps):
    assert_same(steps_of(stream(), [3, 4, 1]), [first_steps[i] for i in (3, 4, 1)])


def test_parts_of_a_step_make_up_the_step(first_steps):
    parts = [steps_of(stream(part=part), [1])[0] for part in (range(0, 1), range(1, SIZE))]
    joined = tuple(torch.cat(pieces) for pieces in zip(*parts, strict=True))
    assert_same([joined], first_steps[1:2])


def test_a_part_beyond_the_step_is_refused():
    with pytest.raises(ValueError, match="within a step's 4 samples"):
        Samples(SOURCE, CROPS, SEED, SIZE, range(2, 5))


def test_no_image_comes_twice_nor_with_another_seed(first_steps):
    other = steps_of(stream(seed=SEED + 1), range(2))
    images = torch.cat([images for images, _ in [*first_steps, *other]])
    assert len({image.numpy().tobytes() for image in images}) == 7 * SIZE


def test_samples_are_those_of_the_dataset_that_render_writes(instances, tmp_path):
    """To the last pixel, but for scenes that show too little of the object and are drawn anew."""
    generate(RENDER.__class__(**{**vars(RENDER), "frames": 12}), SCENE, tmp_path, SEED, 1)
    written = load_instances(read_split(tmp_path, "train"), MODEL, "bbox_visib", 0.6, np.inf)
    by_index = {sample.key[1]: sample for sample in instances}
    assert len(by_index) == 12 and 0 < len(written) < 12
    for theirs in written:
        ours = by_index[theirs.key[1]]
        np.testing.assert_array_equal(ours.window, theirs.window)
        np.testing.assert_allclose(ours.corners, theirs.corners, atol=1e-6)
        assert ours.box == theirs.box


def test_targets_lie_around_the_drawn_object(first_steps):
    """On a plain background the object's pixels, found by their colour, fill the corners' box."""
    scene = SceneConfig(layout="crop", zoom=(1.5, 1.8), occluder_chance=0, distractor_chance=0)
    source = ObjectSource(RENDER, scene, DEFAULT_SENSOR, 1, 0.1)
    crops = ObjectCrops(CropConfig(size=64, angle_deg=0))
    sampler = source.open(SEED)
    samples = sampler.make(range(8))
    sampler.close()
    for sample in samples:
        crop = crops.draw(np.random.default_rng(0), sample)
        targets = crops.targets(sample, crop)[0].reshape(8, 2) * 32 + 31.5
        vertices = apply(sample.annotation.cam_from_obj, MODEL.mesh.vertices)
        pixels = sample.camera.project(vertices) @ crop[:, :2].T + crop[:, 2]
        drawn = box_of_drawn(sample, crop)
        # Within a pixel of the frame, as it is magnified, and one of the crop.
        slack = 1 + np.sqrt(np.linalg.det(crop[:, :2]))
        np.testing.assert_allclose(drawn[0], pixels.min(axis=0), atol=slack)
        np.testing.assert_allclose(drawn[1], pixels.max(axis=0), atol=slack)
        assert (targets.min(axis=0) <= drawn[0] + slack).all()
        assert (targets.max(axis=0) >= drawn[1] - slack).all()


def box_of_drawn(sample, crop: np.ndarray) -> np.ndarray:
    """Ends of the annotated box, which `bounding_box` took from the drawn ids, in the crop."""
    x, y, width, height = sample.box
    return np.array([[x, y], [x + width, y + height]]) @ crop[:, :2].T + crop[:, 2]


def test_what_is_hidden_too_much_is_drawn_anew_and_at_last_refused():
    source = ObjectSource(RENDER, SCENE, DEFAULT_SENSOR, obj_id=1, min_visib=1.0)
    scenes = Samples(source, CROPS, SEED, SIZE)
    hidden = SceneConfig(layout="crop", zoom=(0.05, 0.06), occluder_chance=1.0)
    never = ObjectSource(RENDER, hidden, DEFAULT_SENSOR, obj_id=1, min_visib=1.0)
    assert Samples(source, CROPS, SEED, SIZE).source == scenes.source
    with pytest.raises(InputError, match=r"object 1 is less visible than data\.min_visib = 1"):
        steps_of(Stream(Samples(never, CROPS, SEED, 16), 0), [0])


def test_only_methods_with_synthetic_images_render():
    batches = {
        method: Batches([0], [[0]], Live(SOURCE, 0), method, 8, CROPS, SEED, unlabelled=[0])
        for method in COMPOSITION
    }
    for method, (_, _, share) in COMPOSITION.items():
        found = batches[method].fingerprint if share else None
        assert (batches[method]._stream is not None) == (found is not None), method


def test_a_worker_that_dies_is_said_in_one_line():
    made = stream(workers=1)
    made.batch(0)
    (worker,) = active_children()
    os.kill(worker.pid, signal.SIGKILL)
    began = time.monotonic()
    try:
        died = r"a process that renders has died \(DataLoader worker"
        with pytest.raises(InputError, match=died) as seen:
            for step in range(1, 100):
                made.batch(step)
    finally:
        made.close()
    assert "\n" not in str(seen.value) and time.monotonic() - began < 30
    assert not active_children()


# The commands

FLAGS = [
    *("--preset", "demo", "--device", "cpu", "--set", "run.live=true"),
    *("--set", "render.size=48x48", "--set", "crop.size=32", "--set", "train.batch=8"),
    *("--set", "train.save_every=2", "--set", "data.objects=1"),
    *("--set", "run.real_views=false", "--set", "run.real_background=false"),
]


def invoke(*args: object):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def train_synthetic(out: Path, workers: int, *more: object):
    flags = [*FLAGS, "--set", f"run.live_workers={workers}", "--dataset", out.parent / "data"]
    flags += ["--set", "train.steps=6", "--method", "synthetic", *more]
    return invoke("train", *flags, "--out", out)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """A dataset whose models are drawn; no image of it is looked at."""
    root = tmp_path_factory.mktemp("live")
    size = "--frames", 4, "--size", "64x48"  # enough to part into training and test
    made = invoke("render", "--objects", "assets", *size, "--out", root / "data")
    assert made.exit_code == 0, made.output
    return root


def test_stopped_and_started_again_training_ends_with_the_same_bits(dataset, monkeypatch):
    assert train_synthetic(dataset / "whole", 0).exit_code == 0
    batch = Batches.batch

    def stop(self, step):
        if step == 3:
            raise KeyboardInterrupt
        return batch(self, step)

    monkeypatch.setattr(Batches, "batch", stop)
    assert train_synthetic(dataset / "stopped", 1).exit_code == 130
    assert not active_children()
    monkeypatch.undo()
    assert train_synthetic(dataset / "stopped", 0).exit_code == 0
    nets = [Checkpoint.load(dataset / name).net.state_dict() for name in ("whole", "stopped")]
    for name, tensor in nets[0].items():
        assert torch.equal(tensor, nets[1][name]), name


def test_training_does_not_go_on_with_other_ranges(dataset):
    assert train_synthetic(dataset / "ranges", 0).exit_code == 0
    result = train_synthetic(dataset / "ranges", 0, "--set", "scene.occluder_chance=0.1")
    assert result.exit_code == 1
    assert "inputs.synthetic.scene.occluder_chance = 0.5, not 0.1" in result.output


def test_run_goes_the_whole_way_without_a_synthetic_dataset(tmp_path):
    flags = ["--set", "run.simulated_frames=10", "--set", "pair.variants=1"]
    flags += ["--set", "train.pretrain_steps=4", "--set", "train.steps=4", "--workers", 1]
    flags += ["--set", "run.methods=synthetic,finetune,mixed,mapping", "--set", "detector.steps=4"]
    flags += ["--set", "run.refine=0"]
    result = invoke("run", *FLAGS, *flags, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "obj_000001"
    assert not (folder / "synthetic_images").exists()
    assert all((folder / name / "checkpoint.pt").is_file() for name in ("pretrained", "mapping"))


@pytest.mark.parametrize(
    ("command", "more", "what"),
    [
        ("train", ["--method", "synthetic", "--synthetic", "."], "DIR is what run.live does"),
        ("train", ["--method", "mapping"], "needs --twins DIR"),
        ("run", ["--set", "run.target=hand"], "run.live is for objects so far"),
        ("run", ["--set", "render.renderer=pyrender"], "render.renderer=moderngl only"),
    ],
)
def test_what_cannot_be_rendered_live_is_refused(dataset, command, more, what):
    flags = [*FLAGS, "--dataset", dataset / "data", "--set", "run.simulated="]
    flags += ["--set", "data.split=train"]
    result = invoke(command, *flags, *more, "--out", dataset / "refused")
    assert result.exit_code == 1 and what in result.output


def test_an_object_has_the_axes_that_a_dataset_of_it_has(tmp_path):
    trimesh.creation.box((0.1, 0.3, 0.2)).export(tmp_path / "a.glb")
    for up, turned in ((None, {"1": "y"}), ("z", None)):
        render = replace(RENDER, objects=(str(tmp_path / "a.glb"),), up=up)
        source = ObjectSource(render, SCENE, DEFAULT_SENSOR, obj_id=1, min_visib=0.6)
        assert source.settings(0).get("up") == turned
