"""What comes before trimesh's reader of OBJ files, which takes every polygon for a convex one."""

import numpy as np

from render.mesh.polygons import triangulate


def cut_polygons(text: bytes) -> bytes:
    """The text of an OBJ file with its polygons cut into triangles."""
    lines = text.replace(b"\\\n", b" ").replace(b"\\\r\n", b" ").splitlines()
    vertices: list[list[bytes]] = []
    faces: dict[int, list[bytes]] = {}  # of more than three corners: line -> its corners' words
    corners: list[int] = []
    for number, line in enumerate(lines):
        words = line.partition(b"#")[0].split()
        if words[:1] == [b"v"]:
            vertices.append(words[1:4])
        elif words[:1] == [b"f"] and len(words) > 4:
            faces[number] = words[1:]
            named = [int(word.split(b"/")[0]) for word in words[1:]]
            # Counted from 1 on, or back from the last vertex so far.
            corners += [i - 1 if i > 0 else len(vertices) + i for i in named]
    if not faces:
        return text

    lengths = np.array([len(words) for words in faces.values()])
    triangles, _ = triangulate(np.array(vertices, np.float64), np.array(corners), lengths)
    of_corner = [word for words in faces.values() for word in words]
    cut = iter([b"f " + b" ".join(of_corner[i] for i in triangle) for triangle in triangles])
    for number, words in faces.items():
        lines[number] = b"\n".join(next(cut) for _ in words[2:])
    return b"\n".join(lines)
