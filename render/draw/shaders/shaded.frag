#version 330

// Blinn-Phong: J. Blinn, "Models of light reflection for computer synthesized pictures", 1977.
// Variants, by macros: LIGHTS, the number of lights. And, if defined: TEXTURED; PAINTED; CUT; SPOTS, for
// spots and for lights that cast shadows; NORMALS and COORDINATES, the number of the target that takes
// each.
layout(std140) uniform Shading {
    vec4 tint;         // rgb; a goes to the colour's alpha as it is
    vec4 highlight;    // strength, exponent
    vec4 ambient;      // rgb
    vec4 vectors[8];   // xyz: towards a directional light, or a light's position; w: 1 if position
    vec4 intensity[8]; // rgb; a: offset of a light's strength in its beam
    vec4 beams[8];     // xyz: the way a spot shines; w: scale of its strength in its beam
    vec4 repeats;      // xyz: of the texture that is painted on, a metre of the object's own axes
};

#include "texture.glsl"

in vec3 point_in_cam;
in vec3 normal_in_cam;
in vec3 vertex_color;

layout(location = 0) out vec4 color_and_instance;
layout(location = 1) out float depth;

#ifdef NORMALS
layout(location = NORMALS) out vec4 normal_seen;
#endif

#if defined(COORDINATES) || defined(PAINTED)
in vec3 point_in_obj;
#endif

#ifdef COORDINATES
layout(location = COORDINATES) out vec4 coordinates;
#endif

#include "arriving.glsl"
#include "paint.glsl"

void main() {
    vec3 albedo = vertex_color * tint.rgb;
#ifdef TEXTURED
    albedo *= texture(surface, texture_uv).rgb;
#endif
#ifdef PAINTED
    albedo = painted(repeats.xyz) * tint.rgb;
#endif

    // Meshes are seen from both sides: the normal is the one on the viewer's side.
    vec3 to_viewer = normalize(-point_in_cam);
    vec3 normal = normalize(normal_in_cam);
    normal = dot(normal, to_viewer) < 0.0 ? -normal : normal;
#ifdef SPOTS
    vec3 face = cross(dFdx(point_in_cam), dFdy(point_in_cam));
    face /= max(length(face), 1e-30) * (dot(face, to_viewer) < 0.0 ? -1.0 : 1.0);
#endif

    vec3 diffuse = ambient.rgb;
    vec3 gloss = vec3(0.0);
    for (int i = 0; i < LIGHTS; i++) {
        vec3 to_light = vectors[i].xyz;
        if (vectors[i].w > 0.0) {
            to_light = normalize(to_light - point_in_cam);
        }
        float facing = dot(normal, to_light);
        if (facing > 0.0) {
            vec3 light = intensity[i].rgb;
#ifdef SPOTS
            light *= arriving(i, to_light, face);
#endif
            float mirrored = max(dot(normal, normalize(to_light + to_viewer)), 0.0);
            diffuse += light * facing;
            gloss += light * pow(mirrored, highlight.y);
        }
    }

    color_and_instance = vec4(albedo * diffuse + highlight.x * gloss, tint.a);
    depth = 1.0 / gl_FragCoord.w;  // clip w is the camera's z
#ifdef NORMALS
    normal_seen = vec4(normal, 1.0);
#endif
#ifdef COORDINATES
    coordinates = vec4(point_in_obj, 1.0);
#endif
#ifdef CUT
    cut();
#endif
}
