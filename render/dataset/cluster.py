"""Shards of work -> the processes of a Ray cluster, whose nodes share the folders."""

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from render.dataset.shards import ATTEMPTS, OpenMaker, Shard, attempt, check_all_done
from render.errors import InputError, PartError

ROOT = Path(__file__).resolve().parents[2]
CONNECT_S = 10.0
S = TypeVar("S", bound=Shard)


def make_on_cluster(open_maker: OpenMaker, shards: Sequence[S], address: str) -> Iterator[S]:
    """Do shards wherever a cluster has a free CPU; yields each when it is complete.

    Every node must see this project, what is read and what is written under the same paths. The
    shard of a process or node that dies is done again by another.

    Args:
        address: HOST:PORT of the cluster's head, or "auto" for the one that this machine is in.

    Raises:
        InputError: there is no Ray or no such cluster; or shards of which ATTEMPTS processes died
            each, when all others are complete.
        Exception: what a shard raised; work on the others is cut off.
    """
    if not shards:
        return
    ray = _connect(address)
    try:
        task = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(_attempt)
        folder = os.getcwd()
        opener = ray.put(open_maker)  # it may hold meshes: once a node, not once a shard
        waiting = {task.remote(folder, opener, shard): shard for shard in shards}
        given_up, refused = [], []
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            shard = waiting.pop(done)
            try:
                error = ray.get(done)
            except ray.exceptions.RayTaskError:
                raise
            except ray.exceptions.RayError as death:
                given_up.append((shard.name, type(death).__name__))
                continue
            if isinstance(error, PartError):
                refused.append(error)
            elif error is not None:
                raise error
            else:
                yield shard
        check_all_done(refused, given_up)
    finally:
        ray.shutdown()


def _connect(address: str) -> ModuleType:
    """Ray, as a client of the cluster."""
    try:
        import ray
    except ImportError:
        raise InputError(
            "--ray needs Ray; run on every node: python -m pip install 'ray>=2.60'"
        ) from None
    environment = {"PYTHONPATH": str(ROOT), "LP_NUM_THREADS": "0"}
    try:
        if address != "auto":  # Ray itself would try for minutes
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), CONNECT_S).close()
        ray.init(
            address,
            runtime_env={"env_vars": environment},
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"--ray {address}: no cluster can be reached ({reason}); give its head's HOST:PORT, or"
            " start one here with `ray start --head`"
        ) from None
    return ray


def _attempt(folder: str, open_maker: OpenMaker, shard: Shard) -> Exception | None:
    """Do a shard in a process of the cluster, where relative paths mean what they do here."""
    os.chdir(folder)
    return attempt(open_maker, shard)
