"""Several textures -> one image, with the texture coordinates that go with it."""

from collections.abc import Sequence

import cv2
import numpy as np

PADDING = 4  # texels of a tile's edge repeated around it, so that filtering does not mix tiles
MAX_SIDE = 8192  # texels; what every OpenGL 4 device takes
MAX_REPEATS = 512  # of one texture across a part, so that some of it is left in MAX_SIDE


def join_textures(
    uvs: Sequence[np.ndarray], textures: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Stack textures into one, each kept once; one that all share stays as it is.

    Args:
        uvs: per mesh part (n, 2), v up; outside 0..1 the texture repeats.
        textures: per mesh part (h, w, 3) uint8, first row on top, or (h, w, 4) with alpha.

    Returns:
        (sum of n, 2) uv of all parts, and the joint (H, W, 3) texture, or (H, W, 4) if one has
        alpha, shrunk where it would be larger than 8192 texels.

    Raises:
        ValueError: there are several, and a part repeats one more than 512 times.
    """
    # By content, since files hold one image several times; an array's is looked at once.
    textures = list(textures)
    content = {id(texture): texture for texture in textures}
    key_of = {i: (texture.shape, texture.tobytes()) for i, texture in content.items()}
    keys = [key_of[id(texture)] for texture in textures]
    if len(set(keys)) == 1:
        return np.concatenate(uvs), textures[0]

    # A repeating texture is laid out as often as its parts repeat it.
    uvs = [uv - np.floor(uv.min(axis=0)) for uv in uvs]
    unique = dict(zip(keys, textures, strict=True))
    repeats = {key: np.ones(2, int) for key in unique}
    for key, uv in zip(keys, uvs, strict=True):
        repeats[key] = np.maximum(repeats[key], np.ceil(uv.max(axis=0)).astype(int))
    most = max(int(repeat.max()) for repeat in repeats.values())
    if most > MAX_REPEATS:
        raise ValueError(
            f"one of several textures repeats {most} times across its part; at most {MAX_REPEATS}"
            " are laid out"
        )
    channels = max(texture.shape[2] for texture in textures)
    tiles = {k: _tile(_with(channels, t), *repeats[k]) for k, t in unique.items()}
    tiles = _shrink(tiles)

    height = sum(tile.shape[0] + 2 * PADDING for tile in tiles.values())
    width = max(tile.shape[1] + 2 * PADDING for tile in tiles.values())
    joint = np.zeros((height, width, channels), np.uint8)
    scale, shift, top = {}, {}, 0
    for key, tile in tiles.items():
        h, w = tile.shape[:2]
        padded = np.pad(tile, ((PADDING, PADDING), (PADDING, PADDING), (0, 0)), mode="edge")
        joint[top : top + padded.shape[0], : padded.shape[1]] = padded
        scale[key] = np.array([w / width, h / height]) / repeats[key]
        shift[key] = np.array([PADDING / width, 1 - (top + PADDING + h) / height])
        top += padded.shape[0]
    return np.concatenate(
        [uv * scale[k] + shift[k] for k, uv in zip(keys, uvs, strict=True)]
    ), joint


def _with(channels: int, texture: np.ndarray) -> np.ndarray:
    """A texture of so many channels: an alpha that it lacks is 255."""
    more = ((0, 0), (0, 0), (0, channels - texture.shape[2]))
    return np.pad(texture, more, constant_values=255)


def _tile(texture: np.ndarray, across: int, up: int) -> np.ndarray:
    """Lay a texture out several times, shrinking it first where that would be too large."""
    side = max(texture.shape[0] * up, texture.shape[1] * across)
    return np.tile(_resize(texture, min(1.0, MAX_SIDE / side)), (up, across, 1))


def _shrink(tiles: dict) -> dict:
    """Shrink all tiles alike until they fit below each other."""
    room = MAX_SIDE - 2 * PADDING * len(tiles)
    factor = min(
        1.0,
        room / sum(tile.shape[0] for tile in tiles.values()),
        room / max(tile.shape[1] for tile in tiles.values()),
    )
    return {key: _resize(tile, factor) for key, tile in tiles.items()}


def _resize(image: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1.0:
        return image
    size = [max(1, int(side * factor)) for side in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
