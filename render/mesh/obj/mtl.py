"""MTL files: the colour or the texture of each material of an OBJ file.

Format: Wavefront's "MTL material format", 4.2 (1995), as modelling programs write it.
"""

import logging
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes
from render.plain import spells_number

log = logging.getLogger(__name__)

# Maps that change what is seen, of Wavefront's and of the extension for physically based rendering.
UNDRAWN = ("bump", "map_bump", "norm", "disp", "map_ks", "map_ns", "map_ke", "map_pr", "map_pm")
# Options before a texture's name, and how many words each takes at most. Those with numbers may
# have fewer.
NUMBERS = {"-boost": 1, "-bm": 1, "-texres": 1, "-mm": 2, "-o": 3, "-s": 3, "-t": 3}
OPTIONS = NUMBERS | dict.fromkeys(
    ("-blendu", "-blendv", "-cc", "-clamp", "-colorspace", "-imfchan", "-type"), 1
)
OVERSHOOT = 1e-3  # of a colour outside 0..1, by rounding
LEAST_OF_255 = 16  # what is darker and not whole may as well be fractions that are too large


@dataclass(frozen=True)
class Material:
    """What of a material is drawn.

    color: 8-bit RGB, None where the file gives none. texture: the image's name as it is written,
    None without one; its texture coordinates are uv * scale + offset, and repeat outside 0..1
    unless `clamp` is set.
    """

    color: tuple[int, int, int] | None
    texture: str | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    clamp: bool = False


@dataclass(frozen=True)
class Entry:
    """A material as it stands in a file: the last statement of each kind, by its name."""

    file: Path
    name: str
    statements: dict[str, str]


def read_mtl(path: Path) -> dict[str, Entry]:
    """The materials of a file, by name; what they say is not looked at yet.

    Raises:
        InputError: the file cannot be read, or is no text.
    """
    entries: dict[str, Entry] = {}
    statements: dict[str, str] = {}  # those before the first material belong to none
    try:
        text = decode_text(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    for line in text.splitlines():
        key, _, rest = line.strip().replace("\t", " ").partition(" ")
        if key.lower() == "newmtl":
            name, statements = plain_name(rest), {}
            entries[name] = Entry(path, name, statements)
        elif not key.startswith("#"):
            statements[key.lower()] = rest.strip()
    return entries


def decode_text(text: bytes) -> str:
    """UTF-8, with or without its mark; what is not is taken for Latin-1, as older programs write.

    Raises:
        ValueError: it holds NUL bytes, as binary files and UTF-16 do.
    """
    if b"\0" in text:
        raise ValueError("NUL bytes in what should be text in UTF-8")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def plain_name(text: str) -> str:
    """A material's name with one space where there are more: some programs write names so."""
    return " ".join(text.split())


def material_of(entry: Entry) -> Material:
    """What of a material is drawn; a word on what of it is left out.

    Raises:
        InputError: its colour, or its texture's options, cannot be read.
    """
    said = entry.statements
    color = _color(entry)
    texture = said.get("map_kd", "")
    if not texture and (texture := said.get("map_ka", "")):
        _say(entry, "has no map_Kd; its map_Ka is taken for it")
    if color is None and not texture:
        _say(entry, "has no colour Kd; it is drawn in plain grey")
    if _transparent(said):
        _say(entry, "its transparency is left out: it is drawn whole; glTF's masks are cut out")
    if undrawn := [name for name in said if name in UNDRAWN]:
        names = ", ".join(undrawn)
        _say(entry, f"its {names} left out; of glTF, scene.environment draws such maps")
    if not texture:
        return Material(color)

    name, options = _split_options(texture)
    if _pair(options, "-mm", (0, 1)) != (0, 1):
        raise _unread(entry, "-mm changes its texture's colours", "change the image itself")
    if _pair(options, "-t", (0, 0)) != (0, 0):
        _say(entry, "its texture's turbulence (-t) is left out")
    scale, offset = _pair(options, "-s", (1, 1)), _pair(options, "-o", (0, 0))
    if not all(map(math.isfinite, scale + offset)):
        raise _unread(entry, f"cannot place its texture by {texture!r}", "give finite numbers")
    clamp = options.get("-clamp", [""])[:1] == ["on"]
    return Material(color, name, scale, offset, clamp)


def fractions(colors: np.ndarray, name: str) -> np.ndarray:
    """(n, 3) colours as 0..1, from such fractions or from numbers up to 255.

    Args:
        name: whose they are, for a word where fractions beyond 1 are clamped.

    Raises:
        ValueError: they are neither.
    """
    low, high = colors.min(initial=0), colors.max(initial=0)
    whole = high >= LEAST_OF_255 or (colors == np.round(colors)).all()
    if low >= 0 and 1 < high <= 255 and whole:
        return colors / 255
    if not (low >= -OVERSHOOT and high <= 2):
        raise ValueError(
            f"colours from {low:.6g} to {high:.6g}; fractions up to 1 or numbers up to 255 are read"
        )
    if high > 1 + OVERSHOOT:
        log.info("%s: colours up to %.4g are clamped to 1", name, high)
    return np.clip(colors, 0, 1)


def _color(entry: Entry) -> tuple[int, int, int] | None:
    words = entry.statements.get("kd", "").partition("#")[0].split()
    if not words:
        return None
    if words[0].lower() in ("xyz", "spectral"):
        raise _unread(entry, f"gives its colour as Kd {words[0]}", "write Kd and red, green, blue")
    try:
        numbers = [float(word) for word in words]
        rgb = np.array((numbers * 3 if len(numbers) == 1 else numbers)[:3])
        if len(rgb) != 3 or not np.isfinite(rgb).all():
            raise ValueError("three numbers are needed")
        r, g, b = np.round(fractions(rgb, str(entry.file)) * 255).astype(int).tolist()
    except ValueError as error:
        why = f"its colour Kd {' '.join(words)} cannot be read ({error})"
        raise _unread(entry, why, "write Kd and red, green, blue") from None
    return r, g, b


def _transparent(said: dict[str, str]) -> bool:
    """Whether d (1 is opaque), or where it is missing Tr (0 is), or a texture of d lets through."""
    if "map_d" in said:
        return True
    key, opaque = ("d", 1.0) if "d" in said else ("tr", 0.0)
    numbers = [word for word in said.get(key, "").split() if spells_number(word)]
    return bool(numbers) and float(numbers[0]) != opaque


def _split_options(text: str) -> tuple[str, dict[str, list[str]]]:
    """A texture's name, which may have spaces, and the options before it with their words."""
    words = list(re.finditer(r"\S+", text))
    options: dict[str, list[str]] = {}
    at, last = 0, len(words) - 1  # the last word belongs to the name, even if it is a number
    while at < last and (option := words[at].group().lower()) in OPTIONS:
        values: list[str] = options.setdefault(option, [])
        at, most = at + 1, OPTIONS[option]
        while at < last and len(values) < most:
            word = words[at].group()
            if option in NUMBERS and not spells_number(word):
                break
            values.append(word.lower())
            at += 1
    return text[words[at].start() :], options


def _pair(
    options: dict[str, list[str]], option: str, default: tuple[float, float]
) -> tuple[float, float]:
    """The first two numbers of an option, or what they are where they are missing."""
    given = [float(word) for word in options.get(option, [])]
    u, v, *_ = given + list(default)[len(given) :]
    return u, v


def _say(entry: Entry, what: str) -> None:
    log.info("%s: material %s: %s", entry.file, entry.name, what)


def _unread(entry: Entry, what: str, instead: str) -> InputError:
    return InputError(f"{entry.file}: material {entry.name}: {what}, which is not read; {instead}")
