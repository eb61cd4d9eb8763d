"""Image files: RGB colours, 16-bit depth, masks. A damaged file is refused, never guessed."""

import io
import logging
import struct
import zlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from isal import isal_zlib
from PIL import Image, UnidentifiedImageError

from render.errors import InputError
from render.input_file import read_bytes
from render.whole_file import check_file, write_whole

log = logging.getLogger(__name__)

PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
PNG_KINDS = {(): 0, (3,): 2, (4,): 6}  # of the shape of a pixel
STORED = 16  # bytes at the start that are not compressed
# What is decoded, whatever a file's name says. Pillow knows forty more: some start another program
# (EPS starts Ghostscript), others are decoded in slow Python.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "TGA", "PPM")
# What people have beside them: where in the file, by which bytes, and what it is.
FOREIGN = (
    (4, b"ftyphei", "a HEIC photograph"),
    (4, b"ftypmif1", "a HEIC photograph"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftypcrx", "a camera's raw image"),
    (4, b"ftyp", "a film"),
    (8, b"AVI ", "a film"),
    (4, b"jP  ", "a JPEG 2000 image"),
    (4, b"JXL ", "a JPEG XL image"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"%PDF", "a PDF file"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript file"),
)
MAX_PIXELS = 178_956_970  # a header that promises more is not believed; Pillow's own limit
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # a channel, at most
ORIENTATION = 0x0112  # EXIF's tag, and what turns an image upright that has it
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ON_ITS_SIDE = (5, 6, 7, 8)


def read_rgb(path: Path) -> np.ndarray:
    """Read a colour or 8-bit grey image as (H, W, 3) uint8, RGB; transparency is dropped.

    It is turned as its EXIF orientation says, as every viewer shows it.

    Raises:
        InputError: the file is missing, truncated, not an image, or has more than 8 bits a channel.
    """
    return decode_rgb(read_bytes(path), path)


def decode_rgb(content: bytes, name: Path | str) -> np.ndarray:
    """As `read_rgb`, from a file's content; `name` is what errors call it."""
    image = decode_image(content, name)
    if image.mode not in EIGHT_BITS:
        raise InputError(f"{name}: expected 8 bits a channel, got an image of mode {image.mode}")
    if image.has_transparency_data and np.array(image.convert("RGBA"))[..., 3].min() < 255:
        _say_dropped(Path(name).parent)
    turn = TURNS.get(orientation(image))
    return np.array((image.transpose(turn) if turn is not None else image).convert("RGB"))


def orientation(image: Image.Image) -> int:
    """What EXIF says of how an image was held, 1 to 8; 1, upright, where that cannot be read."""
    try:
        value = image.getexif().get(ORIENTATION)
    except Exception:  # Pillow raises whatever it stumbles on; viewers show the image as it is
        return 1
    return value if isinstance(value, int) and value in TURNS else 1


def decode_image(content: bytes, name: Path | str) -> Image.Image:
    """A file's content as an image of Pillow's, decoded whole: OpenCV returns what is left of it.

    Raises:
        InputError: it is truncated, damaged, or no image of these formats.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_size(image)
        image.load()
    except Exception as error:  # Pillow's decoders raise whatever they stumble on
        raise _unreadable(name, error, content) from None
    if image.format == "PNG" and PNG_END not in content:
        raise InputError(f"{name}: the image is truncated")
    return image


def read_gray16(path: Path) -> np.ndarray:
    """Read a 16-bit single-channel image, such as a depth map, as (H, W) uint16.

    Raises:
        InputError: the file is missing, truncated, not an image, or of another type.
    """
    image = _load(path)
    if not image.mode.startswith("I;16"):
        raise InputError(
            f"{path}: expected 16 bits and one channel, got mode {image.mode}; depth is stored in"
            " whole numbers of depth_scale mm"
        )
    return np.array(image).astype(np.uint16)


def read_rgb16(path: Path) -> np.ndarray:
    """Read a 16-bit colour PNG as (H, W, 3) uint16, RGB.

    Raises:
        InputError: the file is missing, truncated, damaged, not a PNG, or of another type.
    """
    content = read_bytes(path)
    try:
        png = Image.open(io.BytesIO(content), formats=["PNG"])
        _check_size(png)
        png.verify()  # checksums of all its parts
    except Exception as error:  # Pillow's decoders raise whatever they stumble on
        raise _unreadable(path, error, content) from None
    if PNG_END not in content:
        raise InputError(f"{path}: the image is truncated")
    # Pillow would drop the lower 8 bits.
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if bgr is None or bgr.dtype != np.uint16 or bgr.shape[2:] != (3,):
        raise InputError(f"{path}: expected a PNG of three 16-bit channels")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def read_mask(path: Path) -> np.ndarray:
    """Read a black and white image of at most 8 bits as (H, W) bool, True where it is not black.

    It may have several channels, as long as they say the same, and no transparent pixel.

    Raises:
        InputError: the file is missing, truncated, not an image, or of another type.
    """
    image = _load(path)
    if image.mode not in ("1", "L", "LA", "RGB", "RGBA"):
        raise InputError(f"{path}: expected a mask of one 8-bit channel, got mode {image.mode}")
    channels = np.array(image)
    if channels.ndim == 2:
        return channels > 0
    colors = channels[..., : -1 if image.mode.endswith("A") else None]
    if (colors != colors[..., :1]).any() or (
        image.mode.endswith("A") and channels[..., -1].min() < 255
    ):
        raise InputError(
            f"{path}: expected a mask in black and white, got colours or transparency in mode"
            f" {image.mode}; save one channel, 0 where the object is not"
        )
    return colors[..., 0] > 0


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels as `read_rgb` gives it, without decoding the image.

    Raises:
        InputError: the file is missing or not an image.
    """
    content = read_bytes(path)
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_size(image)
        width, height = image.size
        if image.format == "PNG" and "exif" not in image.info:  # to look for it would decode all
            return width, height
        turned = orientation(image) in ON_ITS_SIDE
    except Exception as error:  # Pillow's decoders raise whatever they stumble on
        raise _unreadable(path, error, content) from None
    return (height, width) if turned else (width, height)


def check_png(path: Path) -> None:
    """Refuse, before much is done for a picture, a name that is not a PNG's or is taken.

    Raises:
        InputError: it is another kind of file's, or that of a folder or device.
    """
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: pictures are written as .png")
    check_file(path)


def write_png(path: Path, image: np.ndarray, level: int | None = None) -> None:
    """Write a PNG, whole or not at all: a reader never meets a half-written file.

    Args:
        image: (H, W, 3) RGB, (H, W, 4) with alpha or (H, W), uint8 or uint16; or (H, W) bool,
            written as 0 and 255.
        level: zlib's 0..9. None is for speed: ISA-L, in a quarter (colours) to a seventh (masks) of
            the time of OpenCV's fastest setting, for files up to a sixth larger.
    """
    kind = PNG_KINDS.get(image.shape[2:])
    if image.ndim < 2 or kind is None or image.dtype not in (np.bool_, np.uint8, np.uint16):
        raise ValueError(
            "image must be (H, W, 3 or 4) uint8 or uint16, or (H, W) uint8, uint16 or bool,"
            f" got {image.shape} {image.dtype}"
        )
    (height, width), bits = image.shape[:2], 8 * image.dtype.itemsize
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    rows = _png_rows(image).data
    pixels = _compress(rows) if level is None else zlib.compress(rows, level)
    chunks = _png_chunk(b"IHDR", header), _png_chunk(b"IDAT", pixels), _png_chunk(b"IEND", b"")
    write_whole(path, PNG_START + b"".join(chunks))


def _png_rows(image: np.ndarray) -> np.ndarray:
    """The bytes of a PNG's rows, (H, 1 + bytes) uint8: the row's filter, and what it leaves.

    Masks are left as they are, of all else the row above is subtracted: the smallest files of what
    filters alike for a whole image.
    """
    if image.dtype == np.bool_:
        rows = np.zeros((len(image), 1 + image.shape[1]), np.uint8)
        rows[:, 1:][image] = 255
        return rows
    plain = image.astype(">u2") if image.dtype == np.uint16 else np.ascontiguousarray(image)
    plain = plain.view(np.uint8).reshape(len(image), -1)
    rows = np.empty((len(plain), 1 + plain.shape[1]), np.uint8)
    rows[:, 0], rows[:1, 1:] = 2, plain[:1]
    np.subtract(plain[1:], plain[:-1], out=rows[1:, 1:])
    return rows


def _compress(rows: memoryview) -> bytes:
    """A zlib stream by ISA-L's level 1, the same one every time.

    Where it begins without history, ISA-L (2.32) puts a hash of one of its own addresses into its
    table of matches (`write_first_byte` in igzip_icf_body_h1_gr_bt.asm), so that one image in some
    ten thousand is compressed otherwise in another process. So it is given one: the first bytes are
    stored as they are, in a block of their own (RFC 1951, 3.2.4), and are then its dictionary.
    """
    rows = rows.cast("B")
    first = bytes(rows[:STORED])
    size = struct.pack("<HH", len(first), 0xFFFF ^ len(first))
    deflate = isal_zlib.compressobj(1, wbits=-zlib.MAX_WBITS, zdict=first)
    rest = deflate.compress(rows[STORED:]) + deflate.flush()
    check = struct.pack(">I", isal_zlib.adler32(rows))
    return b"".join((b"\x78\x01", b"\0", size, first, rest, check))


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    check = isal_zlib.crc32(content, isal_zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def _load(path: Path) -> Image.Image:
    return decode_image(read_bytes(path), path)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ValueError(f"its header promises {width} x {height} pixels")


@cache
def _say_dropped(folder: Path) -> None:
    """Once for a folder, not for each of thousands of images."""
    log.info("%s: what is transparent in its images is read as the colour below", folder)


def _unreadable(name: Path | str, error: Exception, content: bytes) -> InputError:
    kinds = (kind for at, mark, kind in FOREIGN if content[at : at + len(mark)] == mark)
    kind = next(kinds, None)
    if kind is not None:
        return InputError(f"{name}: {kind}, which is not read; save it as PNG or JPEG")
    if isinstance(error, UnidentifiedImageError):
        return InputError(
            f"{name}: not an image, or truncated within its header; read are {', '.join(FORMATS)}"
        )
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{name}: cannot be read as an image ({reason})")
