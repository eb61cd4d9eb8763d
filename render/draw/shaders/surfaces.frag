#version 330

// Where the surfaces of a view are, and how they lie: normal, camera frame, and depth.
in vec3 point_in_cam;
in vec3 normal_in_cam;

#include "texture.glsl"

layout(location = 0) out vec4 normal_and_depth;

void main() {
    vec3 normal = normalize(normal_in_cam);
    normal_and_depth = vec4(dot(normal, point_in_cam) > 0.0 ? -normal : normal, point_in_cam.z);
#ifdef CUT
    cut();
#endif
}
