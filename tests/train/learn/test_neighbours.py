import numpy as np
import torch

from tests.train.learn.test_trainer import net_and_batch
from train.learn.batches import Batch
from train.learn.neighbours import NEAREST, TILE, Gallery, nearest, neighbour_sheet

LABEL, GAP = 16, 4


def test_the_nearest_are_those_at_the_least_distance(rng):
    features = torch.from_numpy(rng.normal(size=(50, 8)))
    query = torch.from_numpy(rng.normal(size=8))
    expected = np.linalg.norm((features - query).numpy(), axis=1).argsort()[:5]
    assert nearest(features, query, 5) == expected.tolist()


def tile_at(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    y, x = GAP + row * (LABEL + TILE + GAP) + LABEL, GAP + column * (TILE + GAP)
    return sheet[y : y + TILE, x : x + TILE]


def test_a_real_image_that_is_among_the_synthetic_ones_is_its_own_neighbour_before_g():
    """After g, which is made to shift features to those of another image, it is that image."""
    net, batch = net_and_batch()
    images = torch.cat([batch.synthetic, batch.real])
    targets = torch.cat([batch.synthetic_targets, batch.real_targets])
    with torch.no_grad():
        shift = net.extract(images[:1]) - net.extract(batch.real[:1])
    net.mapping = Shift(shift)
    net.train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    sheet = neighbour_sheet(net, batch, images, targets)
    real = tile_at(sheet, 0, 0)
    np.testing.assert_array_equal(tile_at(sheet, 0, 2), real)
    assert not np.array_equal(tile_at(sheet, 0, 1), real)  # its twin

    mapped = tile_at(sheet, 0, 2 + NEAREST)
    other = Batch(images[:1], targets[:1], images[:0], images, targets)
    np.testing.assert_array_equal(
        mapped, tile_at(neighbour_sheet(net, other, images, targets), 0, 0)
    )
    assert not np.array_equal(mapped, real)
    assert net.training and all(m.training for m in net.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


class Shift(torch.nn.Module):
    def __init__(self, by: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("by", by)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.by


def test_a_gallery_keeps_the_last_images():
    net, batch = net_and_batch()
    gallery, count = Gallery(len(batch.synthetic)), len(batch.synthetic)
    gallery.add(Batch(**vars(batch) | {"synthetic": -batch.synthetic}))
    gallery.add(batch)
    images, targets = batch.synthetic, batch.synthetic_targets
    assert count > 0
    np.testing.assert_array_equal(
        gallery.sheet(net, batch), neighbour_sheet(net, batch, images, targets)
    )
