"""Several processes, of one machine or more, that train one network together under `torchrun`.

Each works through its part of every batch; gradients are averaged over the processes. Machines
share the folders that are read and written; only the first process writes.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from render.whole_file import held

log = logging.getLogger(__name__)

PATIENCE = timedelta(days=1)  # the others may wait while the first process renders or tests


def rank() -> int:
    """Which of the processes this is; 0 is the first, or the only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the processes that torchrun started, if it did.

    Args:
        device: of --device. Under torchrun auto and cuda are the GPU of this process's own number.

    Yields:
        The name of this process's device.
    """
    if not dist.is_torchelastic_launched() or os.environ["WORLD_SIZE"] == "1":
        yield device
        return
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def wait() -> None:
    """Go on when every process is here."""
    if count() > 1:
        dist.barrier()


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process through before the others, who then find finished what it made."""
    if rank() != 0:
        wait()
    yield
    if rank() == 0:
        wait()


@contextmanager
def held_by_first(out: Path) -> Iterator[None]:
    """Hold a folder for these processes alone, by the first of them: see `whole_file.held`."""
    with held(out) if rank() == 0 else nullcontext():
        yield


def average_gradients(module: nn.Module) -> nn.Module:
    """The module with its gradients averaged over all processes, and equal weights in each.

    Batch norm that is being learnt takes its statistics from the joint batch, on GPUs.
    """
    if count() == 1:
        return module
    if any(isinstance(part, nn.BatchNorm2d) and part.training for part in module.modules()):
        if next(module.parameters()).is_cuda:
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        elif rank() == 0:
            log.warning(
                "batch norm learns its statistics from each process's part of a batch, as torch"
                " joins them on GPUs only: fewer processes would give other weights"
            )
    return DistributedDataParallel(module)


def average(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Scalars, averaged over all processes."""
    found = torch.stack([term.detach() for term in terms.values()])
    if count() > 1:
        dist.all_reduce(found)
        found /= count()
    return dict(zip(terms, found, strict=True))
