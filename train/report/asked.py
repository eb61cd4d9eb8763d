"""What was asked of a command, kept in its folder as asked.json: words, options, versions."""

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from render.config import to_dict
from render.json_file import write_text

FILE = "asked.json"
FOLDERS = ("BOP_PATH", "NYU_PATH")  # variables by which data are found
PACKAGES = (
    *("feature-mapping", "torch", "numpy", "opencv-python-headless", "scipy", "moderngl"),
    *("trimesh", "tensorboard", "matplotlib", "Jinja2"),
)


def write_asked(config: Mapping[str, Any], out: Path, seed: int, network: Path | None) -> None:
    """Write asked.json.

    Args:
        config: section -> options.
        network: the run folder that was tested, or the checkpoint in it, if one was.
    """
    record = {
        "command": command(),
        "folder": os.getcwd(),
        "seed": seed,
        "changed": changed(config),
        "network": None if network is None else str(_folder(network)),
        "versions": versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}",
    }
    write_text(out / FILE, json.dumps(record, indent=2) + "\n")


def _folder(network: Path) -> Path:
    return (network.parent if network.is_file() else network).resolve()


def command() -> str | None:
    """The command line that is being done, as a shell takes it; None where Python calls."""
    context = click.get_current_context(silent=True)
    if context is None or context.info_name not in sys.argv[1:]:
        return None
    found = [f"{name}={shlex.quote(os.environ[name])}" for name in FOLDERS if os.environ.get(name)]
    program = Path(sys.argv[0])
    words = ["python", sys.argv[0]] if program.suffix == ".py" else [program.name]
    if "TORCHELASTIC_RUN_ID" in os.environ:
        words = ["torchrun", "--nproc-per-node", os.environ["LOCAL_WORLD_SIZE"], sys.argv[0]]
    return " ".join([*found, shlex.join([*words, *sys.argv[1:]])])


def changed(config: Mapping[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """Section -> option -> [value, default], of the options that are not at their default."""
    found = {}
    for section, options in config.items():
        values, plain = to_dict(options), type(options)()
        # A default that older records lack is not written down.
        defaults = vars(plain) | to_dict(plain)
        differing = {n: [v, defaults[n]] for n, v in values.items() if v != defaults[n]}
        if differing:
            found[section] = differing
    return found


def versions() -> dict[str, str]:
    """Python's, and those of the packages that are installed."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # the project itself, used from its folder
            continue
    return found
