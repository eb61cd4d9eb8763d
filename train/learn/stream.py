"""Endless synthetic samples, rendered while they are trained on; none is seen twice.

Sample (seed, index) is the same image and target whoever makes it and whatever was made before it.
A step trains on the next `size` indices, so that a stream can begin at any step.
"""

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from render.errors import InputError

if TYPE_CHECKING:
    from train.learn.batches import Crops

CROP, AUGMENT = 101, 102  # purposes of a sample's random numbers, beside those of its scene
PREFETCH = 4  # batches that a worker is ahead
SHARED_MEMORY = "/dev/shm"


class Sampler(Protocol):
    """Makes samples, and holds what that takes: an OpenGL context, meshes."""

    def make(self, indices: Sequence[int]) -> list[Any]:
        """The samples of these indices, as a `batches.Crops` takes them."""

    def close(self) -> None: ...


class Source(Protocol):
    """Says what samples are made from; can be pickled."""

    def settings(self, seed: int) -> dict[str, Any]:
        """All that the samples depend on, as plain data."""

    def open(self, seed: int) -> Sampler: ...


@dataclass(frozen=True)
class Live:
    """Synthetic samples that are rendered while training, in place of a sequence of them.

    workers: processes that render; with 0 the training process does it itself.
    """

    source: Source
    workers: int = 1

    def examples(self, count: int, seed: int) -> list[Any]:
        """The first samples, to be looked at."""
        sampler = self.source.open(seed)
        try:
            return sampler.make(range(count))
        finally:
            sampler.close()


class Samples(IterableDataset):
    """(images, targets) of step `first`, first + 1, ... without end, for a DataLoader.

    Images are (n, size, size, channels) float32, cropped and augmented; targets (n, s, outputs).
    Worker i of n makes every n-th step; a DataLoader hands them on in their order.
    """

    def __init__(
        self, source: Source, crops: "Crops", seed: int, size: int, part: range | None = None
    ) -> None:
        """
        Args:
            size: samples in a step.
            part: those of them that are made here, where several processes share a step; all of
                them where None.
        """
        self.source, self.crops, self.seed = source, crops, seed
        self.size, self.part = size, range(size) if part is None else part
        if not self.part or min(self.part) < 0 or max(self.part) >= size:
            raise ValueError(f"part must lie within a step's {size} samples, got {part}")
        self.first = 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray] | InputError]:
        worker = get_worker_info()
        step, stride = (self.first + worker.id, worker.num_workers) if worker else (self.first, 1)
        try:
            sampler = self.source.open(self.seed)
            try:
                while True:
                    yield self._step(sampler, step)
                    step += stride
            finally:
                sampler.close()
        except InputError as error:
            yield error  # a DataLoader would put a traceback into its one line

    def _step(self, sampler: Sampler, step: int) -> tuple[np.ndarray, np.ndarray]:
        indices = [step * self.size + i for i in self.part]
        images, targets = [], []
        for index, sample in zip(indices, sampler.make(indices), strict=True):
            crop = self.crops.draw(np.random.default_rng([self.seed, index, CROP]), sample)
            image = self.crops.image(sample, crop)[None]
            rng = np.random.default_rng([self.seed, index, AUGMENT])
            images.append(self.crops.augment(image, rng))
            targets.append(self.crops.targets(sample, crop))
        return np.concatenate(images), np.stack(targets).astype(np.float32)


class Stream:
    """Batches of `Samples`, by step: the next step's are waiting, any other begins the stream anew.

    Use `close` to end its workers.
    """

    def __init__(self, samples: Samples, workers: int) -> None:
        self._samples, self._workers = samples, workers
        self._batches: Iterator[Any] | None = None
        self._next: int | None = None

    def fingerprint(self) -> dict[str, Any]:
        """What the samples depend on."""
        return self._samples.source.settings(self._samples.seed)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images (n, channels, size, size) and targets of one step; see `Samples`.

        Raises:
            InputError: the scenes cannot be drawn, or a worker has died.
        """
        if self._batches is None or step != self._next:
            self.close()
            self._begin(step)
        assert self._batches is not None
        try:
            made = next(self._batches)
        except RuntimeError as error:
            self.close()
            raise death_of_worker(error) or error from None
        if isinstance(made, InputError):
            self.close()
            raise made
        self._next = step + 1
        images, targets = map(torch.as_tensor, made)
        return images.permute(0, 3, 1, 2), targets

    def close(self) -> None:
        """End the workers."""
        shutdown = getattr(self._batches, "_shutdown_workers", None)
        if shutdown is not None:
            # One that dies as it ends (drivers do, now and then) has nothing to give any more.
            with suppress(RuntimeError):
                shutdown()
        self._batches = self._next = None

    def _begin(self, step: int) -> None:
        self._samples.first = step
        # Spawned, since an OpenGL context does not survive a fork. A generator of its own: what
        # the training draws does not depend on where the stream began.
        several = {"multiprocessing_context": "spawn", "prefetch_factor": PREFETCH}
        if not self._fits_shared_memory():
            several["collate_fn"] = _as_they_are
        loader: DataLoader = DataLoader(
            self._samples,
            batch_size=None,
            num_workers=self._workers,
            worker_init_fn=_prepare_worker,
            generator=torch.Generator(),
            **(several if self._workers else {}),  # type: ignore[arg-type]
        )
        self._batches = iter(loader)

    def _fits_shared_memory(self) -> bool:
        """Whether the tensors of all waiting batches do; in a container it is 64 MB by default.

        Where they do not, a DataLoader would wait for ever: arrays then go through a pipe, which
        takes the training some hundredths of a second a batch.
        """
        crops = self._samples.crops
        batch = len(self._samples.part) * crops.size**2 * 4 * (crops.channels + 1)  # bytes
        try:
            return shutil.disk_usage(SHARED_MEMORY).free > self._workers * (PREFETCH + 2) * batch
        except OSError:
            return False


def _as_they_are(arrays: Any) -> Any:
    return arrays


def death_of_worker(error: RuntimeError) -> InputError | None:
    """What to tell the user where a RuntimeError means that a worker of a stream died.

    A DataLoader notices it wherever the training is just then.
    """
    if "DataLoader worker" not in str(error):
        return None
    what = str(error).splitlines()[0].rstrip(". ")
    return InputError(
        f"run.live: a process that renders has died ({what}); the same command goes on where the"
        " last checkpoint was saved. If memory was short, lower run.live_workers"
    )


def _prepare_worker(_: int) -> None:
    """Leave the cores to the training, and Ctrl-C to the main process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("LP_NUM_THREADS", "1")
    cv2.setNumThreads(1)
