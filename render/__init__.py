"""Meshes and a hand model -> frames and datasets. These names are for other programs, too."""

from typing import TYPE_CHECKING

from render.lazy import lazy

if TYPE_CHECKING:
    from render.camera import Camera as Camera
    from render.dataset.generate import generate as generate
    from render.draw.rasterizer import Rasterizer as Rasterizer
    from render.draw.renderer import RenderConfig as RenderConfig
    from render.errors import InputError as InputError
    from render.formats.bop import read_split as read_split
    from render.frame import Frame as Frame
    from render.hand.file import load_hand as load_hand
    from render.hand.fit import fit_hands as fit_hands
    from render.hand.model import HandModel as HandModel
    from render.mesh.mesh import load_mesh as load_mesh
    from render.scene.randomize import SceneConfig as SceneConfig
    from render.scene.spec import Light as Light
    from render.scene.spec import Placed as Placed
    from render.scene.spec import SceneSpec as SceneSpec

_HOMES = {
    "Camera": "render.camera",
    "Frame": "render.frame",
    "HandModel": "render.hand.model",
    "InputError": "render.errors",
    "Light": "render.scene.spec",
    "Placed": "render.scene.spec",
    "Rasterizer": "render.draw.rasterizer",
    "RenderConfig": "render.draw.renderer",
    "SceneConfig": "render.scene.randomize",
    "SceneSpec": "render.scene.spec",
    "fit_hands": "render.hand.fit",
    "generate": "render.dataset.generate",
    "load_hand": "render.hand.file",
    "load_mesh": "render.mesh.mesh",
    "read_split": "render.formats.bop",
}
__all__ = [*_HOMES]
__getattr__, __dir__ = lazy(__name__, _HOMES)
