"""Samples -> batches: what each method sees at each step, fixed by (seed, step).

A sample is whatever a `Crops` makes images and targets of: an object's instance, a hand's frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from train.options import COMPOSITION
from train.stream import Live, Samples, Stream

Sample = TypeVar("Sample", contravariant=True)
Crop = TypeVar("Crop")


class Crops(Protocol[Sample, Crop]):
    """How samples of one kind become a network's input and targets.

    size: side of the images in pixels. channels: of the images. outputs: numbers to be predicted.
    """

    size: int

    @property
    def channels(self) -> int: ...

    @property
    def outputs(self) -> int: ...

    def draw(self, rng: np.random.Generator, sample: Sample) -> Crop:
        """A random crop for training; both images of a pair get the same one."""

    def image(self, sample: Sample, crop: Crop) -> np.ndarray:
        """(size, size, channels) float32 in [-1, 1]."""

    def targets(self, sample: Sample, crop: Crop) -> np.ndarray:
        """(s, outputs), a row for each of s poses that look alike."""

    def augment(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Vary the pixels of (n, size, size, channels) images; equal draws vary them alike."""

    def checksum(self, sample: Sample, before: int) -> int:
        """A sample's pixels and pose, added to the checksum of those before it."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Images (n, c, size, size) in [-1, 1], targets (n, s, outputs); twins[i] pairs real[i]."""

    real: Tensor
    real_targets: Tensor
    twins: Tensor
    synthetic: Tensor
    synthetic_targets: Tensor


class Batches:
    """Draws batches; batch `step` is the same whenever it is asked for."""

    def __init__(
        self,
        real: Sequence[Any],
        twins: Sequence[Sequence[Any]],
        synthetic: Sequence[Any] | Live,
        method: str,
        size: int,
        crops: Crops,
        seed: int,
    ) -> None:
        """
        Args:
            twins: for each real sample its synthetic twins.
            synthetic: samples, or what renders them while they are trained on.
            size: images in a batch.
        """
        real_share, twin_share, _ = COMPOSITION[method]
        self.n_real, self.n_twins = round(real_share * size), round(twin_share * size)
        self.n_synthetic = size - self.n_real - self.n_twins
        for count, found, what in (
            (self.n_real, real, "real samples"),
            (self.n_twins, twins, "twins"),
            (self.n_synthetic, synthetic, "synthetic samples"),
        ):
            if count and not found:
                raise ValueError(f"method {method} needs {what}, got none")
        self.real, self.twins = real, twins
        self.crops, self.seed = crops, seed
        self.synthetic = () if isinstance(synthetic, Live) else synthetic
        self._stream: Stream | None = None
        if isinstance(synthetic, Live) and self.n_synthetic:
            samples = Samples(synthetic.source, crops, seed, self.n_synthetic)
            self._stream = Stream(samples, synthetic.workers)

    def close(self) -> None:
        """End the processes that render, if there are any."""
        if self._stream is not None:
            self._stream.close()

    def fingerprint(self) -> dict[str, Any]:
        """What is drawn from, down to the pixels: equal for the same images only."""
        twins = [twin for of_one in self.twins for twin in of_one]
        used = {
            "real": self.real if self.n_real else [],
            "twins": twins if self.n_twins else [],
            "synthetic": self.synthetic if self.n_synthetic else [],
        }
        found: dict[str, Any] = {name: self._fingerprint(of_it) for name, of_it in used.items()}
        return found if self._stream is None else found | {"synthetic": self._stream.fingerprint()}

    def batch(self, step: int) -> Batch:
        """The batch of one step."""
        rng = np.random.default_rng([self.seed, step])
        chosen = _draw(rng, len(self.real), self.n_real)
        real, real_targets, crops = self._cut([self.real[i] for i in chosen], rng)

        # The same crop for both images of a pair.
        pairs = chosen[: self.n_twins]
        picked = [self.twins[i][int(rng.integers(len(self.twins[i])))] for i in pairs]
        twins = self._images(picked, crops[: self.n_twins])

        synthetic, synthetic_targets = self._synthetic(step, rng)
        augment = self.crops.augment
        return Batch(
            real=_to_tensor(augment(real, np.random.default_rng([self.seed, step, 1]))),
            real_targets=real_targets,
            # The same draws: a pair shares exposure and contrast as it shares its crop.
            twins=_to_tensor(augment(twins, np.random.default_rng([self.seed, step, 1]))),
            synthetic=synthetic,
            synthetic_targets=synthetic_targets,
        )

    def _synthetic(self, step: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Augmented synthetic images and their targets."""
        if self._stream is not None:
            return self._stream.batch(step)
        drawn = _draw(rng, len(self.synthetic), self.n_synthetic)
        images, targets, _ = self._cut([self.synthetic[i] for i in drawn], rng)
        augmented = self.crops.augment(images, np.random.default_rng([self.seed, step, 2]))
        return _to_tensor(augmented), targets

    def _cut(self, samples: Sequence[Any], rng: np.random.Generator):
        """Images under random crops, their targets (n, s, outputs) and the crops."""
        crops = [self.crops.draw(rng, sample) for sample in samples]
        targets = [
            self.crops.targets(sample, crop) for sample, crop in zip(samples, crops, strict=True)
        ]
        none = np.zeros((0, 1, self.crops.outputs), np.float32)
        stacked = np.stack(targets).astype(np.float32) if targets else none
        return self._images(samples, crops), torch.from_numpy(stacked), crops

    def _images(self, samples: Sequence[Any], crops: Sequence[Any]) -> np.ndarray:
        size = self.crops.size
        images = [self.crops.image(s, crop) for s, crop in zip(samples, crops, strict=True)]
        return np.stack(images) if images else np.zeros((0, size, size, self.crops.channels), "f4")

    def _fingerprint(self, samples: Sequence[Any]) -> str:
        checksum = 0
        for sample in samples:
            checksum = self.crops.checksum(sample, checksum)
        return f"{len(samples)} samples ({checksum:08x})"


def _draw(rng: np.random.Generator, among: int, count: int) -> list[int]:
    return rng.integers(among, size=count).tolist() if count else []


def _to_tensor(images: np.ndarray) -> Tensor:
    """(n, h, w, c) numpy -> (n, c, h, w) torch; the memory keeps channels last."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
