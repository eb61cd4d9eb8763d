"""How much a rough surface mirrors of light from all around: the other half of the split sum."""

from functools import cache

import numpy as np

SIDE = 32  # cosines to the viewer, and roughnesses, that are tabulated
SAMPLES = 64, 32  # microfacets that are tried, by tilt and, on one side, by azimuth


@cache
def directional_albedo() -> np.ndarray:
    """(SIDE, SIDE, 2) float32 table; rows are roughness, columns the cosine to the viewer, each in
    the middle of its cell of 0..1.

    GGX with Smith's height-correlated shadowing mirrors a share F0 A + B in all, for a reflectance
    of F0 head-on by Schlick's law: B. Karis, "Real shading in Unreal Engine 4", 2013, with glTF
    2.0's terms. By quadrature over microfacets as the lobe has them.
    """
    cell = (np.arange(SIDE, dtype=np.float32) + np.float32(0.5)) / SIDE
    alpha, cos_view = (cell**2)[:, None, None, None], cell[:, None, None]
    tilts, azimuths = ((np.arange(n) + 0.5) / n for n in SAMPLES)
    u, phi = np.meshgrid(tilts.astype(np.float32), (np.pi * azimuths).astype(np.float32))
    cos_half = np.sqrt((1 - u) / (1 + (alpha**2 - 1) * u))
    sin_half = np.sqrt(np.maximum(1 - cos_half**2, 0))
    view_half = np.sqrt(1 - cos_view**2) * sin_half * np.cos(phi) + cos_view * cos_half
    cos_light = np.maximum(2 * view_half * cos_half - cos_view, 0)
    view_half = np.maximum(view_half, 1e-6)
    # V D (n l) over the density of the half vectors, D (n h) / (4 (v h)).
    smith = cos_light * np.sqrt(cos_view**2 * (1 - alpha**2) + alpha**2)
    smith += cos_view * np.sqrt(cos_light**2 * (1 - alpha**2) + alpha**2)
    weight = 2 * cos_light * view_half / (cos_half * np.maximum(smith, 1e-9))
    fresnel = (1 - view_half) ** 5
    table = np.stack([(weight * (1 - fresnel)), weight * fresnel], axis=-1).mean(axis=(2, 3))
    table = table.astype(np.float32)
    table.setflags(write=False)
    return table
