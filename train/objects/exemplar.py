"""The exemplar baseline: a feature takes the pose of the synthetic image whose feature is nearest.

The look-up stands where h stands in a network, so that cropping, f, g and PnP stay the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from render.errors import InputError
from render.mesh.mesh import ObjectModel
from render.progress import progress
from train.learn.batches import Crops
from train.learn.checkpoint import Checkpoint
from train.learn.networks import PoseNet
from train.objects.crops import ObjectCrops
from train.objects.data import load_synthetic
from train.options import ExemplarConfig

METHOD = "exemplar"
PURPOSE = 17  # of the stream of random numbers that crops are drawn from
CHUNK = 65_536  # exemplars compared at once: bounds the memory of a look-up
CANDIDATES = 8  # of a chunk, measured again without cancellation
LINKS, BUILD_WIDTH, SEARCH_WIDTH = 32, 100, 128  # of the HNSW graph: M, efConstruction, efSearch


@dataclass(frozen=True, eq=False)
class Library:
    """features: (n, d) float32 of synthetic crops, on the CPU. targets: (n, outputs), theirs."""

    features: Tensor
    targets: Tensor

    def first(self, count: int) -> "Library":
        """The library that would have been built of `count` exemplars."""
        return Library(self.features[:count], self.targets[:count])


class ExactLookup(nn.Module):
    """Stands for h: features (B, d) -> targets (B, outputs) of the nearest exemplar."""

    features: Tensor
    half_norms: Tensor
    targets: Tensor

    def __init__(self, library: Library) -> None:
        super().__init__()
        self.register_buffer("features", library.features)
        self.register_buffer("half_norms", _half_norms(library.features))
        self.register_buffer("targets", library.targets)

    def nearest(self, queries: Tensor) -> Tensor:
        """Indices (B,) of the exemplars at the least Euclidean distance from queries (B, d).

        The best of each chunk by |x|^2 / 2 - q.x, one matrix product, are measured again by their
        differences, since rounding of the product may swap neighbours.
        """
        least = torch.full((len(queries),), torch.inf, device=queries.device)
        found = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
        for first in range(0, len(self.features), CHUNK):
            features = self.features[first : first + CHUNK]  # (c, d)
            rank = self.half_norms[first : first + CHUNK] - queries @ features.T  # (B, c)
            chosen = rank.topk(min(CANDIDATES, len(features)), largest=False).indices  # (B, k)
            squares = (features[chosen] - queries[:, None]).square().sum(dim=2)  # (B, k)
            square, best = squares.min(dim=1)
            closer = square < least
            index = first + chosen.gather(1, best[:, None])[:, 0]
            least, found = torch.where(closer, square, least), torch.where(closer, index, found)
        return found

    def forward(self, features: Tensor) -> Tensor:
        return self.targets[self.nearest(features.flatten(1))]


class ApproximateLookup(nn.Module):
    """`ExactLookup` by a graph of neighbours (HNSW, Malkov and Yashunin 2018), on the CPU."""

    targets: Tensor

    def __init__(self, library: Library) -> None:
        super().__init__()
        try:
            import faiss
        except ImportError:
            raise InputError("--approximate needs faiss: pip install faiss-cpu") from None
        self.index = faiss.IndexHNSWFlat(library.features.shape[1], LINKS)
        self.index.hnsw.efConstruction = BUILD_WIDTH
        self.index.hnsw.efSearch = SEARCH_WIDTH
        self.index.add(library.features.numpy())
        self.register_buffer("targets", library.targets)

    def nearest(self, queries: Tensor) -> Tensor:
        """Indices (B,) of exemplars near queries (B, d), mostly the nearest."""
        _, found = self.index.search(queries.float().cpu().numpy(), 1)  # (B, 1)
        return torch.from_numpy(found[:, 0]).to(queries.device)

    def forward(self, features: Tensor) -> Tensor:
        return self.targets[self.nearest(features.flatten(1))]


def build_library(
    net: PoseNet,
    crops: Crops,
    samples: Sequence[Any],
    count: int,
    seed: int,
    device: torch.device | str = "cpu",
    batch: int = 256,
) -> Library:
    """Features f(x) of random training crops of synthetic samples, and their targets.

    Exemplar i is of sample i modulo their number: more exemplars than samples are further crops of
    the same images. A smaller library is the beginning of a larger one.

    Args:
        samples: what `crops` takes; none of them real.
    """
    net = net.to(device).eval()
    features, targets = None, torch.empty(count, crops.outputs)
    firsts = range(0, count, batch)
    for first in progress(firsts, len(firsts), "exemplars, batches"):
        part = slice(first, min(first + batch, count))
        pairs = [_exemplar(crops, samples, i, seed) for i in range(part.start, part.stop)]
        images = torch.from_numpy(np.stack([image for image, _ in pairs])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            found = net.extract(images.to(device)).float().cpu().flatten(1)  # (b, d)
        if features is None:  # one allocation, at its full size: a million of 512 take 2 GB
            features = torch.empty(count, found.shape[1])
        features[part] = found
        targets[part] = torch.from_numpy(np.stack([target for _, target in pairs]))
    if features is None:
        raise ValueError(f"a library needs at least one exemplar, got {count}")
    return Library(features, targets)


def with_lookup(checkpoint: Checkpoint, lookup: nn.Module) -> Checkpoint:
    """The same network, but that a look-up reads the (mapped) feature instead of h."""
    net = PoseNet(checkpoint.net.extract, checkpoint.net.mapping, lookup)
    return replace(checkpoint, net=net, method=METHOD)


def object_library(
    checkpoint: Checkpoint, folder: Path, model: ObjectModel, count: int, seed: int
) -> Library:
    """`build_library` of the images of an object in a dataset that `render` made."""
    device = next(checkpoint.net.parameters()).device
    samples = load_synthetic(folder, model, min_visib=0.1)
    crops = ObjectCrops(checkpoint.crop, checkpoint.object.surface)
    return build_library(checkpoint.net, crops, samples, count, seed, device)


def exemplar_reader(
    checkpoint: Checkpoint, config: ExemplarConfig, model: ObjectModel, seed: int
) -> Checkpoint:
    """`with_lookup` as configured.

    Raises:
        InputError: there are no images to take exemplars from, or no faiss where it is asked for.
    """
    folder = Path(config.synthetic)
    if not config.synthetic or not folder.is_dir():
        raise InputError(
            f"--exemplars needs --synthetic DIR, a dataset that `render` made; got"
            f" {config.synthetic or 'none'}"
        )
    library = object_library(checkpoint, folder, model, config.exemplars, seed)
    lookup = ApproximateLookup if config.approximate else ExactLookup
    return with_lookup(checkpoint, lookup(library))


def _exemplar(
    crops: Crops, samples: Sequence[Any], index: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Image (size, size, channels) and target (outputs,); of symmetric poses the first."""
    sample = samples[index % len(samples)]
    crop = crops.draw(np.random.default_rng([seed, index, PURPOSE]), sample)
    return crops.image(sample, crop), crops.targets(sample, crop)[0].astype(np.float32)


def _half_norms(features: Tensor) -> Tensor:
    """|x|^2 / 2 of (n, d) features, in chunks."""
    return torch.cat([part.square().sum(dim=1) / 2 for part in features.split(CHUNK)])
