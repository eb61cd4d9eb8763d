"""The bundled meshes, hand and presets, and what made them."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
