"""What is refused of the ranges that scenes are drawn from, before anything is drawn."""

from render.errors import InputError
from render.scene.layout import Stage
from render.scene.surroundings import SETTLED, SettledConfig

FEWEST_PIXELS = 4.0  # that an object is to be large, at its farthest
LEAST_ELEVATION_DEG = 5.0  # of the camera above a table
# Of the largest thing that falls: what is smaller would float, for in physics things keep apart.
LEAST_SHARE = 1 / 200
INTO_BIN_DEG = 45.0  # from which a camera sees over the walls of a bin to the middle of its floor


def check_ranges(config: SettledConfig, stage: Stage) -> None:
    """Refuse ranges that cannot be drawn from.

    Raises:
        InputError: an object could reach behind the camera or be too small to be seen, the
            camera could be below the ground, or sizes differ too much to fall together.
    """
    _check_elevation(config)
    if config.layout in SETTLED:
        _check_sizes(config, stage)
    for obj_id in stage.obj_ids:
        diameter = stage.models[obj_id].diameter
        if config.distance is not None and diameter / 2 >= config.distance[0]:
            raise InputError(
                f"scene.distance: {config.distance[0]} m from the camera, object {obj_id} of"
                f" {diameter:.4g} m reaches behind it; give larger distances, or none for"
                " such as fit the objects"
            )
        if config.distance is not None and config.layout != "crop":
            pixels = stage.camera.K[0, 0] * diameter / config.distance[1]
            if pixels < FEWEST_PIXELS:
                raise InputError(
                    f"scene.distance: {config.distance[1]} m from the camera, object {obj_id}"
                    f" of {1000 * diameter:.4g} mm is {pixels:.1f} px large; give smaller"
                    " distances, or none for such as fit the objects"
                )


def _check_sizes(config: SettledConfig, stage: Stage) -> None:
    diameters = {i: m.diameter for i, m in [*stage.models.items(), *stage.distractors.items()]}
    small, large = (pick(diameters, key=lambda i: diameters[i]) for pick in (min, max))
    if diameters[small] < LEAST_SHARE * diameters[large]:
        sizes = (f"{1000 * diameters[i]:.3g} mm" for i in (small, large))
        raise InputError(
            f"scene.layout={config.layout}: object {small} of {next(sizes)} cannot fall among such"
            f" as object {large} of {next(sizes)}; leave out one, so that none is smaller than"
            f" 1/{round(1 / LEAST_SHARE)} of another"
        )


def _check_elevation(config: SettledConfig) -> None:
    low, high = config.elevation_deg
    if config.layout in ("tabletop", *SETTLED) and low < LEAST_ELEVATION_DEG:
        raise InputError(
            f"scene.elevation_deg: from {low:g} the camera sees the table"
            f" edge-on or from below; begin at {LEAST_ELEVATION_DEG:g} or more, or take"
            " scene.layout upright, which draws no table"
        )
    if config.layout == "bin" and high < INTO_BIN_DEG:
        raise InputError(
            f"scene.elevation_deg: up to {high:g} the walls of the bin hide what lies in it; end at"
            f" {INTO_BIN_DEG:g} or more"
        )
