import json

import numpy as np
import pytest
import torch

from pipeline import main
from render.errors import InputError
from render.mesh.box import box_corners
from tests.small_dataset import CAMERA, cuboids, random_frames, write_dataset
from train.learn.batches import Crops
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.objects.crops import ObjectCrops, cut, square_crop, to_crop
from train.objects.data import load_synthetic
from train.objects.exemplar import (
    CHUNK,
    ApproximateLookup,
    ExactLookup,
    Library,
    build_library,
    exemplar_reader,
    with_lookup,
)
from train.objects.predict import predict, solve_pose
from train.options import CropConfig, ExemplarConfig

MODEL = cuboids()[1]
CROP = CropConfig(size=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    frames = random_frames(np.random.default_rng(5), cuboids(), 5)
    root = tmp_path_factory.mktemp("exemplar") / "synthetic"
    return write_dataset(root, cuboids(), frames, "train")


@pytest.fixture(scope="module")
def samples(folder):
    return load_synthetic(folder, MODEL, 0.1)


def checkpoint_of(with_mapping: bool = False) -> Checkpoint:
    torch.manual_seed(3)
    net = build("small", CROP.size, with_mapping).eval()
    target = ObjectInfo(1, MODEL.box, CAMERA)
    return Checkpoint(net, "small", CROP, target, "mapping", 1, {"steps": 1}, optimizer={})


def library_of(rng: np.random.Generator, count: int, width: int) -> Library:
    """Far from the origin, where |x|^2 - 2 q.x loses its last digits."""
    features = 30 + rng.normal(size=(count, width)).astype(np.float32)
    return Library(torch.from_numpy(features), torch.arange(count * 16.0).reshape(count, 16))


def test_the_exact_lookup_finds_what_brute_force_in_float64_finds(rng):
    """In a library of more than one chunk."""
    library = library_of(rng, CHUNK + 5000, 8)
    queries = (30 + rng.normal(size=(20, 8))).astype(np.float32)
    features = library.features.numpy().astype(np.float64)
    squares = [((features - query) ** 2).sum(axis=1) for query in queries.astype(np.float64)]
    lookup = ExactLookup(library)
    expected = np.array([square.argmin() for square in squares])
    assert (expected >= CHUNK).any() and (expected < CHUNK).any()
    np.testing.assert_array_equal(lookup.nearest(torch.from_numpy(queries)), expected)
    np.testing.assert_array_equal(lookup(torch.from_numpy(queries)), library.targets[expected])


def test_the_approximate_lookup_mostly_agrees_with_the_exact_one(rng):
    pytest.importorskip("faiss")
    library = library_of(rng, 5000, 16)
    queries = torch.from_numpy((30 + rng.normal(size=(200, 16))).astype(np.float32))
    exact, approximate = ExactLookup(library), ApproximateLookup(library)
    recall = (exact.nearest(queries) == approximate.nearest(queries)).float().mean()
    assert recall >= 0.95
    assert torch.equal(approximate.nearest(library.features[:50]), torch.arange(50))


def test_a_query_that_stands_in_the_library_gets_its_own_pose_to_the_last_bit(samples):
    """Through the PnP that `predict` uses, in the query's own crop."""
    checkpoint, maps = checkpoint_of(), [square_crop(s.box, CROP) for s in samples]

    class Upright(ObjectCrops):
        def draw(self, rng, sample):
            return square_crop(sample.box, self.config)

    library = build_library(checkpoint.net, Upright(CROP), samples, len(samples), seed=0)
    reader = with_lookup(checkpoint, ExactLookup(library))
    crops = np.stack([cut(s, m, CROP.size) for s, m in zip(samples, maps, strict=True)])
    found = predict(reader, crops, maps, [s.camera for s in samples], torch.device("cpu"))
    for one, target, sample, crop_from_image in zip(
        found, library.targets, samples, maps, strict=True
    ):
        corners = to_crop(sample.corners[0], crop_from_image, CROP.size).astype(np.float32)
        np.testing.assert_array_equal(target.reshape(8, 2), corners)
        expected = solve_pose(one.corners, box_corners(MODEL.box), sample.camera)
        np.testing.assert_array_equal(one.cam_from_obj, expected)
        np.testing.assert_allclose(one.cam_from_obj, sample.annotation.cam_from_obj, atol=1e-4)


def test_the_mapped_feature_is_looked_up_where_there_is_a_mapping(rng):
    images = torch.from_numpy(rng.uniform(-1, 1, (2, 3, 32, 32)).astype(np.float32))
    net = checkpoint_of(with_mapping=True).net
    for parameter in net.mapping.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    with torch.inference_mode():
        plain = net.extract(images)
        mapped = net.mapping(plain)
        library = Library(torch.cat([plain, mapped]), torch.arange(64.0).reshape(4, 16))
        reader = with_lookup(checkpoint_of(with_mapping=True), ExactLookup(library))
        reader.net.load_state_dict(net.state_dict(), strict=False)
        assert torch.equal(reader.net(images), library.targets[2:])


def test_a_smaller_library_is_the_beginning_of_a_larger_one(samples):
    """And beyond the dataset's size the same images come under other crops."""
    crops: Crops = ObjectCrops(CROP)
    net, count = checkpoint_of().net, 2 * len(samples)
    large = build_library(net, crops, samples, count, seed=1, batch=count)
    small = build_library(net, crops, samples, 4, seed=1, batch=4)
    torch.testing.assert_close(small.features, large.first(4).features)
    assert torch.equal(small.targets, large.first(4).targets)
    assert len({target.numpy().tobytes() for target in large.targets}) == count


@pytest.mark.parametrize(
    ("synthetic", "message"),
    [("", "--exemplars needs --synthetic DIR"), ("nowhere", "got nowhere"), (".", "no BOP scenes")],
)
def test_without_synthetic_images_there_is_one_clear_line(
    tmp_path, monkeypatch, synthetic, message
):
    monkeypatch.chdir(tmp_path)
    config = ExemplarConfig(exemplars=10, synthetic=synthetic)
    with pytest.raises(InputError, match=message) as caught:
        exemplar_reader(checkpoint_of(), config, MODEL, seed=0)
    assert "\n" not in str(caught.value)


def test_evaluate_writes_exemplars_as_a_method_of_their_own(tmp_path, folder):
    from click.testing import CliRunner

    frames = random_frames(np.random.default_rng(6), cuboids(), 3)
    root = write_dataset(tmp_path / "real", cuboids(), frames)
    (tmp_path / "run").mkdir()
    checkpoint_of(with_mapping=True).save(tmp_path / "run" / "checkpoint.pt")
    arguments = f"evaluate {tmp_path / 'run'} --dataset {root} --device cpu --exemplars 12"
    arguments += f" --synthetic {folder} --out {tmp_path / 'out'}"
    result = CliRunner().invoke(main, arguments.split())
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["methods"] == ["mapping", "exemplar"] == list(record["objects"]["1"])
    assert record["exemplar"] == {
        "exemplars": 12,
        "synthetic": str(folder),
        "approximate": False,
    }
    assert (tmp_path / "out" / "exemplar_real-test.csv").is_file()
