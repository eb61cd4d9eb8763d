"""Files that a mesh file names, under names that look alike."""

import json
import unicodedata
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from render.mesh.companion import companion
from render.mesh.file import read_mesh_file
from tests.gltf_samples import corner_in_scene
from tests.mesh_samples import refusal

FORMS = ["NFC", "NFD"]


@pytest.mark.parametrize("named", FORMS)
@pytest.mark.parametrize("stored", FORMS)
@pytest.mark.parametrize(
    "name", ["tür.png", "Möbel/Stuhl.png", "가구.png", "TÜR É.PNG", "Ångström"]
)
def test_a_name_is_found_in_either_normal_form(name, stored, named, tmp_path):
    file = tmp_path / unicodedata.normalize(stored, name.lower())
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"here")
    written = unicodedata.normalize(named, name)
    assert companion(tmp_path / "a.obj", written) == file
    assert companion(tmp_path / "a.obj", f'"{written}"').read_bytes() == b"here"


def test_of_names_in_both_forms_the_one_that_is_written_is_taken(tmp_path):
    for form in FORMS:
        (tmp_path / unicodedata.normalize(form, "tür.png")).write_text(form)
    for form in FORMS:
        found = companion(tmp_path / "a.obj", unicodedata.normalize(form, "tür.png"))
        assert found.read_text() == form


def test_accents_tell_names_apart(tmp_path):
    (tmp_path / "tur.png").write_bytes(b"")
    assert "names the file tür.png, which is not in" in refusal(
        companion, tmp_path / "a.obj", "tür.png"
    )


@pytest.mark.parametrize(("stored", "named"), [FORMS, FORMS[::-1]])
def test_materials_textures_and_buffers_are_found_in_either_form(stored, named, tmp_path):
    there, written = (unicodedata.normalize(form, "tür") for form in (stored, named))
    red = np.full((4, 4, 3), (200, 30, 40), np.uint8)
    Image.fromarray(red).save(tmp_path / f"{there}.png")
    (tmp_path / f"{there}.mtl").write_text(f"newmtl m\nmap_Kd {written}.png\n")
    corners = "v 0 0 0\nv .1 0 0\nv 0 .1 0\nvt 0 0\nf 1/1 2/1 3/1\n"
    (tmp_path / "a.obj").write_text(f"mtllib {written}.mtl\nusemtl m\n{corners}")
    np.testing.assert_array_equal(read_mesh_file(tmp_path / "a.obj").texture, red)

    sample = corner_in_scene()
    (tmp_path / f"{there}.bin").write_bytes(bytes(sample.bytes))
    for uri in (f"{written}.bin", quote(f"{written}.bin")):
        sample.json["buffers"] = [{"byteLength": len(sample.bytes), "uri": uri}]
        (tmp_path / "a.gltf").write_text(json.dumps(sample.json))
        assert len(read_mesh_file(tmp_path / "a.gltf").faces) == 3
