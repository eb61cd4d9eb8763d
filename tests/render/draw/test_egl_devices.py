import ctypes
import os

import pytest

from render.draw import egl_devices
from render.draw.egl_devices import CUDA_DEVICE, INDEX, Egl, cuda_indices, draw_on_cuda, load_egl


def fake_egl(cuda: list[int | None]) -> Egl:
    """An EGL whose devices are these of CUDA; a device's handle is 100 and its place."""

    def query_devices(most, devices, count):
        for i in range(len(cuda)):
            devices[i] = 100 + i
        count._obj.value = len(cuda)
        return 1

    def query_attribute(device, attribute, value):
        assert attribute == CUDA_DEVICE
        index = cuda[device - 100]
        if index is None:
            return 0  # EGL_BAD_ATTRIBUTE
        value._obj.value = index
        return 1

    return Egl(query_devices, query_attribute)


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.setenv(INDEX, "0")  # so that it is restored
    monkeypatch.delenv(INDEX)


def test_devices_of_this_machine_are_counted_as_egl_counts_them():
    egl = load_egl()
    count = ctypes.c_int(0)
    assert egl.query_devices(0, None, ctypes.byref(count)) == 1
    assert len(cuda_indices(egl)) == count.value > 0


def test_each_device_is_asked_which_of_cuda_it_is():
    assert cuda_indices(fake_egl([1, 0, None])) == [1, 0, None]
    assert cuda_indices(fake_egl([1, 0])._replace(query_attribute=None)) == [None, None]
    assert cuda_indices(Egl(None, None)) == []


@pytest.mark.parametrize(
    ("cuda", "asked", "chosen"),
    [([1, 0, None], 0, "1"), ([1, 0, None], 1, "0"), ([None], 0, None), ([0], 3, None)],
)
def test_what_trains_on_a_gpu_draws_on_it(cuda, asked, chosen, monkeypatch):
    monkeypatch.setattr(egl_devices, "load_egl", lambda: fake_egl(cuda))
    draw_on_cuda(asked)
    assert os.environ.get(INDEX) == chosen


def test_a_device_that_the_user_names_stays(monkeypatch):
    monkeypatch.setattr(egl_devices, "load_egl", lambda: fake_egl([1, 0]))
    monkeypatch.setenv(INDEX, "0")
    draw_on_cuda(0)
    assert os.environ[INDEX] == "0"


def test_where_there_is_no_egl_nothing_is_chosen(monkeypatch):
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    draw_on_cuda(0)
    assert INDEX not in os.environ
