"""The light that a photograph was taken in, by the shading of an object whose pose is known."""

import numpy as np

from render.scene.spec import Light, Vector

FEWEST_PIXELS = 100  # that tell of a light
CLIPPED = 250  # of 255; from here on a camera may have shown less than there was
DIRECTIONS = 500  # that are tried at once: 9 degrees apart on the sphere
NEARER = (0.3, 0.05)  # radians; then around the best so far, twice
# What a light must explain, as a share of the squared colours it shines on: a flat surface, for
# which it is the same as ambient light, has none.
RIDGE = 1e-3

Lighting = tuple[Vector, Light]  # ambient colour, the brightest light


def fit_lighting(rgb: np.ndarray, albedo: np.ndarray, normals: np.ndarray) -> Lighting | None:
    """Ambient colour and brightest direction that explain how an object is shaded.

    By least squares of colour = albedo * (ambient + light * max(normal . direction, 0)), which is
    how it is drawn; neither ambient nor light is negative.

    Args:
        rgb: (n, 3) colours of pixels, 0..255. albedo: (n, 3) what is drawn there in ambient light
            of 1. normals: (n, 3) unit, camera frame.

    Returns:
        None where too few pixels tell.
    """
    usable = (rgb < CLIPPED).all(axis=1)
    if np.count_nonzero(usable) < FEWEST_PIXELS:
        return None
    rgb, albedo, normals = (a[usable].astype(np.float64) for a in (rgb, albedo, normals))
    sphere = _sphere(DIRECTIONS)
    direction, ambient, light = _best(rgb, albedo, normals, sphere)
    for radius in NEARER:
        around = np.vstack([direction, direction + radius * sphere])
        around /= np.linalg.norm(around, axis=1, keepdims=True)
        direction, ambient, light = _best(rgb, albedo, normals, around)
    towards = tuple(direction.tolist())
    return tuple(ambient.tolist()), Light("directional", towards, tuple(light.tolist()))


def _best(
    rgb: np.ndarray, albedo: np.ndarray, normals: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of (d, 3) directions the one that explains most, with its ambient and light, (3,) each."""
    facing = np.maximum(directions @ normals.T, 0)  # (d, n)
    squares, products = albedo**2, albedo * rgb  # (n, 3)
    # The normal equations of the two unknowns: (3,) where only ambient light counts, else (d, 3).
    # One more than nothing, for a mesh that is black in a channel.
    ambient_2, products_ambient = squares.sum(axis=0) + 1, products.sum(axis=0)
    light_2, products_light = facing**2 @ squares + RIDGE * ambient_2, facing @ products
    both = facing @ squares

    determinant = ambient_2 * light_2 - both**2
    ambient = (light_2 * products_ambient - both * products_light) / determinant
    light = (ambient_2 * products_light - both * products_ambient) / determinant
    only_light, only_ambient = ambient < 0, light < 0
    ambient = np.where(only_ambient, products_ambient / ambient_2, np.maximum(ambient, 0))
    light = np.where(only_light, products_light / light_2, np.maximum(light, 0))
    explained = (ambient * products_ambient + light * products_light).sum(axis=1)
    chosen = int(np.argmax(explained))
    return directions[chosen], ambient[chosen], light[chosen]


def _sphere(count: int) -> np.ndarray:
    """(count, 3) unit vectors, evenly spread: a spiral that turns by the golden angle."""
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - z**2)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])
