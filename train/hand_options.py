"""What can be set of how hands are cut out of depth images. No torch, as in `train.options`."""

from dataclasses import dataclass

from render.config import option


@dataclass(frozen=True)
class HandCropConfig:
    """How a hand becomes a network's cube of depth."""

    size: int = option(128, "Side of the crop, pixels: the network's input", minimum=16)
    cube_mm: float = option(300.0, "Side of the cube around the hand's centre, mm", minimum=10)
    small_cube_mm: float = option(250.0, "The same for frames of a small hand, mm", minimum=10)
    angle_deg: float = option(
        60.0, "Training jitter: rotation in the image, degrees, up to; 0: none", minimum=0
    )
    shift_mm: float = option(
        10.0, "Training jitter: shift of the centre along each axis, mm, up to", minimum=0
    )
    scale: float = option(
        0.1, "Training jitter: relative change of size, up to; 0: none", minimum=0, maximum=0.9
    )


@dataclass(frozen=True)
class LocaliserConfig:
    """How the network that finds the palm is trained."""

    frames: int = option(2000, "Synthetic frames that are made to train it", minimum=16)
    steps: int = option(
        1500, "Steps that the network which finds the palm is trained for", minimum=1
    )
    size: int = option(64, "Side of its crops, pixels", minimum=16)
    cube_mm: float = option(500.0, "Side of its cube around the centre of mass, mm", minimum=10)
    shift_mm: float = option(
        40.0, "Training jitter: shift of that centre along each axis, mm, up to", minimum=0
    )
    angle_deg: float = option(
        30.0, "Training jitter: rotation in the image, degrees, up to; 0: none", minimum=0
    )

    @property
    def crop(self) -> HandCropConfig:
        """Its crops; they do not depend on the size of the hand, which it is not told."""
        return HandCropConfig(
            size=self.size,
            cube_mm=self.cube_mm,
            small_cube_mm=self.cube_mm,
            angle_deg=self.angle_deg,
            shift_mm=self.shift_mm,
        )
