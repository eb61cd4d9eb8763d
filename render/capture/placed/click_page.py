"""A page on the loopback address on which a person clicks points of an object, and finds them.

It shows the mesh from some sides, and the frames. What is clicked is kept as a points file. From
another machine: ssh -L 8765:127.0.0.1:8765 and open http://127.0.0.1:8765 there.
"""

import json
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render import plain
from render.camera import Camera
from render.capture.placed.drawing import Drawer
from render.capture.placed.points import FEWEST, FEWEST_FRAMES
from render.capture.placed.points_file import write_points
from render.capture.views import BoardView
from render.errors import InputError
from render.frame import Frame
from render.transforms import look_at

log = logging.getLogger(__name__)

SIZE = 480  # of a drawing of the mesh, pixels
SIDES = [(a, 25.0) for a in range(0, 360, 60)] + [(0, 80.0), (0, -80.0)]  # azimuth, elevation, deg
AWAY = 2.2  # diameters from the camera to the object
LONGEST = 1 << 20  # bytes of what the page sends

_PX = plain.flat(2)
_CLICK = plain.record({"view": plain.whole(0, len(SIDES) - 1), "px": _PX})
_SAVE = plain.record(
    {"points": plain.dict_of(plain.flat(3)), "frames": plain.dict_of(plain.dict_of(_PX))}
)


class ClickPage:
    """What the page shows and keeps.

    saved: whether the points file has been written.
    """

    def __init__(
        self,
        drawer: Drawer,
        views: Sequence[BoardView],
        file_from_obj: Callable[[np.ndarray], np.ndarray],
        path: Path,
    ) -> None:
        """
        Args:
            file_from_obj: see `points_file.file_axes`. path: of the points file.
        """
        self._views, self._file_from_obj, self._path = views, file_from_obj, path
        self._drawings = _drawings(drawer)
        self.saved = False

    def page(self) -> bytes:
        """The page itself."""
        frames = [view.name for view in self._views]
        what = json.dumps({"frames": frames, "drawings": len(self._drawings)})
        html = Path(__file__).with_name("click.html").read_text("utf-8")
        return html.replace("WHAT", what.replace("<", "\\u003c"), 1).encode()

    def picture(self, of: str, number: int) -> bytes:
        """A frame, or a drawing of the mesh, as PNG.

        Raises:
            KeyError, IndexError: there is none.
        """
        shown: dict[str, Sequence[BoardView | Frame]] = {
            "frame": self._views,
            "mesh": self._drawings,
        }
        rgb = shown[of][number].rgb
        assert rgb is not None
        _, png = cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))
        return png.tobytes()

    def click(self, sent: Any) -> dict[str, Any]:
        """The point of the mesh at a pixel of a drawing, in the file's own unit and axes."""
        asked = _CLICK(sent, "a click")
        frame = self._drawings[asked["view"]]
        assert frame.instance is not None and frame.coordinates is not None
        x, y = (int(np.clip(round(v), 0, SIZE - 1)) for v in asked["px"])
        if not frame.instance[y, x]:
            raise InputError("That is beside the object: click on it.")
        point = self._file_from_obj(frame.coordinates[y, x].astype(np.float64)[None])[0]
        return {"point": point.tolist()}

    def save(self, sent: Any) -> dict[str, Any]:
        """Write the points file."""
        asked = _SAVE(sent, "points")
        frames = {name: seen for name, seen in asked["frames"].items() if seen}
        found = {name for seen in frames.values() for name in seen}
        if len(found) < FEWEST or len(frames) < FEWEST_FRAMES:
            raise InputError(
                f"{len(found)} points are found in {len(frames)} frames; give at least {FEWEST}, in"
                f" {FEWEST_FRAMES} or 3 frames."
            )
        points = {name: asked["points"][name] for name in asked["points"] if name in found}
        write_points(self._path, points, frames)
        self.saved = True
        return {"saved": str(self._path)}


def serve(page: ClickPage, port: int = 8765, told: Callable[[str], None] = log.info) -> None:
    """Serve the page on 127.0.0.1 until its points are saved.

    Args:
        port: 0 takes any that is free. told: takes the page's address.

    Raises:
        InputError: the port is taken.
    """
    try:
        server = HTTPServer(("127.0.0.1", port), _handler(page))
    except OSError as error:
        raise InputError(f"port {port} of 127.0.0.1: {error.strerror}; give another one") from None
    with server:
        told(f"http://127.0.0.1:{server.server_address[1]}")
        while not page.saved:
            server.handle_request()


def _handler(page: ClickPage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self._is_local():
                parts = self.path.strip("/").split("/")
                try:
                    if parts == [""]:
                        self._answer(page.page(), "text/html; charset=utf-8")
                    else:
                        self._answer(page.picture(parts[0], int(parts[1])), "image/png")
                except (KeyError, IndexError, ValueError):
                    self.send_error(HTTPStatus.NOT_FOUND)

        def do_POST(self) -> None:
            answer = {"/mesh": page.click, "/save": page.save}.get(self.path)
            if not self._is_local():
                return
            if answer is None or self.headers.get("Content-Type") != "application/json":
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            try:
                length = int(self.headers.get("Content-Length", ""))
                if not 0 <= length <= LONGEST:
                    raise ValueError
                said = answer(json.loads(self.rfile.read(length)))
            except (ValueError, RecursionError):
                said = {"error": "That was no JSON."}
            except InputError as error:
                said = {"error": str(error)}
            self._answer(json.dumps(said).encode(), "application/json")

        def _is_local(self) -> bool:
            """Whether the page was asked for by this machine's name: no other site's script."""
            local = self.headers.get("Host", "").rpartition(":")[0] in ("127.0.0.1", "localhost")
            if not local:
                self.send_error(HTTPStatus.FORBIDDEN)
            return local

        def _answer(self, content: bytes, kind: str) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _drawings(drawer: Drawer) -> list[Frame]:
    """The mesh from some sides, with coordinates."""
    model = drawer.model
    focal = 0.9 * SIZE * AWAY
    K = np.array([[focal, 0, (SIZE - 1) / 2], [0, focal, (SIZE - 1) / 2], [0, 0, 1]])
    camera, middle = Camera(K, SIZE, SIZE), model.box.mean(axis=0)
    poses = []
    for azimuth, elevation in np.radians(SIDES):
        toward = [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth)]
        eye = middle + AWAY * model.diameter * np.array([*toward, np.sin(elevation)])
        poses.append(look_at(eye, middle, np.array([0.0, 0, 1])))
    return drawer.alone([drawer.spec(camera, pose) for pose in poses])
