"""Which CUDA device each device of EGL is: the two count them in orders of their own.

EGL_EXT_device_enumeration, EGL_EXT_device_query and EGL_NV_device_cuda of the Khronos registry.
"""

import ctypes
import ctypes.util
import os
from collections.abc import Callable
from typing import Any, NamedTuple

INDEX = "GLCONTEXT_DEVICE_INDEX"  # the variable by which moderngl's contexts choose a device
CUDA_DEVICE = 0x323A  # EGL_CUDA_DEVICE_NV
MOST = 64  # devices asked for


class Egl(NamedTuple):
    """eglQueryDevicesEXT and eglQueryDeviceAttribEXT; None where this EGL has no such function."""

    query_devices: Callable[..., int] | None
    query_attribute: Callable[..., int] | None


def load_egl() -> Egl:
    """
    Raises:
        OSError: there is no EGL.
    """
    name = ctypes.util.find_library("EGL")
    if name is None:
        raise OSError("no libEGL.so.1 here")
    library = ctypes.CDLL(name)
    library.eglGetProcAddress.restype = ctypes.c_void_p

    def function(name: bytes, *arguments: Any) -> Callable[..., int] | None:
        address = library.eglGetProcAddress(name)
        return ctypes.CFUNCTYPE(ctypes.c_uint, *arguments)(address) if address else None

    pointer = ctypes.c_void_p
    return Egl(
        function(b"eglQueryDevicesEXT", ctypes.c_int, pointer, pointer),
        function(b"eglQueryDeviceAttribEXT", pointer, ctypes.c_int, pointer),
    )


def cuda_indices(egl: Egl) -> list[int | None]:
    """Of each of EGL's devices, in their order, which CUDA device it is; None if it is none."""
    if egl.query_devices is None:
        return []
    devices, count = (ctypes.c_void_p * MOST)(), ctypes.c_int(0)
    if not egl.query_devices(MOST, devices, ctypes.byref(count)):
        return []
    found: list[int | None] = []
    for device in devices[: count.value]:
        index = ctypes.c_ssize_t(0)  # EGLAttrib
        is_cuda = egl.query_attribute is not None and egl.query_attribute(
            device, CUDA_DEVICE, ctypes.byref(index)
        )
        found.append(index.value if is_cuda else None)
    return found


def draw_on_cuda(index: int) -> None:
    """Let contexts from now on be those of a CUDA device, if EGL has it and the user names none."""
    if INDEX in os.environ:
        return
    try:
        indices = cuda_indices(load_egl())
    except OSError:
        return  # what draws will say so
    if index in indices:
        os.environ[INDEX] = str(indices.index(index))
