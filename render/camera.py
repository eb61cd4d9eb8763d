"""The camera: OpenCV axes, pixel centres at integers. OpenGL's axes live here only."""

import math
from dataclasses import dataclass

import numpy as np

from render.distortion import FARTHEST, Lens, bend, reach, straight_rays

# Of a side, for a focal length: a thousand is a telescope's, of a few hundredths of a degree.
LONGEST_FOCAL = 1000
MOST_ASPECT = 3  # fx to fy: anamorphic lenses and fields of interlaced films have 2


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, or one with a lens distortion, which neither crops nor draws.

    K: (3, 3) float64 intrinsics in pixels, last row 0 0 1; skew and rotation in the upper left are
        allowed, so that a rotated crop is a camera too.
    width, height: image size in pixels.
    distortion: OpenCV's k1, k2, p1, p2, k3; None of a pinhole.
    """

    K: np.ndarray
    width: int
    height: int
    distortion: Lens | None = None

    def __post_init__(self) -> None:
        K = np.array(self.K, np.float64)
        if K.shape != (3, 3):
            raise ValueError(f"K must be (3, 3), got {K.shape}")
        (a, b, x), (c, d, y) = K[:2].tolist()
        if not all(map(math.isfinite, (a, b, x, c, d, y))) or K[2].tolist() != [0, 0, 1]:
            raise ValueError(f"K must be finite with last row 0 0 1, got {K.tolist()}")
        if abs(a * d - b * c) < 1e-12:
            raise ValueError(f"K must be invertible, got {K.tolist()}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"image size must be positive, got {self.width}x{self.height}")
        K.setflags(write=False)
        object.__setattr__(self, "K", K)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    @property
    def looks_into_image(self) -> bool:
        """Whether the principal point lies within the image, as of all that is no cut-out.

        Its border is outside: there the middle of an image of twice the size is.
        """
        cx, cy = self.K[:2, 2]
        return bool(-0.5 < cx < self.width - 0.5 and -0.5 < cy < self.height - 0.5)

    @property
    def focal_fault(self) -> str:
        """Why no camera has these focal lengths in pixels of such an image; "" if one may."""
        fx, fy = self.K[0, 0], self.K[1, 1]
        for name, focal, of, side in (
            ("fx", fx, "width", self.width),
            ("fy", fy, "height", self.height),
        ):
            if not 1 / (2 * FARTHEST) <= focal / side <= LONGEST_FOCAL:
                return (
                    f"{name} = {focal:g} is {focal / side:.3g} of the image's {of}, {side} pixels,"
                    f" and no camera's is outside {1 / (2 * FARTHEST)} to {LONGEST_FOCAL}; give fx"
                    " and fy in pixels, neither in millimetres nor normalised"
                )
        if not 1 / MOST_ASPECT <= fy / fx <= MOST_ASPECT:
            return f"fx = {fx:g} and fy = {fy:g}: none is more than {MOST_ASPECT} times the other"
        return ""

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points in the camera frame: (..., 3) metres -> (..., 2) pixels."""
        if self.distortion is not None:
            return bend(np.asarray(points, np.float64), self.K, self.distortion)
        uvw = np.asarray(points, np.float64) @ self.K.T
        return uvw[..., :2] / uvw[..., 2:]

    def before(self, points: np.ndarray) -> np.ndarray:
        """Whether (..., 3) points are where `project` means anything: before the camera, and
        within the reach of its lens; (...) bool."""
        before = points[..., 2] > 0
        if self.distortion is None:
            return before
        away = np.linalg.norm(points[..., :2], axis=-1)
        return before & (away <= reach(self.distortion) * points[..., 2])

    def unproject(self, depth: np.ndarray) -> np.ndarray:
        """Lift a depth map to points in the camera frame.

        Args:
            depth: (height, width), z in metres, 0 where nothing was seen.

        Returns:
            (height, width, 3) float64 points in metres; zero depth gives the origin.
        """
        if depth.shape != (self.height, self.width):
            raise ValueError(f"depth must be {(self.height, self.width)}, got {depth.shape}")
        v, u = np.mgrid[: self.height, : self.width].astype(np.float64)
        if self.distortion is not None:
            xy = straight_rays(np.stack([u, v], axis=-1), self.K, self.distortion)
            rays = np.concatenate([xy, np.ones_like(u)[..., None]], axis=-1)
        else:
            rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(self.K).T
        return rays * depth[..., None]

    def crop(self, crop_from_image: np.ndarray, width: int, height: int) -> "Camera":
        """The camera that sees this camera's image through an affine crop.

        Args:
            crop_from_image: (2, 3) affine map of pixel positions (shift, scale, in-plane rotation).
            width, height: size of the crop in pixels.
        """
        self._require_pinhole()
        affine = np.vstack([crop_from_image, [0, 0, 1]])
        return Camera(affine @ self.K, width, height)

    def clip_from_cam(self, near: float, far: float) -> np.ndarray:
        """OpenGL's (4, 4) clip matrix for points in this OpenCV camera frame.

        Pixel (u, v) covers [u-0.5, u+0.5], so its centre falls on OpenGL's sample at +0.5. The
        image's first row is drawn to the framebuffer's first row: what is read back needs no flip.

        Args:
            near, far: clipping planes, metres.
        """
        self._require_pinhole()
        if not 0 < near < far:
            raise ValueError(f"need 0 < near < far, got {near} and {far}")
        clip_from_cam = np.zeros((4, 4))
        scale = np.array([2 / self.width, 2 / self.height])
        clip_from_cam[:2, :3] = scale[:, None] * self.K[:2]
        clip_from_cam[:2, 2] += scale * 0.5 - 1
        clip_from_cam[2, 2:] = [(far + near) / (far - near), -2 * far * near / (far - near)]
        clip_from_cam[3, 2] = 1
        return clip_from_cam

    def _require_pinhole(self) -> None:
        if self.distortion is not None:
            raise ValueError(f"a camera with lens distortion {self.distortion} is no pinhole")


def gl_from_cam() -> np.ndarray:
    """The (4, 4) turn from OpenCV's camera axes to OpenGL's (y up, looking along -z)."""
    return np.diag([1.0, -1.0, -1.0, 1.0])
