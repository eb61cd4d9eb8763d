"""What TensorBoard shows of a training while it runs."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from render.errors import InputError
from render.whole_file import written


class Log:
    """Curves and pictures of one training, in files that TensorBoard reads.

    Methods raise InputError, which names the folder, where they cannot be written.
    """

    def __init__(self, folder: Path, first: int) -> None:
        """
        Args:
            first: steps made before; what was logged of later ones counts no more.
        """
        self._folder = folder
        with written(folder):
            self._writer = SummaryWriter(str(folder), purge_step=first + 1)

    def add(self, values: Mapping[str, float], step: int) -> None:
        """A value each of curves, by name."""
        with written(self._folder):
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def show(self, name: str, picture: np.ndarray, step: int) -> None:
        """A picture, (H, W, 3) uint8."""
        with written(self._folder):
            self._writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write what waits to be written."""
        with written(self._folder):
            self._writer.close()


@contextmanager
def open_log(folder: Path, first: int) -> Iterator[Log]:
    """A log, closed after the block; arguments as of `Log`."""
    before = threading.excepthook

    def without_writers(args: threading.ExceptHookArgs) -> None:
        # TensorBoard writes in a thread, whose error `Log` meets and raises.
        if not isinstance(args.exc_value, OSError):
            before(args)

    threading.excepthook = without_writers
    log = Log(folder, first)
    try:
        yield log
    except BaseException:
        with suppress(InputError):  # it would hide the first error
            log.close()
        raise
    else:
        log.close()
    finally:
        threading.excepthook = before
