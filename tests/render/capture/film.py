"""Films of a printed board, and of an object on it, whose truth is known: poses, lens, light.

The board is sampled for each part of a pixel along its ray through the lens, so that its corners
lie where the lens puts them to a hundredth of a pixel; object and shadows are the rasteriser's.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.capture.board import PAPERS_MM, Board
from render.capture.board_sheet import draw_sheet
from render.mesh.mesh import Mesh
from render.transforms import look_at, rigid, rodrigues

TEXTURE = 6.0  # px per mm of the page
PARTS = 2  # of a pixel, across and down
INK, PAPER = 28, 232  # grey
TABLE = (150, 120, 95)  # RGB
LIGHT = np.array([0.35, -0.4, 0.85])  # towards it, board frame


@dataclass(frozen=True, eq=False)
class Film:
    """Frames as a camera took them, and the truth: poses of board and object, lens.

    frames: (H, W, 3) uint8 each. cam_from_board: (n, 4, 4). board_from_obj: None without an object.
    """

    frames: list[np.ndarray]
    board: Board
    K: np.ndarray
    distortion: np.ndarray
    cam_from_board: np.ndarray
    board_from_obj: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.frames[0].shape[1], self.frames[0].shape[0]


@dataclass(frozen=True)
class Shot:
    """How a film is taken. Blur, noise in grey levels of 255; shake: px of motion blur at most."""

    size: tuple[int, int] = (960, 540)
    focal_share: float = 0.8  # of the width
    distortion: Sequence[float] = (0.09, -0.25, 0.0008, -0.0005, 0.15)
    center_off: tuple[float, float] = (0.008, -0.012)  # principal point, share of the width
    distance: tuple[float, float] = (0.42, 0.65)
    elevation_deg: tuple[float, float] = (28.0, 68.0)
    azimuth_deg: tuple[float, float] = (0.0, 330.0)
    blur: float = 0.6
    shake: float = 3.0
    noise: float = 2.5
    light: float = 0.12  # share by which it changes over the image and over time
    covered: float = 0.0  # share of the page, from its left, that lies under another sheet
    parts: int = PARTS

    @property
    def K(self) -> np.ndarray:
        width, height = self.size
        f = self.focal_share * width
        dx, dy = np.array(self.center_off) * width
        return np.array([[f, 0, (width - 1) / 2 + dx], [0, f, (height - 1) / 2 + dy], [0, 0, 1]])


def standing(mesh: Mesh, yaw_deg: float = 0.0, at: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """board_from_obj of a mesh whose z is up, standing on the board."""
    R = rodrigues(np.array([0, 0, np.radians(yaw_deg)]))
    return rigid(R, [*at, -float(mesh.vertices[:, 2].min())])


def make_film(
    board: Board,
    count: int,
    rng: np.random.Generator,
    shot: Shot | None = None,
    mesh: Mesh | None = None,
    board_from_obj: np.ndarray | None = None,
    poses: np.ndarray | None = None,
) -> Film:
    """Take a film.

    Args:
        mesh: stands on the board as board_from_obj says; None films the board alone.
        poses: (n, 4, 4) cam_from_board; None goes round the board by hand.
    """
    shot = Shot() if shot is None else shot
    poses = path_around(count, rng, shot) if poses is None else poses
    distortion = np.array(shot.distortion, np.float64)
    stage = _Stage(board, shot, mesh, board_from_obj)
    try:
        frames = [
            _expose(stage.look(pose), shot, rng, i / len(poses)) for i, pose in enumerate(poses)
        ]
    finally:
        stage.close()
    return Film(frames, board, shot.K, distortion, poses, board_from_obj)


def path_around(count: int, rng: np.random.Generator, shot: Shot) -> np.ndarray:
    """(n, 4, 4) cam_from_board of a hand that carries the camera round the board."""
    time = np.linspace(0, 1, count)

    def sway(low: float, high: float, most: int = 4) -> np.ndarray:
        waves = [
            rng.normal() * np.sin(2 * np.pi * (k * time + rng.random())) for k in range(1, most)
        ]
        wave = np.sum(waves, axis=0)
        return low + (high - low) * (wave - wave.min()) / max(np.ptp(wave), 1e-9)

    azimuth = np.radians(np.linspace(*shot.azimuth_deg, count) + sway(-6, 6))
    elevation = np.radians(sway(*shot.elevation_deg))
    distance = sway(*shot.distance)
    aims = np.stack([sway(-0.03, 0.03), sway(-0.03, 0.03), sway(0, 0.04)], axis=-1)
    rolls = np.radians(sway(-12, 12))
    poses = []
    for a, e, d, aim, roll in zip(azimuth, elevation, distance, aims, rolls, strict=True):
        eye = d * np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
        turn = rigid(rodrigues(np.array([0, 0, roll])), np.zeros(3))
        poses.append(turn @ look_at(eye, aim, np.array([0.0, 0, 1])))
    return np.array(poses)


def write_film(path: Path, frames: Sequence[np.ndarray], fps: int = 15, quality: int = 9) -> None:
    """Write an MP4 as a telephone does, H.264."""
    import imageio.v2 as imageio

    options: dict[str, Any] = {"codec": "libx264", "quality": quality, "macro_block_size": 2}
    writer: Any = imageio.get_writer(path, format="FFMPEG", fps=fps, **options)
    with closing(writer):
        for frame in frames:
            writer.append_data(frame)


def write_photos(folder: Path, frames: Sequence[np.ndarray], orientation: int = 1) -> None:
    """Write JPEGs; of orientation 6 as a camera does that was held upright."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        image = Image.fromarray(frame)
        exif = Image.Exif()
        if orientation == 6:
            image = image.transpose(Image.Transpose.ROTATE_90)  # a viewer turns it back
            exif[0x0112] = 6
        image.save(folder / f"IMG_{i:04d}.jpg", quality=95, exif=exif)


@dataclass(eq=False)
class _Stage:
    """What is filmed: the board on a table, the mesh on it; as light leaves it, lens included."""

    board: Board
    shot: Shot
    mesh: Mesh | None = None
    board_from_obj: np.ndarray | None = None
    _rasterizer: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        big = draw_sheet(self.board, 2 * TEXTURE)
        self._page = cv2.resize(big, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        self._page[:, : round(self.shot.covered * self._page.shape[1])] = 255
        self._page_scale = self._page.shape[1] / PAPERS_MM[self.board.paper or ""][0]
        noise = np.random.default_rng(7).normal(size=(256, 256)).astype(np.float32)
        soft = cv2.GaussianBlur(np.pad(noise, 8, mode="wrap"), (0, 0), 1.5)[8:-8, 8:-8]
        self._table = (1 + 0.5 * soft)[..., None] * np.array(TABLE, np.float32)
        self._rays = self._cast_rays()
        flat = self._rays.reshape(-1, 2)
        self._reach = flat.min(axis=0) - 0.01, flat.max(axis=0) + 0.01

    def _cast_rays(self) -> np.ndarray:
        """(H * parts, W * parts, 2) float32: x / z and y / z of the light in each pixel's parts."""
        (width, height), parts = self.shot.size, self.shot.parts
        u = (np.arange(width * parts) + 0.5) / parts - 0.5
        v = (np.arange(height * parts) + 0.5) / parts - 0.5
        points = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 1, 2)
        distortion = np.array(self.shot.distortion, np.float64)
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 12, 1e-7)
        rays = cv2.undistortPoints(points, self.shot.K, distortion, criteria=stop)
        return rays.reshape(len(v), len(u), 2).astype(np.float32)

    def look(self, cam_from_board: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32, linear in light, 0..255."""
        plane_from_ray = np.linalg.inv(cam_from_board[:3, [0, 1, 3]])
        rays = self._rays
        x, y, w = (
            rays[..., 0] * np.float32(a) + rays[..., 1] * np.float32(b) + np.float32(c)
            for a, b, c in plane_from_ray
        )
        w = np.where(w > 1e-3, w, np.float32(1e-3))  # what is above the horizon is far table
        across, up = x / w * np.float32(1000), y / w * np.float32(1000)
        across, up = across / self.board.scale, up / self.board.scale
        color = self._albedo(across.astype(np.float32), up.astype(np.float32))
        if self.mesh is not None:
            drawn, is_object = self._draw(cam_from_board)
            color = np.where(is_object[..., None], drawn, color * drawn * np.float32(1 / 235))
        return cv2.resize(color, self.shot.size, interpolation=cv2.INTER_AREA)

    def _albedo(self, across: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Colour of board and table at board positions in unscaled mm."""
        width, height = PAPERS_MM[self.board.paper or ""]
        corner = self.board.page_outline[0] * 1000 / self.board.scale
        right, down = across - np.float32(corner[0]), np.float32(corner[1]) - up
        half, scale = np.float32(0.5), np.float32(self._page_scale)
        page = cv2.remap(
            self._page, right * scale - half, down * scale - half, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        grey = INK + (PAPER - INK) / 255 * page.astype(np.float32)
        table = cv2.remap(
            self._table, across % 256, up % 256, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        on_page = (right >= 0) & (right < width) & (down >= 0) & (down < height)
        return np.where(on_page[..., None], grey[..., None], table)

    def _draw(self, cam_from_board: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The object, and the light on a white table, along the rays; where the object is."""
        from render.scene.spec import Light, Placed, SceneSpec, rows

        f = self.shot.K[0, 0] * 2
        low, high = self._reach
        K = np.array([[f, 0, -low[0] * f], [0, f, -low[1] * f], [0, 0, 1.0]])
        width, height = np.ceil((high - low) * f).astype(int)
        towards = cam_from_board[:3, :3] @ (LIGHT / np.linalg.norm(LIGHT))
        light = Light("directional", tuple(towards.tolist()), (0.62, 0.6, 0.56), shadow=True)
        placed = (
            Placed(1, rows(cam_from_board @ self.board_from_obj)),
            Placed(2, rows(cam_from_board), annotated=False),
        )
        ambient = (0.38, 0.39, 0.42)
        spec = SceneSpec(rows(K), (int(width), int(height)), placed, ambient, (light,))
        (frame,) = self._renderer().render([spec])
        xy = self._rays * np.float32(f) - (low * f).astype(np.float32)
        at = (xy[..., 0], xy[..., 1], cv2.INTER_NEAREST)
        drawn = np.where(frame.depth[..., None] > 0, frame.rgb, np.uint8(200))  # far table
        rgb = cv2.remap(drawn, *at, borderMode=cv2.BORDER_REPLICATE)
        return rgb.astype(np.float32), cv2.remap(frame.instance, *at) > 0

    def _renderer(self):
        if self._rasterizer is None:
            from render.draw.rasterizer import Rasterizer

            half = 3.0
            corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
            table = Mesh(
                np.column_stack([corners, np.zeros(4)]).astype(np.float32),
                np.array([[0, 1, 2], [0, 2, 3]], np.int32),
                np.tile(np.array([0, 0, 1], np.float32), (4, 1)),
                np.full((4, 3), 255, np.uint8),
            )
            assert self.mesh is not None
            self._rasterizer = Rasterizer({1: self.mesh, 2: table})
        return self._rasterizer

    def close(self) -> None:
        if self._rasterizer is not None:
            self._rasterizer.close()


def _expose(light: np.ndarray, shot: Shot, rng: np.random.Generator, time: float) -> np.ndarray:
    """What the sensor makes of the light: blur, motion, changing light, noise."""
    image = cv2.GaussianBlur(light, (0, 0), shot.blur) if shot.blur else light
    length = shot.shake * rng.random() ** 2
    if length > 0.5:
        image = cv2.filter2D(image, -1, _streak(length, rng.random() * np.pi))
    height, width = image.shape[:2]
    rows = np.linspace(0, 1.5, height)[:, None] + np.linspace(0, 0.7, width) + 2.5 * time
    gain = 1 + shot.light * np.sin(2 * np.pi * rows) + shot.light * np.sin(2 * np.pi * 1.3 * time)
    image = image * gain[..., None].astype(np.float32)
    noise = rng.normal(size=image.shape).astype(np.float32) * np.float32(shot.noise)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def _streak(length: float, angle: float) -> np.ndarray:
    """The kernel of a straight motion of `length` px, its middle in the kernel's."""
    half = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * half + 1,) * 2, np.float32)
    for s in np.linspace(-length / 2, length / 2, 33):
        x, y = half + s * np.cos(angle), half + s * np.sin(angle)
        x0, y0 = int(x), int(y)
        for dx, wx in ((0, 1 - x + x0), (1, x - x0)):
            for dy, wy in ((0, 1 - y + y0), (1, y - y0)):
                kernel[y0 + dy, x0 + dx] += wx * wy
    return kernel / kernel.sum()


def truth_of(film: Film, index: int) -> np.ndarray:
    """cam_from_obj of a frame."""
    assert film.board_from_obj is not None
    return film.cam_from_board[index] @ film.board_from_obj


def turned(frames: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Frames of a camera that was held upright, as its sensor lies."""
    return (np.ascontiguousarray(np.rot90(frame)) for frame in frames)
