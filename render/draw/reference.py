"""The same SceneSpec through pyrender: the independent check of the rasterizer, and a second look.

Two OpenGL libraries must not share a context, so use `PyrenderRenderer` only in a process that does
not draw with moderngl, or call `render_in_subprocess`.
"""

import importlib.util
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from render.camera import Camera, gl_from_cam
from render.draw.compose import annotations, check_background, put_before
from render.draw.records import View, make_view
from render.errors import EGL_FIX, InputError
from render.frame import Frame
from render.mesh.box import mesh_corners
from render.mesh.mesh import Mesh
from render.scene.spec import Light, Placed, SceneSpec

PYRENDER_FIX = "run: python -m pip install pyrender==0.1.45"
PLATFORM = "PYOPENGL_PLATFORM"  # the variable by which PyOpenGL is told where its OpenGL is from
GAMMA = 2.2  # pyrender shades linear colours and encodes them so


def render_in_subprocess(
    meshes: Mapping[int, Mesh],
    specs: Sequence[SceneSpec],
    backgrounds: Sequence[np.ndarray | None] | None = None,
) -> list[Frame]:
    """`PyrenderRenderer(meshes).render(specs, backgrounds)` in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_render, dict(meshes), list(specs), backgrounds).result()


def _render(meshes, specs, backgrounds) -> list[Frame]:
    return PyrenderRenderer(meshes).render(specs, backgrounds)


def require_pyrender() -> None:
    """Raise InputError, which says how to install it, where there is no pyrender."""
    if importlib.util.find_spec("pyrender") is None:
        raise InputError(f"pyrender is not installed; {PYRENDER_FIX}")


def import_pyrender(windows: bool) -> Any:
    """The module pyrender, which on its first import in a process is set up for windows or none."""
    setattr(np, "infty", np.inf)  # noqa: B010  # pyrender 0.1.45 expects NumPy 1's name
    if not windows:
        os.environ.setdefault(PLATFORM, "egl")
        import pyglet

        pyglet.options["headless"] = True  # else pyrender's import of it needs X11's libraries
    import pyrender

    return pyrender


def platform_fix() -> str | None:
    """What to do where the environment demands an OpenGL that does not do without a display."""
    return f"unset {PLATFORM}" if os.environ.get(PLATFORM, "egl") != "egl" else None


class PyrenderRenderer:
    """Draws SceneSpecs with pyrender, through the interface of `Rasterizer`.

    Depth and instance ids have one sample a pixel, at its centre, as the rasterizer's; depth comes
    from a 24-bit buffer, so it is coarse for a scene that begins close to the camera. The colour
    is pyrender's own: physically based, gamma-encoded, always anti-aliased; point lights and spots
    fall off with the squared distance, and have their given strength at the middle of the objects.
    Shadows are left out, there are no normals or object coordinates, and specs with an environment
    are refused.

    Use one at a time in a process: one that is closed or deleted ends EGL for the others.

    name: pyrender's version, and the OpenGL renderer and version.
    """

    def __init__(self, meshes: Mapping[int, Mesh]) -> None:
        """
        Args:
            meshes: what specs may place, by obj_id.

        Raises:
            InputError: there is no pyrender, or it has no OpenGL here, or of a mesh something is
                cut out.
        """
        require_pyrender()
        if cut := [obj_id for obj_id, mesh in meshes.items() if mesh.opacity is not None]:
            raise InputError(
                f"object {cut[0]} is cut out by its alpha (MASK), which pyrender does not draw; use"
                " --renderer moderngl"
            )
        self._boxes = {obj_id: mesh_corners(mesh) for obj_id, mesh in meshes.items()}
        try:
            pyrender = import_pyrender(windows=False)
            from OpenGL import GL

            self._offscreen = pyrender.OffscreenRenderer(1, 1)
            device, opengl = (GL.glGetString(k).decode() for k in (GL.GL_RENDERER, GL.GL_VERSION))
        except Exception as error:  # from PyOpenGL, whatever a missing library makes fail
            reason = " ".join(str(error).split()) or type(error).__name__
            fix = PYRENDER_FIX if isinstance(error, ModuleNotFoundError) else EGL_FIX
            fix = platform_fix() or fix
            raise InputError(f"pyrender cannot draw here ({reason}); {fix}") from error
        self._flags, self._maker = pyrender.RenderFlags, SceneMaker(pyrender, meshes)
        self.name = f"pyrender {pyrender.__version__}, {device}, OpenGL {opengl}"

    def close(self) -> None:
        """Free the OpenGL context, and with it EGL's display in this process."""
        self._offscreen.delete()

    def render(
        self, specs: Sequence[SceneSpec], backgrounds: Sequence[np.ndarray | None] | None = None
    ) -> list[Frame]:
        """Draw specs; see `Rasterizer.render`.

        Raises:
            InputError: a spec has an environment.
        """
        if any(spec.environment is not None for spec in specs):
            raise InputError(
                "a spec with an environment: pyrender draws lamps only; use --renderer moderngl"
            )
        backgrounds = [None] * len(specs) if backgrounds is None else backgrounds
        for spec, background in zip(specs, backgrounds, strict=True):
            check_background(spec, background)
        views = [make_view(spec, self._boxes) for spec in specs]
        return [self._frame(v, b) for v, b in zip(views, backgrounds, strict=True)]

    def full_masks(
        self, spec: SceneSpec, canvas: int = 1, instance: np.ndarray | None = None
    ) -> np.ndarray:
        """Silhouettes of the annotated objects, each alone; see `Rasterizer.full_masks`."""
        view = make_view(spec, self._boxes)
        shift = canvas // 2 * np.array(spec.size)
        camera = view.camera.crop(
            np.column_stack([np.eye(2), shift]), canvas * spec.size[0], canvas * spec.size[1]
        )
        masks = np.zeros((len(annotations(spec)), camera.height, camera.width), bool)
        for placed, number in view.placed:
            if number:
                scene = self._scene(view, camera)
                node = self._maker.add(scene, placed)
                masks[number - 1] = self._draw_ids(scene, {node: 1}, camera)[0] > 0
        return masks

    def _frame(self, view: View, background: np.ndarray | None) -> Frame:
        scene = self._scene(view, view.camera)
        ids = {self._maker.add(scene, placed): instance for placed, instance in view.placed}
        for light in view.spec.lights:
            self._maker.add_light(scene, light, view.corners)
        instance, depth = self._draw_ids(scene, ids, view.camera)
        flags = self._flags.RGBA
        color, _ = self._offscreen.render(scene, flags=flags)

        return Frame(
            camera=view.camera,
            annotations=annotations(view.spec),
            rgb=put_before(color, background),
            depth=depth,
            instance=instance,
        )

    def _draw_ids(self, scene, ids: Mapping[Any, int], camera: Camera):
        """Instance ids (H, W) uint8 and depth (H, W) float32 metres of a scene.

        pyrender's segmentation pass is the one that it draws without multisampling.
        """
        self._offscreen.viewport_width, self._offscreen.viewport_height = camera.size
        flags = self._flags.SEG
        color, depth = self._offscreen.render(scene, flags=flags, seg_node_map=ids)
        return color[..., 0].copy(), depth.copy()

    def _scene(self, view: View, camera: Camera):
        """A pyrender scene in which there is only a camera, which looks along OpenGL's axes."""
        import pyrender

        class PixelCamera(pyrender.Camera):
            def get_projection_matrix(self, width=None, height=None):
                return _projection(camera, view.near, view.far)

        scene = pyrender.Scene(bg_color=(0, 0, 0, 0), ambient_light=view.spec.ambient)
        scene.add(PixelCamera(znear=view.near, zfar=view.far), pose=np.eye(4))
        return scene


class SceneMaker:
    """Puts what specs place into pyrender's scenes, whose axes are those of an OpenGL camera."""

    def __init__(self, pyrender: Any, meshes: Mapping[int, Mesh]) -> None:
        """
        Args:
            pyrender: the module, as `import_pyrender` gives it.
            meshes: what may be placed, by obj_id.
        """
        self._pyrender, self._meshes = pyrender, dict(meshes)

    def add(self, scene, placed: Placed):
        """Add an object; returns its node."""
        mesh, material = self._meshes[placed.obj_id], placed.material
        # The segmentation pass culls back faces: with each face there twice, turned both ways, it
        # is drawn once from either side.
        faces = np.concatenate([mesh.faces, mesh.faces[:, ::-1]])
        colors = (mesh.colors / 255 * material.tint) ** GAMMA
        texture = None
        if mesh.texture is not None and mesh.uv is not None:
            opaque = np.full((*mesh.texture.shape[:2], 1), 255, np.uint8)
            source = np.concatenate([mesh.texture[..., :3], opaque], axis=2)
            texture = self._pyrender.Texture(source=source, source_channels="RGBA")
        primitive = self._pyrender.Primitive(
            positions=mesh.vertices,
            normals=mesh.normals,
            texcoord_0=mesh.uv if texture is not None else None,
            color_0=np.column_stack([colors, np.ones(len(colors))]),
            indices=faces,
            material=self._pyrender.MetallicRoughnessMaterial(
                baseColorTexture=texture, metallicFactor=0.0, roughnessFactor=1 - material.gloss
            ),
        )
        gl_from_obj = gl_from_cam() @ placed.matrix @ np.diag([*placed.stretch, 1.0])
        return scene.add(self._pyrender.Mesh([primitive]), pose=gl_from_obj)

    def add_light(self, scene, light: Light, corners: np.ndarray) -> None:
        """Add a light whose diffuse reflection is as strong as the rasterizer's."""
        vector, pose = gl_from_cam()[:3, :3] @ light.vector, np.eye(4)
        if light.kind == "directional":
            pose[:3, :3] = Rotation.align_vectors([vector], [[0.0, 0.0, 1.0]])[0].as_matrix()
            scene.add(self._pyrender.DirectionalLight(light.color, np.pi), pose=pose)
            return

        pose[:3, 3] = vector
        distance = np.linalg.norm(corners.mean(axis=(0, 1)) - light.vector)
        intensity = np.pi * distance**2
        if light.kind == "point":
            scene.add(self._pyrender.PointLight(light.color, intensity), pose=pose)
        else:
            backwards = -gl_from_cam()[:3, :3] @ light.direction
            pose[:3, :3] = Rotation.align_vectors([backwards], [[0.0, 0.0, 1.0]])[0].as_matrix()
            cone = dict(zip(("innerConeAngle", "outerConeAngle"), light.cone, strict=True))
            scene.add(self._pyrender.SpotLight(light.color, intensity, **cone), pose=pose)


def _projection(camera: Camera, near: float, far: float) -> np.ndarray:
    """OpenGL's (4, 4) projection, y up and looking along -z, of a pinhole camera.

    Written from the intrinsics and independent of `Camera.clip_from_cam`. OpenGL counts pixels from
    the image's corner and samples at +0.5, so the principal point moves by half a pixel.
    """
    (fx, skew, cx), (skew_y, fy, cy) = camera.K[:2]
    cx, cy = cx + 0.5, cy + 0.5
    width, height = camera.size
    return np.array(
        [
            [2 * fx / width, -2 * skew / width, 1 - 2 * cx / width, 0],
            [-2 * skew_y / height, 2 * fy / height, 2 * cy / height - 1, 0],
            [0, 0, (far + near) / (near - far), 2 * far * near / (near - far)],
            [0, 0, -1, 0],
        ]
    )
