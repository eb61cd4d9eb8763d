"""A toy tugboat without any symmetry: its sides are built and painted differently. Textured."""

import numpy as np

from assets.painting import box, coat, disc, lettering, paint, plain, star, textured
from assets.shapes import Curve, Place, Surface, circle, moved, refined, resampled, rounded, slab
from render.mesh.mesh import Mesh

# x is forward, y to port, z up from the keel; mm.
BEAM, BOW, STERN, RAIL = 32.0, 88.0, 68.0, 35.0  # half width, lengths from the middle, height
BOW_SHAPE, STERN_SHAPE = (1.9, 1.75), (3.2, 2.5)  # exponents of x and y in the deck's outline
HOUSE, BRIDGE, FUNNEL = -10.0, 4.0, -26.0  # x of the deckhouse, the wheelhouse, the funnel

NAVY, WINE, MUSTARD, WHITE = (30, 62, 108), (150, 42, 38), (238, 178, 54), (244, 240, 228)
CREAM, TEAL, BRICK, WOOD = (240, 228, 200), (44, 126, 128), (196, 66, 46), (172, 104, 54)
IRON, GLASS, BRASS, RUBBER = (58, 62, 70), (36, 60, 92), (206, 158, 72), (40, 40, 43)
SCARLET, ORANGE, PINE, HEMP = (204, 44, 38), (236, 104, 40), (214, 168, 110), (206, 180, 132)

HULL = [
    (0, 0, 0), (21, 0, 9), (29.3, 20, 14), (30.3, 23.6, 0.4), (32.4, 24.2, 0.8), (32.7, 27.6, 0.8),
    (31, 28.2, 0.4), (32, RAIL, 0.9), (30.9, RAIL, 0),
]  # fmt: skip
DECK = [(30.9, RAIL, 0), (29.8, RAIL, 0.9), (29.4, 29, 0.4), (0, 30, 0)]


def build() -> Mesh:
    """The tugboat, its bow towards +x."""
    return textured([*_hull_and_fittings(), *_houses(), *_rigging(), *_cargo()], 1024, 2.7)


def _hull_and_fittings() -> list[Surface]:
    outline = _deck_outline()
    hull = Surface(outline, rounded(HULL), _paint_hull, _sheer)
    deck = Surface(outline, refined(rounded(DECK), 11), _paint_deck, _sheer)
    tyre = circle(2.5, 8, (6.2, 0.0))
    tyres = [
        Surface(circle(1.0, 16), tyre, _paint_tyre, _on_side(x, side))
        for x, side in ((16, 1), (-8, 1), (-32, 1), (12, -1), (-36, -1))
    ]
    post = rounded(
        [(0, 0, 0), (2.3, 0, 0), (2.1, 8, 0.5), (3.2, 8.6, 0.7), (3, 10.5, 1), (0, 11, 0)]
    )
    posts = [
        Surface(circle(1.0, 12), post, coat(IRON), moved((x, y, _deck(x) - 1)))
        for x, y in ((66, 4.5), (66, -4.5), (-58, 0))
    ]
    return [hull, deck, *tyres, *posts]


def _houses() -> list[Surface]:
    def roof(radius: float, z: float, top: float) -> Curve:
        return rounded([(0, z, 0), (radius, z, 0.7), (radius, z + 2.6, 1.3), (0, top, 0)])

    house = rounded([(0, 26, 0), (17, 26, 0), (17, 51, 1), (0, 51, 0)])
    bridge = rounded([(0, 51, 0), (13.6, 51, 0), (12.8, 79, 1), (0, 79, 0)])
    return [
        Surface(slab(54, 34, 7), house, _paint_house, moved((HOUSE, 0, 0))),
        Surface(slab(54, 34, 8), roof(18.6, 49.5, 52.6), _paint_roof, moved((HOUSE, 0, 0))),
        Surface(slab(31, 27, 6), bridge, _paint_bridge, moved((BRIDGE, 0, 0))),
        Surface(slab(32, 27, 7), roof(15.4, 77.5, 81.4), _paint_top, moved((BRIDGE, 0, 0))),
    ]


def _rigging() -> list[Surface]:
    funnel = rounded(
        [(0, 50, 0), (9.6, 50, 0), (8.8, 88, 0.9), (6.9, 88, 0.9), (6.9, 76, 0), (0, 76, 0)]
    )
    oval = resampled(circle(1.0, 2000).points * [1.25, 1.0], 32)
    mast = rounded([(0, 78, 0), (1.5, 78, 0), (1.0, 108, 0.3), (0, 108, 0)])
    lamp = rounded([(0, 105, 0), (2.6, 105, 2), (2.6, 110.5, 2.4), (0, 111, 0)])
    yard = rounded([(0, -12, 0), (0.8, -12, 0.3), (0.8, 12, 0.3), (0, 12, 0)])
    buoy = circle(1.9, 10, (6.0, 0.0))
    return [
        Surface(oval, funnel, _paint_funnel, _rake),
        Surface(circle(1.0, 10), mast, coat(WOOD), moved((-6, 0, 0))),
        Surface(circle(1.0, 12), lamp, coat(SCARLET), moved((-6, 0, 0))),
        Surface(circle(1.0, 8), yard, coat(WOOD), moved((-6, 2, 98), (90, 0, 0))),
        Surface(circle(1.0, 24), buoy, _paint_buoy, moved((HOUSE - 13, -17.6, 41), (90, 0, 0))),
    ]


def _cargo() -> list[Surface]:
    coils = [
        Surface(circle(1.0, 22), circle(1.8, 8, (radius, 0.0)), _paint_rope, moved((46, 9, z)))
        for radius, z in ((6.4, 34.1), (5.9, 37))
    ]
    crate = rounded([(0, 0, 0), (6, 0, 0.3), (6, 11, 0.5), (0, 11, 0)])
    hatch = rounded([(0, 0, 0), (6.5, 0, 0), (6.5, 4, 0.8), (0, 4.6, 0)])
    return [
        *coils,
        Surface(slab(14, 12, 0.6), crate, _paint_crate, moved((-51, -13, 30.2), (0, 0, 18))),
        Surface(slab(17, 13, 1.5), hatch, _paint_hatch, moved((42, -10, 31), (0, 0, -8))),
    ]


def _deck_outline() -> Curve:
    """The deck seen from above, in half beams: a full bow and a square stern."""
    angle = 2 * np.pi * np.arange(20001) / 20000
    c, s = np.cos(angle), np.sin(angle)
    ahead = c > 0
    along = np.where(ahead, BOW_SHAPE[0], STERN_SHAPE[0])
    across = np.where(ahead, BOW_SHAPE[1], STERN_SHAPE[1])
    x = np.where(ahead, BOW, STERN) / BEAM * np.sign(c) * np.abs(c) ** (2 / along)
    y = np.sign(s) * np.abs(s) ** (2 / across)
    x[-1], y[-1] = x[0], y[0]
    return resampled(np.stack([x, y], axis=1), 64)


def _lift(x: np.ndarray) -> np.ndarray:
    """How far the sheer raises the rail at x: much at the bow, a little at the stern."""
    return 15 * np.maximum(x / BOW, 0) ** 2 + 4 * np.minimum(x / STERN, 0) ** 2


def _sheer(points: np.ndarray) -> np.ndarray:
    """Raise the ends, and let the bow lean forward."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    lean = 0.3 * (z - RAIL) * np.maximum(x / BOW, 0) ** 2
    return np.stack([x + lean, y, z * (1 + _lift(x) / RAIL)], axis=-1)


def _deck(x: float) -> float:
    """Height of the deck at x."""
    return 29.5 * (1 + float(_lift(np.array(x))) / RAIL)


def _on_side(x: float, side: int) -> Place:
    """Hang something flat on the hull at x, on the port (1) or starboard (-1) side."""

    def half_width(x: float) -> float:
        length, (n, m) = (BOW, BOW_SHAPE) if x > 0 else (STERN, STERN_SHAPE)
        return BEAM * (1 - abs(x / length) ** n) ** (1 / m)

    slope = np.degrees(np.arctan2(half_width(x + 1) - half_width(x - 1), 2))
    at = (x, side * (half_width(x) + 1.6), _deck(x) - 9)
    return moved(at, (90, 0, 0), (0, 0, side * slope))


def _rake(points: np.ndarray) -> np.ndarray:
    """Lean the funnel aft, and put it in its place."""
    return points + np.stack([FUNNEL - 0.14 * (points[..., 2] - 50)] + 2 * [0 * points[..., 2]], -1)


def _paint_hull(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    color = plain(NAVY, u)
    color = paint(color, WINE, z < 11)
    color = paint(color, WHITE, (z > 11) & (z < 12.8))
    color = paint(color, MUSTARD, (z > 23.7) & (z < 28.3))
    color = paint(color, CREAM, z > 28.3)
    color = paint(color, WOOD, z > RAIL - 1.2)

    name = lettering("MIRA", 42 - x, z - 18, 7.5)
    number = lettering("7", x - 46, z - 18, 8.5)
    stars = star(x - 34, z - 18, 4.4) | star(x - 57, z - 18, 3.4)
    color = paint(color, WHITE, np.where(y > 0, name, number | stars) & (z > 12))
    stripes = (np.abs(x + 52) < 5) & (np.mod(x, 5) < 2.5) & (y < 0) & (z > 12.8) & (z < 23.7)
    return paint(color, MUSTARD, stripes)


def _paint_deck(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Bulwark and planks, in the shade close to the deckhouse."""
    x, y, z = np.moveaxis(points, -1, 0)
    plank = np.floor(y / 4.2)
    tone = np.mod(np.sin(plank * 12.9898 + 4) * 43758.5453, 1)
    joint = np.mod(x + 40 * tone, 42) < 0.5
    color = plain(PINE, x) * (0.88 + 0.2 * tone)[..., None]
    color = paint(color, (112, 78, 48), (np.mod(y / 4.2, 1) < 0.13) | joint)
    shade = 1 - 0.35 * np.clip(
        1
        - np.hypot(*(np.maximum(np.abs(a) - half, 0) for a, half in ((x - HOUSE, 27), (y, 17))))
        / 7,
        0,
        1,
    )
    color = color * shade[..., None]
    return paint(paint(color, CREAM, z > 30.2), WOOD, z > RAIL - 1.2)


def _wall(points: np.ndarray, half_length: float, half_width: float) -> tuple[np.ndarray, ...]:
    """Which wall of a house points are on: port, starboard, front, back."""
    x, y = points[..., 0] / half_length, points[..., 1] / half_width
    side = np.abs(y) > 0.93
    return side & (y > 0), side & (y < 0), ~side & (x > 0), ~side & (x < 0)


def _paint_house(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    port, starboard, front, back = _wall(points, 27, 17)
    color = paint(plain(CREAM, u), TEAL, z < 34)
    color = paint(color, WHITE, (z > 34) & (z < 35))
    for at, wall in ((-17, port), (-4, port), (9, port), (15, starboard)):
        color = _paint_porthole(color, x - at, z - 42, wall)
    color = _paint_porthole(color, y, z - 42, front)
    color = _paint_door(color, x - 3, z - 39, starboard, WOOD)
    color = _paint_door(color, y - 4, z - 39, back, BRICK)
    return color * (0.82 + 0.18 * np.clip((50 - z) / 5, 0, 1))[..., None]


def _paint_porthole(
    color: np.ndarray, x: np.ndarray, y: np.ndarray, wall: np.ndarray
) -> np.ndarray:
    color = paint(color, BRASS, disc(x, y, 4.6) & wall)
    color = paint(color, GLASS, disc(x, y, 3.4) & wall)
    return paint(color, (150, 186, 210), disc(x + 1.1, y - 1.1, 1.1) & wall)


def _paint_door(
    color: np.ndarray, x: np.ndarray, y: np.ndarray, wall: np.ndarray, paintwork: tuple
) -> np.ndarray:
    color = paint(color, WHITE, box(x, y, 11.5, 20, 2.5) & wall)
    color = paint(color, paintwork, box(x, y, 9.5, 18, 1.8) & wall)
    color = paint(color, GLASS, box(x, y - 4, 5.5, 5.5, 1) & wall)
    return paint(color, BRASS, disc(x - 3.2, y + 2, 0.9) & wall)


def _paint_roof(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    color = paint(plain(WHITE, u), BRICK, z > 51.6)
    near = np.minimum(
        np.hypot(np.maximum(np.abs(x + HOUSE - BRIDGE) - 15.5, 0), np.maximum(np.abs(y) - 13.5, 0)),
        np.maximum(np.hypot((x + HOUSE - FUNNEL) / 1.25, y) - 9.5, 0),
    )
    return color * (1 - 0.35 * np.clip(1 - near / 5, 0, 1))[..., None]


def _paint_bridge(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    port, starboard, front, back = _wall(points, 15.5, 13.5)
    along = np.where(port | starboard, x, y)
    color = (
        plain(WOOD, u) * (0.9 + 0.2 * np.mod(np.sin(np.floor(along / 3) * 7.1) * 99, 1))[..., None]
    )
    color = paint(color, (108, 62, 34), np.mod(along, 3) < 0.35)
    color = paint(color, WHITE, z > 61)
    for at, wall in ((-6.5, port), (6.5, port), (6.5, starboard)):
        color = _paint_window(color, x - at, z - 69.5, 9.5, wall)
    for at in (-8, 0, 8):
        color = _paint_window(color, y - at, z - 69.5, 6.4, front)
    color = _paint_window(color, y, z - 69.5, 12, back)
    color = _paint_door(color, x + 6, z - 64, starboard, TEAL)
    return color * (0.8 + 0.2 * np.clip((78 - z) / 5, 0, 1))[..., None]


def _paint_window(
    color: np.ndarray, x: np.ndarray, y: np.ndarray, width: float, wall: np.ndarray
) -> np.ndarray:
    color = paint(color, GLASS, box(x, y, width, 10, 1.2) & wall)
    glint = (np.abs(x + 0.6 * y) < 0.9) & box(x, y, width - 1, 9, 1)
    return paint(color, (136, 176, 204), glint & wall)


def _paint_top(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    color = paint(plain(WHITE, u), TEAL, points[..., 2] > 79.6)
    return paint(color, MUSTARD, np.abs(v - 0.69) < 0.02)


def _paint_funnel(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    color = paint(plain(SCARLET, u), WHITE, (z > 62) & (z < 77))
    color = paint(color, NAVY, star(-x, z - 69, 6.2) & (y > 0))
    color = paint(color, NAVY, lettering("M", x, z - 69.5, 10) & (y < 0))
    return paint(color, RUBBER, (z > 80) | (np.hypot(x / 1.25, y) < 7.6))


def _paint_tyre(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return paint(
        plain(RUBBER, u), (88, 88, 92), (np.mod(u * 14, 1) < 0.3) & (np.abs(v - 0.5) > 0.3)
    )


def _paint_buoy(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return paint(plain(WHITE, u), ORANGE, np.mod(u * 4, 1) < 0.5)


def _paint_rope(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return paint(plain(HEMP, u), (146, 116, 74), np.mod(u * 26 + v * 2, 1) < 0.3)


def _paint_crate(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    port, starboard, _, _ = _wall(points, 7, 6)
    along = np.where(port | starboard, x / 7, y / 6)
    frame = (
        (np.abs(along) > 0.8) | (np.abs(z - 5.5) > 4.3) | (np.abs(along - (z - 5.5) / 5.5) < 0.2)
    )
    color = paint(plain(PINE, u), (150, 104, 58), frame & (z < 10.8))
    return paint(color, (120, 82, 46), (np.mod(y, 3) < 0.4) & (z >= 10.8))


def _paint_hatch(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    return paint(plain(TEAL, u), MUSTARD, (z > 3.9) & box(x, y, 11, 7, 1))
