#version 330

// Blinn-Phong: J. Blinn, "Models of light reflection for computer synthesized pictures", 1977.
// Variants, by macros: LIGHTS, the number of lights. And, if defined: TEXTURED; SPOTS, for spots and
// for lights that cast shadows; NORMALS and COORDINATES, the number of the target that takes each.
layout(std140) uniform Shading {
    vec4 tint;         // rgb; a goes to the colour's alpha as it is
    vec4 highlight;    // strength, exponent
    vec4 ambient;      // rgb
    vec4 vectors[8];   // xyz: towards a directional light, or a light's position; w: 1 if position
    vec4 intensity[8]; // rgb; a: offset of a light's strength in its beam
    vec4 beams[8];     // xyz: the way a spot shines; w: scale of its strength in its beam
};

#ifdef TEXTURED
uniform sampler2D surface;
#endif

in vec3 point_in_cam;
in vec3 normal_in_cam;
in vec3 vertex_color;
in vec2 texture_uv;

layout(location = 0) out vec4 color_and_instance;
layout(location = 1) out float depth;

#ifdef NORMALS
layout(location = NORMALS) out vec4 normal_seen;
#endif

#ifdef COORDINATES
in vec3 point_in_obj;
layout(location = COORDINATES) out vec4 coordinates;
#endif

#ifdef SPOTS
layout(std140, row_major) uniform Shadows {
    // Of each light six maps (SIDES of gl_shadows.py); all but point lights use the first alone.
    mat4 atlas_from_cam[48]; // into a map's part of the atlas, times w
    vec4 reach[48];          // x: metres off the surface to look from, for w = 1; 0: no shadows
};
uniform sampler2DShadow shadow_atlas;

// The side of a cube that a way from its middle leads to: +x, -x, +y, -y, +z, -z.
int side(vec3 way) {
    vec3 size = abs(way);
    if (size.x >= size.y && size.x >= size.z) {
        return way.x > 0.0 ? 0 : 1;
    }
    if (size.y >= size.z) {
        return way.y > 0.0 ? 2 : 3;
    }
    return way.z > 0.0 ? 4 : 5;
}

// How much of a light gets to this point, 0..1. face: the triangle's unit normal, viewer's side.
float arriving(int light, vec3 to_light, vec3 face) {
    float beam = intensity[light].a - dot(beams[light].xyz, to_light) * beams[light].w;
    beam = clamp(beam, 0.0, 1.0);
    beam *= beam;
    bool is_point = vectors[light].w > 0.0 && beams[light].w == 0.0;
    int map = 6 * light + (is_point ? side(-to_light) : 0);
    if (reach[map].x == 0.0 || beam == 0.0) {
        return beam;
    }
    // A map's texel holds one depth for all that it covers. Looked for off the surface by as much
    // as the texels that are read reach across, a plane never shadows itself, however it is tilted.
    float w = (atlas_from_cam[map] * vec4(point_in_cam, 1.0)).w;
    vec4 found = atlas_from_cam[map] * vec4(point_in_cam + reach[map].x * w * face, 1.0);
    return beam * textureLod(shadow_atlas, found.xyz / found.w, 0.0);
}
#endif

void main() {
    vec3 albedo = vertex_color * tint.rgb;
#ifdef TEXTURED
    albedo *= texture(surface, texture_uv).rgb;
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
}
