"""A texture's file -> 8-bit RGB; its wrapping laid out where OpenGL's repetition cannot show it."""

import logging
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from render.errors import InputError
from render.image_file import EIGHT_BITS, ORIENTATION, decode_image, orientation
from render.mesh.texture_atlas import MAX_SIDE

log = logging.getLogger(__name__)

WRAPS = ("repeat", "mirror", "clamp")
FURTHEST = 1e4  # texture coordinates beyond are a mistake, and float32 would tell no texels apart
MOST_TIMES, ROOM = 4, 2048  # a clamped texture is continued to four times its side, or this
SMALLEST_SHARE = 1 / 16  # of its resolution that a texture keeps, at least, when it is laid out
TIFF_BITS, TIFF_PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0


def decode_texture(content: bytes, name: Path | str, alpha: bool = False) -> np.ndarray:
    """The content of an image file as (h, w, 3) uint8, RGB, its pixels as they are stored.

    Channels of 16 bits are rounded to 8. Transparency, and an EXIF orientation, which programs that
    lay out texture coordinates do not heed, are left out with a word.

    Args:
        name: what errors and words call it.
        alpha: transparency is wanted: an image that has it is (h, w, 4).

    Raises:
        InputError: it is truncated, damaged, not an image, or has neither 8 nor 16 bits a channel.
    """
    image = decode_image(content, name)
    clear = "transparency" in image.info or (
        "A" in image.getbands() and np.asarray(image.getchannel("A")).min() < 255
    )
    _say_what_is_left_out(image, name, clear and not alpha)
    bits = _bits(image, content)
    if bits == 16 and image.mode in ("I;16", "I;16L", "I;16B", "I"):
        stored = np.array(image).astype(np.uint16)
        channels = [_rounded(stored)] * 3
        if alpha and clear:  # one level of gray is
            channels.append(np.where(stored == image.info["transparency"], 0, 255).astype(np.uint8))
        return np.dstack(channels)
    if bits == 16:
        colors = _rounded(_colors16(image, content, name))
        return colors if alpha and clear else np.ascontiguousarray(colors[..., :3])
    if bits > 8 or image.mode not in EIGHT_BITS:
        kind = f"mode {image.mode}" if bits <= 8 else f"{bits} bits"
        raise InputError(f"{name}: expected 8 or 16 bits a channel, got an image of {kind}")
    return np.array(image.convert("RGBA" if alpha and clear else "RGB"))


def _say_what_is_left_out(image: Image.Image, name: Path | str, transparency: bool) -> None:
    if transparency:
        log.info("%s: its transparency is left out", name)
    if image.mode == "CMYK":
        log.info("%s: its inks are taken for the complements of red, green and blue", name)
    if orientation(image) != 1:
        log.info("%s: its EXIF orientation is left out; it is used as its pixels are stored", name)


def _bits(image: Image.Image, content: bytes) -> int:
    """Bits a channel in the file: Pillow drops the lower 8 of 16 in a colour image."""
    if image.format == "PNG":
        return content[24]  # after the signature, and IHDR's length, name, width and height
    if isinstance(image, TiffImageFile):
        # Pillow would not turn over a 16-bit image in which 0 is white.
        if image.tag_v2.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO and image.mode.startswith("I;16"):
            return 32
        return int(max(image.tag_v2.get(TIFF_BITS, (1,))))
    return 16 if image.format == "PPM" and image.mode == "I" else 8


def _colors16(image: Image.Image, content: bytes, name: Path | str) -> np.ndarray:
    """A 16-bit colour image as (h, w, 3) uint16, RGB, or (h, w, 4) with alpha, by OpenCV."""
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    turned = isinstance(image, TiffImageFile) and image.tag_v2.get(ORIENTATION, 1) != 1
    if turned or decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3:
        raise InputError(f"{name}: a 16-bit image that is not read; save it with 8 bits a channel")
    return decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]


def _rounded(image: np.ndarray) -> np.ndarray:
    """uint8 from uint16, 65535 becoming 255."""
    return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def lay_out(
    texture: np.ndarray, uv: np.ndarray, wrap: tuple[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """A texture and its coordinates for OpenGL, which repeats it outside 0..1 along both axes.

    A mirrored texture is doubled by its mirror image; one that is clamped is continued by its edge
    as far as the coordinates reach, at a lower resolution where it would be too large.

    Args:
        texture: (h, w, channels) uint8, first row on top.
        uv: (n, 2), v up.
        wrap: what is outside 0..1 along u and v: "repeat", "mirror" or "clamp".

    Returns:
        Texture and uv, the same objects where nothing needs to change.

    Raises:
        ValueError: uv lie beyond 10,000, or too far outside to continue the texture.
    """
    if not np.isfinite(uv).all():
        raise ValueError("texture coordinates that are NaN or infinite")
    if np.abs(uv).max(initial=0) > FURTHEST:
        raise ValueError(
            f"texture coordinates reach {np.abs(uv).max():.6g}; at most {FURTHEST:.0f} is read"
        )
    for axis, kind in enumerate(wrap):
        if kind not in WRAPS:
            raise ValueError(f"no such wrapping of a texture: {kind}")
        low, high = (uv[:, axis].min(), uv[:, axis].max()) if len(uv) else (0.0, 1.0)
        along, texels = uv[:, axis], texture.shape[1 - axis]
        if kind == "repeat" or texels == 1 or (low >= 0 and high <= 1):
            continue
        if max(-low, high - 1) * texels <= 0.5:  # no more than rounding errors
            along = np.clip(along, 0, 1)
        elif kind == "mirror":
            texture, along = _mirrored(texture, axis), along / 2
        else:
            texture, along = _continued(texture, axis, along)
        uv = np.column_stack([along, uv[:, 1]] if axis == 0 else [uv[:, 0], along])
    return texture, uv


def _mirrored(texture: np.ndarray, axis: int) -> np.ndarray:
    """The texture, and to its right or above it its mirror image."""
    texture = _fit(texture, axis, MAX_SIDE // 2)
    # Rows go down while v goes up.
    return np.concatenate(
        [texture, texture[:, ::-1]] if axis == 0 else [texture[::-1], texture], axis=1 - axis
    )


def _continued(texture: np.ndarray, axis: int, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The texture with its edges repeated as far as (n,) coordinates reach, and those anew."""
    span = max(along.max(), 1) - min(along.min(), 0)
    room = min(MAX_SIDE, max(MOST_TIMES * texture.shape[1 - axis], ROOM))
    texture = _fit(texture, axis, int(room / span) - 2)
    texels = texture.shape[1 - axis]
    # One more at each end: filtering looks at the texel beside.
    before = int(np.ceil(max(-along.min(), 0) * texels)) + 1
    after = int(np.ceil(max(along.max() - 1, 0) * texels)) + 1
    pads = [(0, 0), (before, after)] if axis == 0 else [(after, before), (0, 0)]
    continued = np.pad(texture, [*pads, (0, 0)], mode="edge")
    return continued, (along * texels + before) / continued.shape[1 - axis]


def _fit(texture: np.ndarray, axis: int, texels: int) -> np.ndarray:
    """The texture, shrunk along one axis where it has more texels than that."""
    now = texture.shape[1 - axis]
    if now <= texels:
        return texture
    if texels < max(now * SMALLEST_SHARE, 1):
        raise ValueError("texture coordinates reach too far outside 0..1 for a clamped texture")
    log.info("a texture's side of %d texels is shrunk to %d, to continue it", now, texels)
    size = (texels, texture.shape[0]) if axis == 0 else (texture.shape[1], texels)
    return cv2.resize(texture, size, interpolation=cv2.INTER_AREA)
