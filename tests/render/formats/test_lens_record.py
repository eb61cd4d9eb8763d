"""A lens distortion is read under any of its names, or refused; none is left out in silence."""

import json

import pytest

from render.errors import InputError
from render.formats.bop_records import parse_camera
from render.formats.camera_file import read_calibration

BENT = [-0.3, 0.1, 0.01, 0.02, 0.05]
K = [600, 0, 320, 0, 600, 240, 0, 0, 1]
SIZE = {"width": 640, "height": 480}
CAMERAS = {"K": {"K": K}, "fx": {"fx": 600, "fy": 600, "cx": 320, "cy": 240}}


def write(folder, record, suffix=".json"):
    """A file of JSON, or of the same in YAML as programs write it, which is for OpenCV to read."""
    lines = (f"{key}: {json.dumps(value)}\n" for key, value in record.items())
    file = folder / f"c{suffix}"
    file.write_text(json.dumps(record) if suffix == ".json" else "".join(lines))
    return file


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize(
    "lens",
    [
        *({name: BENT} for name in ("dist_coeff", "dist_coefs", "distortion", "d", "D", "coeffs")),
        *({name: BENT} for name in ("distCoeffs", "DistCoeffs", "dist", "Distortion_Coefficients")),
        {"distortion_coefficients": [BENT]},
        {"distortion_coefficients": [[x] for x in BENT]},
        {"distortion_coefficients": {"rows": 1, "cols": 5, "data": BENT}},
        {"D": [str(x) for x in BENT]},
        dict(zip(("k1", "k2", "p1", "p2", "k3"), BENT, strict=True)),
        dict(zip(("K_3", "P_2", "P_1", "K_2", "K_1"), BENT[::-1], strict=True)),
        {"distortion": dict(zip(("k1", "k2", "p1", "p2", "k3"), BENT, strict=True))},
        {"coeffs": BENT, "model": "Brown Conrady"},
        {"D": BENT, "distortion_model": "plumb_bob", "camera_name": "fisheye_front"},
        {"D": BENT, "dist": [*BENT, 0, 0, 0], "fisheye_model": 0},
        {"D1": BENT, "D2": [9, 9, 9, 9, 9], "P1": [1] * 12, "K2": K},
    ],
)
def test_a_distortion_is_read_under_its_names(tmp_path, camera, lens, suffix):
    _, found = read_calibration(write(tmp_path, {**CAMERAS[camera], **SIZE, **lens}, suffix))
    assert found[:5].tolist() == BENT and not found[5:].any()


@pytest.mark.parametrize(
    "lens",
    [
        {},
        {"D": []},
        {"k1": 0, "k4": 0.0, "radial": [0, 0], "lens": {"k1": 0}, "undistorted": True},
        {"model": "Inverse Brown Conrady", "coeffs": [0] * 5},
        {"distance": 3.5, "device": {"model": "D435", "type": "stereo"}, "dt": "d"},
    ],
)
def test_a_camera_without_distortion_has_none(tmp_path, lens):
    for camera in CAMERAS.values():
        _, found = read_calibration(write(tmp_path, {**camera, **SIZE, **lens}))
        assert found.tolist() == [0] * 5


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize(
    ("lens", "fault"),
    [
        ({"D": None}, "D must be a list of numbers, got None"),
        ({"D": "-0.3 0.1 0 0 0"}, r"D must be a list of numbers, got '-0\.3 "),
        ({"D": -0.3}, "D must be a list of numbers"),
        ({"D": [-0.3, "x", 0, 0]}, "D must be a list of numbers"),
        ({"D": [-0.3, None, 0, 0]}, "D must be a list of numbers"),
        ({"dist": {}}, "a distortion has k1, k2|must be a list"),
        ({"dist": {"k1": -0.3, "q": 1}}, "dist: a distortion has k1, k2, p1, p2, k3, k4, k5, k6"),
        ({"dist": {"radial": [-0.3, 0.1]}}, "dist: a distortion has k1"),
        ({"k1": "a"}, "k1 must be 1 finite number"),
        ({"k1": -0.3, "k2": 0.1, "k3": 0.1, "k4": 0.1}, "k4, k5, k6 of a distortion go with"),
        ({"D": BENT, "dist": [0.1] * 5}, "D and dist are different distortions"),
        ({"D": BENT, "k1": -0.3}, "D and k1 are different distortions"),
        *(
            ({name: [-0.3, 0.1]}, f"{name} = .* is a lens distortion that is not read; list")
            for name in ("radial", "RadialDistortion", "lens", "distortion_params", "xi", "dist_3")
        ),
        ({"lens": {"k1": -0.3}}, "lens = .*k1.* is a lens distortion that is not read"),
        ({"intrinsics": {"k1": -0.3}}, "k1 = -0.3 is a lens distortion that is not read"),
        ({"cameras": [{"coeffs": BENT}]}, "coeffs = .* is a lens distortion that is not read"),
        ({"k": -0.3}, "k = -0.3 is a lens distortion that is not read"),
        ({"D": BENT, "fisheye": 1}, "fisheye = 1.* is a lens distortion that is not read"),
        *(
            ({key: model, "D": [0.1, 0.02, 0, 0]}, f"distortion of another kind .{key}: '?{model}")
            for key, model in (
                ("fisheye_model", 1),
                ("distortion_model", "equidistant"),
                ("camera_model", "omni"),
                ("model", "OPENCV_FISHEYE"),
                ("lens_model", "kannala_brandt"),
                ("projection_model", "double_sphere"),
                ("type", "fisheye"),
                ("lens", "fisheye"),
                ("model", "Inverse Brown Conrady"),
            )
        ),
        ({"camera_model": "omni", "rig": {"camera_model": "pinhole"}}, "camera_model: 'omni'"),
    ],
)
def test_what_is_no_distortion_of_opencvs_is_refused(tmp_path, camera, lens, fault, suffix):
    file = write(tmp_path, {**CAMERAS[camera], **SIZE, **lens}, suffix)
    with pytest.raises(InputError, match=rf"c\{suffix}: .*({fault})") as caught:
        read_calibration(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "lens",
    [
        *(
            {name: BENT}
            for name in ("coeffs", "D", "radial", "DistCoeffs", "K_1", "cam_distortion")
        ),
        {"intrinsics": {"k1": 0.1}},
        {"lens": {"k1": 0.1}},
    ],
)
def test_a_distortion_beside_cam_k_is_refused(lens):
    with pytest.raises(InputError, match=r"^here: .* is a lens distortion; undistort the images"):
        parse_camera({"cam_K": K, **lens}, (640, 480), "here")
    with pytest.raises(InputError, match=r"^here: has a lens distortion of another kind"):
        parse_camera({"cam_K": K, "camera_model": "fisheye"}, (640, 480), "here")
    parse_camera({"cam_K": K, "plane": {"d": 0.3}, "type": "real"}, (640, 480), "here")
