"""Files made of parts: taken apart and put together again, with sizes and checksums that fit.

So damage reaches what lies behind a checksum, which would refuse nearly every changed bit.
"""

import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PNG_START, GLB_START, ZIP_START = b"\x89PNG\r\n\x1a\n", b"glTF", b"PK\x03\x04"
TAR_MARK = slice(257, 262)  # where a tar file says that it is one
Part = tuple[str, bytes]  # name and content


@dataclass(frozen=True)
class Container:
    """How files of one kind are made of parts; either way raises for what is damaged."""

    starts: Callable[[bytes], bool]
    split: Callable[[bytes], list[Part]]
    join: Callable[[Sequence[Part]], bytes]


def container_of(content: bytes) -> Container | None:
    """What a file is a container of, by its first bytes; None if it is none."""
    return next((kind for kind in CONTAINERS if kind.starts(content)), None)


def _split_png(content: bytes) -> list[Part]:
    parts, at = [], len(PNG_START)
    while at < len(content):
        (size,) = struct.unpack_from(">I", content, at)
        name = content[at + 4 : at + 8].decode("latin-1")
        body = content[at + 8 : at + 8 + size]
        parts.append((name, zlib.decompress(body) if name == "IDAT" else body))
        at += 12 + size
    return parts


def _join_png(parts: Sequence[Part]) -> bytes:
    """Pixels of several parts are compressed apart, as no writer does it."""
    chunks = [PNG_START]
    for name, body in parts:
        kind = name.encode("latin-1", "replace")[:4].ljust(4)
        body = zlib.compress(body, 1) if kind == b"IDAT" else body
        check = zlib.crc32(kind + body)
        chunks.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check))
    return b"".join(chunks)


def _split_glb(content: bytes) -> list[Part]:
    parts, at = [], 12
    while at < len(content):
        size, kind = struct.unpack_from("<I4s", content, at)
        parts.append((kind.decode("latin-1"), content[at + 8 : at + 8 + size]))
        at += 8 + size
    return parts


def join_glb(parts: Sequence[Part]) -> bytes:
    chunks = []
    for name, body in parts:
        kind = name.encode("latin-1", "replace")[:4].ljust(4)
        body += (b" " if kind == b"JSON" else b"\0") * (-len(body) % 4)
        chunks.append(struct.pack("<I4s", len(body), kind) + body)
    rest = b"".join(chunks)
    return GLB_START + struct.pack("<II", 2, 12 + len(rest)) + rest


def _split_zip(content: bytes) -> list[Part]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return [(name, file.read(name)) for name in file.namelist()]


def _join_zip(parts: Sequence[Part]) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w") as file:
        warnings.simplefilter("ignore")  # of two parts of one name
        for name, body in parts:
            file.writestr(zipfile.ZipInfo(name), body)
    return content.getvalue()


def _split_tar(content: bytes) -> list[Part]:
    with tarfile.open(fileobj=io.BytesIO(content)) as file:
        return [(m.name, file.extractfile(m).read()) for m in file if m.isfile()]  # type: ignore[union-attr]


def _join_tar(parts: Sequence[Part]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        for name, body in parts:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            file.addfile(info, io.BytesIO(body))
    return content.getvalue()


CONTAINERS = (
    Container(lambda c: c.startswith(PNG_START), _split_png, _join_png),
    Container(lambda c: c.startswith(GLB_START), _split_glb, join_glb),
    Container(lambda c: c.startswith(ZIP_START), _split_zip, _join_zip),
    Container(lambda c: c[TAR_MARK] == b"ustar", _split_tar, _join_tar),
)
