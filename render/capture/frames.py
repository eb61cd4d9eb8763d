"""A film or a folder of photographs -> upright images of one size, one after another."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import imageio_ffmpeg
import numpy as np
from PIL import ExifTags, Image

from render.errors import InputError, all_of
from render.image_file import TURNS, decode_image, orientation, read_rgb
from render.input_file import read_bytes
from render.plain import clipped

log = logging.getLogger(__name__)
logging.getLogger("imageio_ffmpeg").setLevel(logging.ERROR)  # it warns of every turned film

FILMS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".3gp", ".mpg", ".mpeg", ".gif")
PHOTOS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
NOT_READ = (".heic", ".heif", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".avif")
LENS_TAGS = {
    "camera": ExifTags.Base.Model,
    "focal length": ExifTags.Base.FocalLength,
    "focal length for 35 mm film": ExifTags.Base.FocalLengthIn35mmFilm,
    "digital zoom": ExifTags.Base.DigitalZoomRatio,
}
NO_DECODER = re.compile(  # as ffmpeg 4 to 7 say it
    r"[Dd]ecoder .*not found|no decoder found|[Uu]nknown (decoder|codec)|decoder .*experimental"
)
NOISE = re.compile(r"^(ffmpeg version|built with|configuration|lib\w+ +\d|===|Could not load)")


@dataclass(frozen=True, eq=False)
class Shown:
    """One image of a source. index: from 0. image: (H, W) grey or (H, W, 3) RGB, uint8."""

    index: int
    name: str
    image: np.ndarray


class Source(Protocol):
    """Images in a fixed order, of one size, that can be gone through more than once."""

    @property
    def path(self) -> Path: ...

    @property
    def count(self) -> int: ...

    def grey(self) -> Iterator[Shown]:
        """All images, (H, W)."""
        ...

    def color(self, wanted: Collection[int]) -> Iterator[Shown]:
        """The images of these indices, (H, W, 3) RGB, in their order."""
        ...


def open_source(path: Path, longest_side: int) -> Source:
    """The images of a film, or of a folder of photographs.

    Args:
        longest_side: pixels; larger images are scaled down.

    Raises:
        InputError: it is neither, holds no image, or its photographs are not of one camera.
    """
    if path.is_dir():
        return Photos.of(path, longest_side)
    _require_film(path)
    if path.suffix.lower() in PHOTOS:
        raise InputError(f"{path}: one photograph; give the folder that holds all of them")
    return Film.of(path, longest_side)


def digest_of(source: Path) -> str:
    """16 hex digits of a film's file, or of the photographs in a folder.

    Raises:
        InputError: there is none.
    """
    if not source.is_dir():
        _require_film(source)
    made = hashlib.blake2b(digest_size=8)
    for path in Photos.of(source, 1).files if source.is_dir() else [source]:
        with path.open("rb") as file:
            made.update(hashlib.file_digest(file, "blake2b").digest())
    return made.hexdigest()


def _require_film(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path}: there is no such film or folder of photographs")
    if not path.is_file():
        raise InputError(f"{path}: a device or pipe; a film was expected")


@dataclass(frozen=True)
class Film:
    """The frames of a film, turned as its rotation flag says, each as often as it was taken."""

    path: Path
    count: int
    longest_side: int

    @staticmethod
    def of(path: Path, longest_side: int) -> "Film":
        """Open a film.

        Raises:
            InputError: ffmpeg cannot read it, or it has no frame.
        """
        if next(Film(path, 1, longest_side).grey(), None) is None:
            raise InputError(f"{path}: has no frame")
        try:
            count = imageio_ffmpeg.count_frames_and_secs(path)[0]
        except (OSError, RuntimeError) as error:
            raise _no_film(path, error) from None
        return Film(path, count, longest_side)

    def grey(self) -> Iterator[Shown]:
        yield from self._frames("gray", 1, None)

    def color(self, wanted: Collection[int]) -> Iterator[Shown]:
        yield from self._frames("rgb24", 3, frozenset(wanted))

    def _frames(self, pixels: str, channels: int, wanted: frozenset[int] | None) -> Iterator[Shown]:
        side = self.longest_side
        scale = f"scale=w='min({side},iw)':h='min({side},ih)':flags=area"
        # Not a constant number a second, which would repeat frames of a film that varies.
        options = ["-fps_mode", "passthrough"]
        options += ["-vf", f"{scale}:force_original_aspect_ratio=decrease"]
        reader: Any = imageio_ffmpeg.read_frames(
            self.path, pix_fmt=pixels, bits_per_pixel=8 * channels, output_params=options
        )
        with closing(reader):
            try:
                width, height = next(reader)["size"]
                for index, content in enumerate(reader):
                    if wanted is None or index in wanted:
                        image = np.frombuffer(content, np.uint8)
                        shape = (height, width) if channels == 1 else (height, width, channels)
                        yield Shown(index, f"frame {index}", image.reshape(shape))
                    if wanted is not None and index >= max(wanted, default=-1):
                        return
            except (OSError, RuntimeError, ValueError) as error:
                raise _no_film(self.path, error) from None


def _no_film(path: Path, error: Exception) -> InputError:
    """What ffmpeg says of a film that it does not read, in one line."""
    lines = [re.sub(r"^(\[[^\]]*\] *)+", "", line.strip()) for line in str(error).splitlines()]
    said = [line for line in lines if line and not NOISE.match(line)]
    missing = next((line for line in said if NO_DECODER.search(line)), None)
    if missing is not None:
        return InputError(
            f"{path}: this ffmpeg has no decoder for it ({clipped(missing)}); film in H.264 ('most"
            " compatible'), or convert it: ffmpeg -i FILM -c:v libx264 -crf 16 OTHER.mp4"
        )
    if said and said[-1].startswith(("Stream #", "Press [q]")):  # and then nothing: no fault
        return InputError(
            f"{path}: ffmpeg reads it and had no frame ready after 10 seconds; try again when the"
            " machine is less busy, or with a smaller film"
        )
    reason = said[0] if said else type(error).__name__
    return InputError(f"{path}: not a film that ffmpeg reads ({clipped(reason)})")


@dataclass(frozen=True, eq=False)
class Photos:
    """The photographs of a folder, in the order of their names, all turned alike.

    turn: what EXIF says of most of them. A telephone that looks straight down takes itself for
    upright or lying at random; turned each by its own, they would not be of one camera: its
    principal point would lie now here, now there.
    """

    path: Path
    files: tuple[Path, ...]
    turn: Image.Transpose | None
    longest_side: int

    @property
    def count(self) -> int:
        return len(self.files)

    @staticmethod
    def of(folder: Path, longest_side: int) -> "Photos":
        """Find the photographs of a folder.

        Raises:
            InputError: there is none, one is damaged, or they differ in size, camera or zoom.
        """
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        files = [path for path in entries if path.suffix.lower() in PHOTOS]
        unread = [path.name for path in entries if path.suffix.lower() in NOT_READ]
        if unread and not files:
            raise InputError(f"{folder}: {unread[0]} and its like are not read; save them as JPEG")
        if not files:
            films = [path.name for path in entries if path.suffix.lower() in FILMS]
            hint = f"; did you mean {folder / films[0]}?" if films else ""
            raise InputError(f"{folder}: has no photograph ({', '.join(PHOTOS)}){hint}")
        if unread:
            log.warning("%s: %d files such as %s are not read", folder, len(unread), unread[0])
        headers = all_of(files, _header, "photographs")
        for name in headers[0]:
            if name != "orientation":
                _same(files, name, [str(header[name]) for header in headers])
        held = Counter(header["orientation"] for header in headers).most_common()
        if len(held) > 1:
            log.info("%s: %d of %d were held otherwise; all are turned as most are", folder,
                     len(files) - held[0][1], len(files))  # fmt: skip
        return Photos(folder, tuple(files), TURNS.get(held[0][0]), longest_side)

    def grey(self) -> Iterator[Shown]:
        for index in range(len(self.files)):
            image = cv2.cvtColor(self._read(index), cv2.COLOR_RGB2GRAY)
            yield Shown(index, self.files[index].name, image)

    def color(self, wanted: Collection[int]) -> Iterator[Shown]:
        for index in sorted(wanted):
            yield Shown(index, self.files[index].name, self._read(index))

    def _read(self, index: int) -> np.ndarray:
        """A photograph, (H, W, 3), turned as all are and scaled down."""
        file = self.files[index]
        rgb = read_rgb(file)  # upright by its own orientation, which is undone
        own = TURNS.get(orientation(decode_image(read_bytes(file), file)))
        if own != self.turn:
            back = rgb if own is None else np.array(Image.fromarray(rgb).transpose(_inverse(own)))
            turned = Image.fromarray(back)
            rgb = np.array(turned if self.turn is None else turned.transpose(self.turn))
        height, width = rgb.shape[:2]
        share = self.longest_side / max(height, width)
        if share >= 1:
            return rgb
        size = round(width * share), round(height * share)
        return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _header(file: Path) -> dict[str, Any]:
    """Size as the sensor has it, what EXIF says of the lens, and how the camera was held."""
    try:
        with Image.open(file) as image:
            exif = image.getexif()
            tags = {**exif.get_ifd(ExifTags.IFD.Exif), **exif}
            found: dict[str, Any] = {"size": "{}x{}".format(*image.size)}
            found |= {name: str(tags.get(tag, "not told")) for name, tag in LENS_TAGS.items()}
            return found | {"orientation": orientation(image)}
    except Exception:  # Pillow raises whatever it stumbles on
        read_rgb(file)  # says what is wrong
        raise InputError(f"{file}: its header cannot be read") from None


def _same(files: list[Path], name: str, values: list[str]) -> None:
    """Refuse photographs that differ in what must be the same for one calibration."""
    (usual, _), *others = Counter(values).most_common()
    if others:
        odd = [f.name for f, value in zip(files, values, strict=True) if value != usual]
        other = next(value for value in values if value != usual)
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise InputError(
            f"{files[0].parent}: {odd[0]}{more} differ in {name} ({other}) from the others"
            f" ({usual}); all must be of one camera without zoom: give those a folder of their own"
        )


def _inverse(turn: Image.Transpose) -> Image.Transpose:
    swapped = {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }
    return swapped.get(turn, turn)
