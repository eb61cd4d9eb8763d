"""What mesh files may hold, feature by feature, and what each reader makes of it."""

from benchmarks.mesh_features import gltf_looks, gltf_shapes, obj, ply, stl_off

FEATURES = [
    *ply.FEATURES,
    *obj.FEATURES,
    *gltf_looks.FEATURES,
    *gltf_shapes.FEATURES,
    *stl_off.FEATURES,
]
