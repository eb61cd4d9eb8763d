"""Samples -> batches: what each method sees at each step, fixed by (seed, step).

A sample is whatever a `Crops` makes images and targets of: an object's instance, a hand's frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from render.errors import InputError
from train.learn.stream import Live, Samples, Stream
from train.options import COMPOSITION, WITH_ADVERSARY

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
class Inputs:
    """What networks are trained on; twins[i] are those of real[i].

    synthetic: samples, or what renders them while they are trained on. known: how many of real, the
    first ones, are those whose labels are known, each once; None if all are. unlabelled: real
    samples of which only the image is looked at.
    """

    crops: Crops
    real: Sequence[Any] = ()
    twins: Sequence[Sequence[Any]] = ()
    synthetic: Sequence[Any] | Live = ()
    known: int | None = None
    unlabelled: Sequence[Any] = ()


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Real frames without labels, where what is trained for was found in them: samples of which
    only the image may be looked at.

    frames: words for all of them, as of `trainer.Training`.
    """

    samples: Sequence[Any]
    frames: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Batch:
    """Images (n, c, size, size) in [-1, 1], targets (n, s, outputs); twins[i] pairs real[i].

    unlabelled: images, too; without any a tensor of nothing.
    """

    real: Tensor
    real_targets: Tensor
    twins: Tensor
    synthetic: Tensor
    synthetic_targets: Tensor
    unlabelled: Tensor = field(default_factory=lambda: torch.zeros(0))

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(**{name: tensor.to(device) for name, tensor in vars(self).items()})


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
        part: tuple[int, int] = (0, 1),
        unlabelled: Sequence[Any] = (),
    ) -> None:
        """
        Args:
            twins: for each real sample its synthetic twins.
            synthetic: samples, or what renders them while they are trained on.
            size: images in a batch, without unlabelled ones.
            part: (i, n), which of n equal parts of every batch is made here.

        Raises:
            InputError: n equal parts there are not.
        """
        real_share, twin_share, _ = COMPOSITION[method]
        self.n_real, self.n_twins = round(real_share * size), round(twin_share * size)
        self.n_synthetic = size - self.n_real - self.n_twins
        self.n_unlabelled = self.n_synthetic if method in WITH_ADVERSARY else 0
        for count, found, what in (
            (self.n_real, real, "real samples"),
            (self.n_twins, twins, "twins"),
            (self.n_synthetic, synthetic, "synthetic samples"),
            (self.n_unlabelled, unlabelled, "unlabelled samples"),
        ):
            if count and not found:
                raise ValueError(f"method {method} needs {what}, got none")
        self.part, parts = part, part[1]
        if self.n_real % parts or self.n_twins % parts or self.n_synthetic % parts:
            raise InputError(
                f"train.batch = {size} is {self.n_real} real, {self.n_twins} twin and"
                f" {self.n_synthetic} synthetic images for {method}, which {parts} processes cannot"
                " share equally; change one of the two"
            )
        self.real, self.twins, self.unlabelled = real, twins, unlabelled
        self.crops, self.seed = crops, seed
        self.synthetic = () if isinstance(synthetic, Live) else synthetic
        self._stream: Stream | None = None
        if isinstance(synthetic, Live) and self.n_synthetic:
            samples = Samples(
                synthetic.source, crops, seed, self.n_synthetic, self._mine(self.n_synthetic)
            )
            self._stream = Stream(samples, synthetic.workers)

    def close(self) -> None:
        """End the processes that render, if there are any."""
        if self._stream is not None:
            self._stream.close()

    @property
    def live(self) -> bool:
        """Whether synthetic images are rendered while they are trained on."""
        return self._stream is not None

    def fingerprint(self) -> dict[str, Any]:
        """What is drawn from, down to the pixels: equal for the same images only."""
        twins = [twin for of_one in self.twins for twin in of_one]
        used = {
            "real": self.real if self.n_real else [],
            "twins": twins if self.n_twins else [],
            "synthetic": self.synthetic if self.n_synthetic else [],
        }
        if self.n_unlabelled:
            used["unlabelled"] = self.unlabelled
        found: dict[str, Any] = {name: self._fingerprint(of_it) for name, of_it in used.items()}
        return found if self._stream is None else found | {"synthetic": self._stream.fingerprint()}

    def batch(self, step: int) -> Batch:
        """The batch of one step, or the part of it that is made here."""
        rng = np.random.default_rng([self.seed, step])
        chosen = _draw(rng, len(self.real), self.n_real)
        real = [self.real[i] for i in chosen]
        crops = [self.crops.draw(rng, sample) for sample in real]
        pairs = chosen[: self.n_twins]
        twins = [self.twins[i][int(rng.integers(len(self.twins[i])))] for i in pairs]

        synthetic, synthetic_targets = self._synthetic(step, rng)
        batch = Batch(
            real=self._images(real, crops, [step, 1]),
            real_targets=self._targets(real, crops),
            # The same crops and draws: a pair shares exposure and contrast, too.
            twins=self._images(twins, crops, [step, 1]),
            synthetic=synthetic,
            synthetic_targets=synthetic_targets,
        )
        return replace(batch, unlabelled=self._unlabelled(step)) if self.n_unlabelled else batch

    def _unlabelled(self, step: int) -> Tensor:
        """Augmented images, from streams of their own: all others are as without them."""
        rng = np.random.default_rng([self.seed, step, 3])
        samples = [self.unlabelled[i] for i in _draw(rng, len(self.unlabelled), self.n_unlabelled)]
        crops = [self.crops.draw(rng, sample) for sample in samples]
        return self._images(samples, crops, [step, 4])

    def _synthetic(self, step: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Augmented synthetic images and their targets."""
        if self._stream is not None:
            return self._stream.batch(step)
        drawn = _draw(rng, len(self.synthetic), self.n_synthetic)
        samples = [self.synthetic[i] for i in drawn]
        crops = [self.crops.draw(rng, sample) for sample in samples]
        return self._images(samples, crops, [step, 2]), self._targets(samples, crops)

    def _mine(self, total: int) -> range:
        """Which of a batch's real, twin or synthetic images are made here.

        Every n-th one, so that what pairs a twin with its real image holds in each part too.
        """
        return range(self.part[0], total, self.part[1])

    def _images(self, samples: Sequence[Any], crops: Sequence[Any], draws: list[int]) -> Tensor:
        """(n, c, size, size) of this part, augmented by the draws of [seed, *draws].

        Those are drawn for the whole batch, so that an image looks alike in whatever part it is.
        """
        size, mine = self.crops.size, self._mine(len(samples))
        images = np.zeros((len(samples), size, size, self.crops.channels), np.float32)
        for i in mine:
            images[i] = self.crops.image(samples[i], crops[i])
        augmented = self.crops.augment(images, np.random.default_rng([self.seed, *draws]))
        # The memory keeps channels last.
        return torch.from_numpy(np.ascontiguousarray(augmented[mine.start :: mine.step])).permute(
            0, 3, 1, 2
        )

    def _targets(self, samples: Sequence[Any], crops: Sequence[Any]) -> Tensor:
        """(n, s, outputs) of this part."""
        mine = self._mine(len(samples))
        if not mine:
            return torch.zeros(0, 1, self.crops.outputs)
        targets = [self.crops.targets(samples[i], crops[i]) for i in mine]
        return torch.from_numpy(np.stack(targets).astype(np.float32))

    def _fingerprint(self, samples: Sequence[Any]) -> str:
        checksum = 0
        for sample in samples:
            checksum = self.crops.checksum(sample, checksum)
        return f"{len(samples)} samples ({checksum:08x})"


def _draw(rng: np.random.Generator, among: int, count: int) -> list[int]:
    return rng.integers(among, size=count).tolist() if count else []
