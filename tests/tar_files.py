"""Members of a tar file, changed."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

Members = dict[str, bytes]


def read_tar(path: Path) -> Members:
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def edit_tar(path: Path, change: Callable[[Members], object]) -> Path:
    members = read_tar(path)
    change(members)
    write_tar(path, list(members.items()))
    return path
