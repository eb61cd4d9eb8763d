"""Environments in OpenGL: what matt surfaces receive as a uniform block, mirrors as textures."""

from collections import OrderedDict

import moderngl
import numpy as np

from render.draw.gl_context import ALBEDO_UNIT, ENVIRONMENT_BINDING, MIRRORED_UNIT
from render.environment.albedo import directional_albedo
from render.environment.light import EnvironmentLight, prepare
from render.environment.spec import KEPT, Environment

# std140 uniform block of physical.frag.
ENVIRONMENT = np.dtype(
    [("irradiance", "<f4", (9, 4)), ("env_from_cam", "<f4", (3, 4)), ("image_size", "<f4", 4)]
)


class Environments:
    """The environments of a context, made ready when first used."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._mirrored: OrderedDict[tuple, moderngl.Texture3D] = OrderedDict()
        self._albedo: moderngl.Texture | None = None
        self._block = context.buffer(reserve=ENVIRONMENT.itemsize, dynamic=True)

    def use(self, environment: Environment, size: tuple[int, int]) -> None:
        """Let the next draws, of an image of that size, be lit by an environment.

        Raises:
            InputError: its panorama is unusable.
        """
        light = prepare(environment)
        self._block.orphan()
        block = environment_block(environment, light)
        block["image_size"][:2] = size
        self._block.write(block.tobytes())
        self._block.bind_to_uniform_block(ENVIRONMENT_BINDING)
        key = environment.kind, environment.seed, environment.path
        if key not in self._mirrored:
            self._mirrored[key] = self._upload(light.mirrored)
        self._mirrored.move_to_end(key)
        if len(self._mirrored) > KEPT:  # that is more than are drawn together
            self._mirrored.popitem(last=False)[1].release()
        self._mirrored[key].use(MIRRORED_UNIT)
        if self._albedo is None:
            table = directional_albedo()
            self._albedo = self._context.texture(table.shape[1::-1], 2, table.tobytes(), dtype="f4")
            self._albedo.repeat_x = self._albedo.repeat_y = False
        self._albedo.use(ALBEDO_UNIT)

    def _upload(self, mirrored: np.ndarray) -> moderngl.Texture3D:
        levels, height, width = mirrored.shape[:3]
        content = np.ones((levels, height, width, 4), np.float32)
        content[..., :3] = mirrored
        texture = self._context.texture3d((width, height, levels), 4, content.tobytes(), dtype="f4")
        texture.filter = moderngl.LINEAR, moderngl.LINEAR
        texture.repeat_x, texture.repeat_y, texture.repeat_z = True, False, False
        return texture


def environment_block(environment: Environment, light: EnvironmentLight) -> np.ndarray:
    """() ENVIRONMENT of an environment."""
    block = np.zeros((), ENVIRONMENT)
    env_from_cam = np.array(environment.env_from_cam)
    block["env_from_cam"][:, :3] = env_from_cam
    turn = np.eye(4)
    turn[:3, :3] = env_from_cam
    m = turn.T @ light.irradiance @ turn  # (3, 4, 4), of normals in the camera frame
    linear = [2 * m[:, i, 3] for i in range(3)]
    mixed = [2 * m[:, i, j] for i, j in ((0, 1), (1, 2), (2, 0))]
    squares = [m[:, i, i] - m[:, 2, 2] for i in range(2)]
    block["irradiance"][:, :3] = [m[:, 3, 3] + m[:, 2, 2], *linear, *mixed, *squares]
    return block
