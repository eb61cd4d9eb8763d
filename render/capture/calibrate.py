"""The board's corners in many images -> the lens that took them, and how surely it is known."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from render.capture.board import Board
from render.capture.detect import Seen
from render.capture.lens import Lens, Straightener
from render.capture.pose import outlier_limit, part_of, rms, without_outliers
from render.errors import InputError
from render.transforms import rigid

log = logging.getLogger(__name__)

LEAST_VIEWS = 8
LEAST_CORNERS = 8  # of a view
LEAST_OUTLIER_PX = 0.1
ROUNDS = 3
FOCAL_GUESSES = 0.75, 1.6  # of the longer side: a telephone's main camera, and its second one
BLOCKS = 8  # of neighbouring views, each left out once
SIDEWAYS = "film from lower down (30 to 60 degrees above the table), all round, and nearer"

_NO_TANGENT = cv2.CALIB_ZERO_TANGENT_DIST
# Names of the coefficients that are fitted -> what OpenCV shall keep at 0.
MODELS = {
    "none": _NO_TANGENT | cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3,
    "k1": _NO_TANGENT | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3,
    "k1 k2": _NO_TANGENT | cv2.CALIB_FIX_K3,
    "k1 k2 p1 p2": cv2.CALIB_FIX_K3,
    "k1 k2 p1 p2 k3": 0,
}
FIRST = "k1 k2"


@dataclass(frozen=True, eq=False)
class _Fit:
    """What cv2.calibrateCamera makes of views."""

    lens: Lens
    poses: list[np.ndarray]
    errors: list[np.ndarray]
    parameters: int

    @property
    def information(self) -> float:
        """H. Akaike's criterion (1974): the least is the model that predicts best.

        G. Schwarz's of 1978 leaves out a lens' decentring, which then shifts its principal point:
        by 1.1 px against 0.75 px (rms) in simulated films of 25 views.
        """
        squares = np.square(np.concatenate(self.errors))
        numbers = 2 * len(squares)
        return numbers * np.log(squares.sum() / numbers) + 2 * self.parameters


def calibrate(views: Sequence[Seen], board: Board, size: tuple[int, int]) -> Lens:
    """Calibrate a camera by Z. Zhang's method, "A flexible new technique for camera calibration".

    Pixels are taken to be square, and only those coefficients of distortion are fitted that the
    views support. The focal length's standard deviation is the larger of two: of least squares,
    which takes corners' errors for independent, and of leaving out blocks of views in turn
    (jackknife), which does not.

    Args:
        views: in the order that they were taken.
        size: (width, height) of the images.

    Raises:
        InputError: too few views, or they fit no lens.
    """
    if len(views) < LEAST_VIEWS:
        raise InputError(
            f"too few images show the board well to calibrate a camera, {len(views)} of the"
            f" {LEAST_VIEWS} that it takes; {SIDEWAYS}, or give --camera"
        )
    guesses = [Lens(guess_camera(size, share), np.zeros(5), size) for share in FOCAL_GUESSES]
    fits = [fit for guess in guesses if (fit := _fit(views, board, guess, FIRST)) is not None]
    if not fits:
        raise InputError(f"no camera's focal length explains the board; {SIDEWAYS}")
    fit = min(fits, key=lambda fit: fit.lens.rms_px)
    # First by each view's own measure: what is far off in one view bends the lens for all.
    views = [without_outliers(view, e) for view, e in zip(views, fit.errors, strict=True)]
    for turn in range(ROUNDS):
        views = _without_outliers(views, fit.errors) if turn else _of_enough(views)
        if len(views) < LEAST_VIEWS:
            raise InputError(
                f"only {len(views)} images fit one camera, {LEAST_VIEWS} or more are needed: is the"
                " board flat, and were zoom, autofocus and stabilisation off?"
            )
        again = _fit(views, board, fit.lens, FIRST)
        if again is None:
            break
        fit = again
    model, fit = _choose_model(views, board, fit)
    spread = _jackknife(views, board, fit.lens, model)
    log.info("lens distortion: %s", "none" if model == "none" else f"{model} are fitted")
    lens = fit.lens
    focal_std = max(lens.focal_std, spread)
    return Lens(lens.K, lens.distortion, size, focal_std, lens.rms_px, len(views))


def check_focal_length(lens: Lens, most_std: float) -> None:
    """Refuse a calibration whose focal length is not known well enough.

    A wrong focal length hardly shows in the reprojection error: distances are wrong by its share.

    Raises:
        InputError: says how uncertain it is, and what makes it surer.
    """
    if lens.focal_std > most_std:
        raise InputError(
            f"the focal length is known to {100 * lens.focal_std:.2f} % only (one standard"
            f" deviation), at most {100 * most_std:g} % are allowed, for every distance would be"
            f" wrong by as much: {SIDEWAYS}, or give --camera"
        )


def guess_camera(size: tuple[int, int], share: float = FOCAL_GUESSES[0]) -> np.ndarray:
    """(3, 3) K of a focal length that is such a share of the longer side."""
    f = share * max(size)
    return np.array([[f, 0, (size[0] - 1) / 2], [0, f, (size[1] - 1) / 2], [0, 0, 1.0]])


def _fit(views: Sequence[Seen], board: Board, start: Lens, model: str) -> _Fit | None:
    """Fit a lens and the board's poses together; None if OpenCV finds none."""
    points = [board.corners[view.ids].astype(np.float32) for view in views]
    pixels = [view.pixels.astype(np.float32) for view in views]
    flags = MODELS[model] | cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_FIX_ASPECT_RATIO
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-9)
    try:
        _, K, distortion, rvecs, tvecs, deviations, _, _ = cv2.calibrateCameraExtended(
            points, pixels, start.size, start.K.copy(), start.distortion.copy(),
            flags=flags, criteria=stop,
        )  # fmt: skip
    except cv2.error:
        return None
    if not (np.isfinite(K).all() and np.isfinite(distortion).all() and K[0, 0] > 0):
        return None
    distortion = distortion.ravel()[:5]
    bent = Lens(K, distortion, start.size)
    poses = [rigid(cv2.Rodrigues(r)[0], t.ravel()) for r, t in zip(rvecs, tvecs, strict=True)]
    errors = [
        np.linalg.norm(
            bent.project(board.corners[view.ids] @ pose[:3, :3].T + pose[:3, 3]) - view.pixels,
            axis=1,
        )
        for view, pose in zip(views, poses, strict=True)
    ]
    focal_std = float(np.ravel(deviations)[:2].max() / K[0, 0])  # of a fixed fx it says 0
    lens = Lens(K, distortion, start.size, focal_std, rms(np.concatenate(errors)), len(views))
    free = 3 + (0 if model == "none" else len(model.split())) + 6 * len(views)
    return _Fit(lens, poses, errors, free)


def _without_outliers(views: Sequence[Seen], errors: Sequence[np.ndarray]) -> list[Seen]:
    """Views without corners that lie further off than most of all views' do.

    So blurred views, all of whose corners do, go as a whole: they would weigh as much as others.
    """
    furthest = outlier_limit(np.concatenate(errors), LEAST_OUTLIER_PX)
    kept = [part_of(view, e <= furthest) for view, e in zip(views, errors, strict=True)]
    return _of_enough(kept)


def _of_enough(views: Sequence[Seen]) -> list[Seen]:
    return [view for view in views if len(view.ids) >= LEAST_CORNERS]


def _choose_model(views: Sequence[Seen], board: Board, fit: _Fit) -> tuple[str, _Fit]:
    """The coefficients of distortion that the views support, of those that make a lens."""
    found = []
    for model in MODELS:
        other = _fit(views, board, Lens(fit.lens.K, np.zeros(5), fit.lens.size), model)
        if other is not None and _is_lens(other.lens):
            found.append((other.information, model, other))
    if not found:
        raise InputError(f"no lens explains the board; {SIDEWAYS}")
    _, model, best = min(found, key=lambda one: one[0])
    return model, best


def _is_lens(lens: Lens) -> bool:
    try:
        Straightener(lens)
    except InputError:
        return False
    return True


def _jackknife(views: Sequence[Seen], board: Board, lens: Lens, model: str) -> float:
    """Standard deviation of the focal length, as a share, from leaving out blocks of views."""
    blocks = np.array_split(np.arange(len(views)), BLOCKS)
    focal = []
    for block in blocks:
        rest = [view for i, view in enumerate(views) if i not in block]
        fit = _fit(rest, board, lens, model)
        if fit is None:
            return np.inf
        focal.append(fit.lens.K[0, 0])
    spread = np.square(np.array(focal) - np.mean(focal)).sum() * (len(blocks) - 1) / len(blocks)
    return float(np.sqrt(spread) / lens.K[0, 0])
