#version 330

// One placed mesh. dst_from_src matrices in metres, composed in double precision by the caller.
layout(std140, row_major) uniform Geometry {
    mat4 clip_from_obj;
    mat4 cam_from_obj;
    mat4 cam_from_normal;  // inverse transpose of cam_from_obj; its upper left 3x3 counts
};

in vec3 position;
in vec3 normal;
in vec3 color;
in vec2 uv;

out vec3 point_in_cam;
out vec3 normal_in_cam;
out vec3 vertex_color;
AT out vec2 texture_uv;
out vec3 point_in_obj;  // linked away where the fragment shader does not read it

#ifdef PAINTED
out vec3 normal_in_obj;
#endif

#ifdef CUT
in float opacity;
AT out float cut_opacity;
#endif

#ifdef FINISH
in vec4 finish;
in vec3 emissive;
in vec4 map_uv;
in vec4 more_map_uv;
in vec3 tangent;
out vec4 own_finish;
out vec3 own_emissive;
out vec4 at_maps;
out vec4 at_more_maps;
out vec3 tangent_in_cam;
#endif

// A silhouette must cover exactly the pixels that the shaded object covers, though another
// fragment shader is linked to this one.
invariant gl_Position;

void main() {
    gl_Position = clip_from_obj * vec4(position, 1.0);
    point_in_cam = (cam_from_obj * vec4(position, 1.0)).xyz;
    normal_in_cam = normalize(mat3(cam_from_normal) * normal);
    vertex_color = color;
    texture_uv = uv;
    point_in_obj = position;
#ifdef PAINTED
    normal_in_obj = normal;
#endif
#ifdef CUT
    cut_opacity = opacity;
#endif
#ifdef FINISH
    own_finish = finish;
    own_emissive = emissive;
    at_maps = map_uv;
    at_more_maps = more_map_uv;
    tangent_in_cam = mat3(cam_from_obj) * tangent;
#endif
}
