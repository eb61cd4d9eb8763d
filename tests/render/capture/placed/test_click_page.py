"""The page on which points are clicked, through HTTP as a browser asks."""

import http.client
import json
import threading
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from render.camera import Camera
from render.capture.lens import Lens
from render.capture.placed.click_page import SIZE, ClickPage, serve
from render.capture.placed.drawing import open_drawer
from render.capture.placed.points_file import file_axes, read_points
from render.capture.views import BoardView
from render.errors import InputError
from render.transforms import look_at
from tests.small_dataset import cuboid

MODEL = cuboid(1, (-0.05, -0.03, 0.0), (0.05, 0.03, 0.08))
CAMERA = Camera(np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1.0]]), 640, 480)
EYES = ([0.5, 0.1, 0.4], [-0.1, 0.5, 0.4])
VIEWS = [
    BoardView(
        f"frame <{i}>", np.full((480, 640, 3), 90 + i, np.uint8), CAMERA,
        look_at(np.array(eye), np.zeros(3), np.array([0.0, 0, 1])), 0.2, 0.2, 1.0,
    )
    for i, eye in enumerate(EYES)
]  # fmt: skip
OBJ_FROM_FILE, FILE_FROM_OBJ = file_axes(Path("cup.stl"), "mm", None)


@pytest.fixture
def asked(tmp_path):
    """What asks the page, which writes points.toml into a folder, and that folder."""
    with open_drawer(MODEL) as drawer:
        page = ClickPage(drawer, VIEWS, FILE_FROM_OBJ, tmp_path / "points.toml")
    addresses: list[str] = []
    there = threading.Event()

    def told(address: str) -> None:
        addresses.append(address.removeprefix("http://"))
        there.set()

    thread = threading.Thread(target=serve, args=(page, 0, told), daemon=True)
    thread.start()
    assert there.wait(10)

    def ask(method, path, sent=None, host=None):
        connection = http.client.HTTPConnection(addresses[0], timeout=10)
        headers = {"Content-Type": "application/json"} | ({"Host": host} if host else {})
        connection.request(method, path, None if sent is None else json.dumps(sent), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    yield ask, tmp_path, thread
    page.saved = True
    with suppress(OSError, http.client.HTTPException):  # it may have ended already
        ask("GET", "/")
    thread.join(10)
    assert not thread.is_alive()


def test_points_that_are_clicked_become_a_file_that_is_read(asked):
    ask, folder, thread = asked
    status, page = ask("GET", "/")
    assert status == 200 and b'"frame \\u003c0>"' in page
    status, png = ask("GET", "/frame/1")
    assert (cv2.imdecode(np.frombuffer(png, np.uint8), 1) == VIEWS[1].rgb).all()
    points = {}
    for i, px in enumerate([[200, 200], [280, 200], [200, 290], [280, 290]]):
        points[f"p{i}"] = json.loads(ask("POST", "/mesh", {"view": i % 2, "px": px})[1])["point"]
    frames = {v.name: {name: [300 + i, 200] for i, name in enumerate(points)} for v in VIEWS}
    answer = json.loads(ask("POST", "/save", {"points": points, "frames": frames})[1])
    assert answer == {"saved": str(folder / "points.toml")}
    thread.join(10)
    assert not thread.is_alive()
    lens = Lens(CAMERA.K, np.array([0.3, 0, 0, 0, 0]), CAMERA.size)
    clicked = read_points(folder / "points.toml", VIEWS, lens, MODEL, OBJ_FROM_FILE)
    for name, point in clicked.points.items():
        np.testing.assert_allclose(1000 * point, points[name], rtol=1e-5)
    # They are of undistorted frames: the lens is left alone.
    np.testing.assert_array_equal(clicked.sightings[1].px, [301, 200])


def test_a_click_beside_the_object_and_too_few_points_are_said(asked):
    ask, folder, _ = asked
    said = json.loads(ask("POST", "/mesh", {"view": 0, "px": [1, SIZE - 1]})[1])
    assert said["error"].startswith("That is beside the object")
    said = json.loads(ask("POST", "/save", {"points": {}, "frames": {"a": {"p": [1, 2]}}})[1])
    assert said["error"].startswith("1 points are found in 1 frames; give at least 4")
    assert "error" in json.loads(ask("POST", "/mesh", {"view": 99, "px": [1, 2]})[1])
    assert list(folder.iterdir()) == []


def test_other_sites_and_other_paths_get_nothing(asked):
    ask, _, _ = asked
    assert ask("GET", "/", host="evil.example:80")[0] == 403
    for path in ("/frame/99", "/mesh/x", "/etc/passwd", "/frame"):
        assert ask("GET", path)[0] == 404


def test_a_port_that_is_taken_is_refused(asked, tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of 127"):
            serve(asked[0], port)
