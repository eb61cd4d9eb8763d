from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from render.formats.bop import read_split
from tests.small_dataset import CAMERA, cuboids, random_frames, smooth_picture, write_dataset
from train.learn.batches import Batch, Batches
from train.objects.crops import ObjectCrops
from train.objects.data import Instance, load_instances
from train.options import COMPOSITION, METHODS, WITH_ADVERSARY, WITH_MAPPING, CropConfig

MODELS = cuboids()
CROP = CropConfig(size=48)


@pytest.fixture(scope="module")
def instances(tmp_path_factory) -> list[Instance]:
    """Of object 2, which has two symmetric poses; whole images as windows."""
    frames = random_frames(np.random.default_rng(0), MODELS, 8)
    root = write_dataset(tmp_path_factory.mktemp("batches"), MODELS, frames)
    return load_instances(read_split(root, "test"), MODELS[2], reach=np.inf)


@pytest.fixture
def unaugmented(monkeypatch):
    """Crops keep the light they were taken in."""
    monkeypatch.setattr("train.objects.crops.augment", lambda images, rng, strength: images)


def other_pixels(instances: Sequence[Instance], seed: int) -> list[Instance]:
    rng = np.random.default_rng(seed)
    return [replace(instance, window=smooth_picture(rng)) for instance in instances]


def make(instances, method="mapping", size=16, seed=1, crop=CROP, part=(0, 1)) -> Batches:
    twins = [[a, b] for a, b in zip(*(other_pixels(instances, s) for s in (1, 2)), strict=True)]
    synthetic, unlabelled = other_pixels(instances, 3), other_pixels(instances, 4)
    given = instances, twins, synthetic, method, size, ObjectCrops(crop), seed, part
    return Batches(*given, unlabelled)


def assert_same(one: Batch, other: Batch):
    for name, tensor in vars(one).items():
        assert torch.equal(tensor, getattr(other, name)), name


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_is_the_same_whenever_it_is_asked_for(instances, method):
    one, other = make(instances, method), make(instances, method)
    in_order = [one.batch(step) for step in range(4)]
    for step in (3, 1, 0, 2):
        assert_same(other.batch(step), in_order[step])
    differing = make(instances, method, seed=2).batch(0)
    for batch in (in_order[1], differing):
        assert any(
            not torch.equal(tensor, getattr(batch, name))
            for name, tensor in vars(in_order[0]).items()
        )


@pytest.mark.parametrize("method", METHODS)
def test_parts_of_a_batch_make_up_the_batch(instances, method):
    whole = make(instances, method).batch(2)
    parts = [make(instances, method, part=(i, 2)).batch(2) for i in (0, 1)]
    for name, tensor in vars(whole).items():
        for i, part in enumerate(parts):
            assert torch.equal(getattr(part, name), tensor[i::2]), name


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [8, 12, 64])
def test_a_method_sees_its_share_of_real_twin_and_synthetic_images(instances, method, size):
    batch = make(instances, method, size).batch(0)
    counts = [len(batch.real), len(batch.twins), len(batch.synthetic)]
    assert sum(counts) == size
    np.testing.assert_allclose(counts, np.array(COMPOSITION[method]) * size, atol=1)
    assert [c > 0 for c in counts] == [share > 0 for share in COMPOSITION[method]]
    assert len(batch.real_targets) == counts[0] and len(batch.synthetic_targets) == counts[2]
    assert counts[1] in (0, counts[0])
    assert len(batch.unlabelled) == (counts[2] if method in WITH_ADVERSARY else 0)


def test_with_an_adversary_all_but_the_unlabelled_images_are_those_of_mapping(instances):
    """So that what tells the methods apart is the adversary alone."""
    for step in range(3):
        mapping, adversary = (
            vars(make(instances, method).batch(step)) for method in ("mapping", "mapping_adversary")
        )
        assert not len(mapping.pop("unlabelled"))
        assert len(adversary.pop("unlabelled")) == 4
        for name, tensor in mapping.items():
            assert torch.equal(tensor, adversary[name]), name


def test_of_unlabelled_samples_nothing_but_the_image_is_looked_at(instances):
    """Other poses, or none, give the same images."""
    unlabelled, images = other_pixels(instances, 4), []
    for corners in (0.0, np.nan):
        blind = [replace(one, annotation=None, corners=np.full_like(one.corners, corners))
                 for one in unlabelled]  # fmt: skip
        given = instances, [[i] for i in instances], instances, "mapping_adversary", 32
        batches = Batches(*given, ObjectCrops(CROP), 1, unlabelled=blind)
        images.append([batches.batch(step).unlabelled for step in range(3)])
    for one, other in zip(*images, strict=True):
        assert torch.equal(one, other) and one.isfinite().all()
    assert not torch.equal(images[0][0], images[0][1])


def test_every_share_adds_up_and_mappings_are_trained_on_real_images():
    for method, shares in COMPOSITION.items():
        assert sum(shares) == 1, method
    assert all(COMPOSITION[method][0] > 0 for method in WITH_MAPPING)


@pytest.mark.parametrize("method", ["mapping", "mixed_twins"])
def test_both_images_of_a_pair_get_the_same_crop_and_the_same_light(instances, method):
    """Twins that are the real images come out as the very same tensors."""
    twins = [[instance] * 2 for instance in instances]
    batches = Batches(
        instances, twins, other_pixels(instances, 3), method, 24, ObjectCrops(CROP), 1
    )
    for step in range(3):
        batch = batches.batch(step)
        assert torch.equal(batch.twins, batch.real[: len(batch.twins)])
        assert len(torch.unique(batch.real.flatten(1), dim=0)) == len(batch.real)


def test_a_twin_is_one_of_its_own_real_images(instances, unaugmented):
    """Told by flat pixels: real image i has the level 10 i, its twins 10 i + 1 and 10 i + 2."""

    def flat(level: int, instance: Instance) -> Instance:
        return replace(instance, window=np.full_like(instance.window, level))

    def levels(images: torch.Tensor) -> np.ndarray:
        return ((images[:, 0, 20, 20] + 1) * 128).numpy()

    real = [flat(10 * i, instance) for i, instance in enumerate(instances)]
    twins = [[flat(10 * i + k, x) for k in (1, 2)] for i, x in enumerate(instances)]
    batches = Batches(real, twins, real, "mapping", 64, ObjectCrops(CROP), 0)
    seen, gaps = set(), set()
    for batch in map(batches.batch, range(4)):
        seen |= set(levels(batch.real))
        gaps |= set(levels(batch.twins) - levels(batch.real))
    assert seen == {10 * i for i in range(len(real))} and gaps == {1, 2}


def test_targets_are_where_the_corners_lie_in_the_crop(instances, unaugmented):
    """A white dot drawn at a corner's position in the image is found at its target."""
    crop, found = CropConfig(size=96, angle_deg=25.0), 0
    for corner in range(8):
        dotted = []
        for instance in instances:
            window, corners = np.zeros_like(instance.window), instance.corners.copy()
            corners[0, corner] = u, v = np.round(corners[0, corner])
            if 0 <= u < CAMERA.width and 0 <= v < CAMERA.height:
                window[int(v), int(u)] = 255
                dotted.append(replace(instance, window=window, corners=corners))
        batch = Batches([], [], dotted, "synthetic", 12, ObjectCrops(crop), 5).batch(corner)

        for image, targets in zip(batch.synthetic, batch.synthetic_targets, strict=True):
            target = targets[0].reshape(8, 2)[corner].numpy() * 48 + 47.5  # pixels of the crop
            u, v = np.round(target).astype(int)
            if not (6 <= u < 90 and 6 <= v < 90):
                continue  # jittered out of the crop
            light = image[0, v - 5 : v + 6, u - 5 : u + 6].numpy() + 1.0
            rows, columns = np.indices(light.shape) - 5
            position = [(light * columns).sum() + u * light.sum(), (light * rows).sum()]
            position[1] += v * light.sum()
            np.testing.assert_allclose(np.array(position) / light.sum(), target, atol=0.3)
            found += 1
    assert found > 60


def test_every_symmetric_pose_has_its_targets(instances):
    batch = make(instances).batch(0)
    assert batch.real_targets.shape[1:] == batch.synthetic_targets.shape[1:] == (2, 16)
    assert batch.real_targets.dtype == torch.float32


def test_images_are_float_channels_first_in_range(instances):
    batch = make(instances).batch(0)
    for images in (batch.real, batch.twins, batch.synthetic):
        assert images.shape[1:] == (3, 48, 48) and images.dtype == torch.float32
        assert images.min() >= -1 and images.max() <= 1
        assert images.is_contiguous(memory_format=torch.channels_last)


def test_the_fingerprint_tells_the_images_that_are_drawn_from(instances):
    whole = make(instances).fingerprint()
    assert make(instances, seed=2).fingerprint() == whole
    assert len(set(whole.values())) == 3

    window = instances[3].window.copy()
    window[7, 5, 1] ^= 1
    changed = [*instances[:3], replace(instances[3], window=window), *instances[4:]]
    other = make(changed).fingerprint()
    assert {name for name in whole if other[name] != whole[name]} == {"real"}
    assert make(instances[:-1]).fingerprint()["real"] != whole["real"]
    unlabelled = make(instances, "mapping_adversary").fingerprint()
    assert unlabelled.pop("unlabelled") not in whole.values() and unlabelled == whole
    # What a method does not see has no part in it.
    assert make(changed, "synthetic").fingerprint() == make(instances, "synthetic").fingerprint()


def test_an_adversary_without_unlabelled_images_is_a_value_error(instances):
    given = instances, [[i] for i in instances], instances, "mapping_adversary", 16
    with pytest.raises(ValueError, match="method mapping_adversary needs unlabelled samples, got"):
        Batches(*given, ObjectCrops(CROP), 0)


@pytest.mark.parametrize("missing", ["real samples", "twins", "synthetic samples"])
def test_a_method_without_its_images_is_a_value_error(instances, missing):
    given = {"real samples": instances, "twins": [[i] for i in instances]}
    given |= {"synthetic samples": instances, missing: []}
    with pytest.raises(ValueError, match=f"method mapping needs {missing}, got none"):
        Batches(*given.values(), "mapping", 16, ObjectCrops(CROP), 0)
