#version 330

// Metallic-roughness: glTF 2.0, appendix B (GGX, Smith's height-correlated shadowing, Schlick's
// Fresnel term, a matt part that takes what is not mirrored), by lamps and by an environment. What is
// reflected between microfacets is added: E. Turquin, "Practical multiple scattering compensation for
// microfacet models", 2019. Colours of meshes and textures are decoded from sRGB, light is linear, and
// `displayed` encodes it.
// Variants, by macros: LIGHTS, the number of lights. And, if defined: TEXTURED; PAINTED; CUT; FINISH;
// SPOTS, for spots and for lights that cast shadows; NORMALS and COORDINATES, the number of the target
// that takes each.
layout(std140) uniform Shading {
    vec4 tint;         // rgb; a goes to the colour's alpha as it is
    vec4 highlight;    // z: roughness, w: metallic
    vec4 ambient;      // rgb: factor on the environment
    vec4 vectors[8];   // xyz: towards a directional light, or a light's position; w: 1 if position
    vec4 intensity[8]; // rgb: irradiance over pi; a: offset of a light's strength in its beam
    vec4 beams[8];     // xyz: the way a spot shines; w: scale of its strength in its beam
    vec4 repeats;      // xyz: of the texture that is painted on, a metre of the object's own axes
};

layout(std140) uniform Environment {
    // Irradiance over pi as a polynomial of the normal, camera frame: of 1, x, y, z, xy, yz, zx, x^2
    // and y^2, whose z^2 is in them.
    vec4 irradiance[9];
    vec4 env_from_cam[3]; // rows
    vec4 image_size;      // pixels
};
uniform sampler3D mirrored;  // by azimuth, polar angle and roughness
uniform sampler2D occlusion; // depth, and the share of the surroundings that is seen; smaller
uniform sampler2D albedo;    // by cosine to the viewer and roughness: F0 x + y is mirrored in all

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

const float PI = 3.14159265;
const float LEVELS = 8.0, CELLS = 32.0; // of mirrored, and of albedo along each side
const float KNEE = 0.8;                 // of white; beyond it, highlights run into it softly

#include "arriving.glsl"
#include "paint.glsl"

// sRGB, IEC 61966-2-1.
vec3 decoded(vec3 color) {
    vec3 curve = pow((color + 0.055) / 1.055, vec3(2.4));
    return mix(curve, color / 12.92, lessThanEqual(color, vec3(0.04045)));
}

vec3 encoded(vec3 light) {
    vec3 curve = 1.055 * pow(light, vec3(1.0 / 2.4)) - 0.055;
    return mix(curve, 12.92 * light, lessThanEqual(light, vec3(0.0031308)));
}

// Radiance, 1 for a white surface in irradiance pi, as a picture shows it: sRGB up to the knee, then
// slower towards white. render/environment/display.py does the same for backgrounds.
vec3 displayed(vec3 light) {
    vec3 over = max(light - KNEE, 0.0) / (1.0 - KNEE);
    return encoded(min(light, KNEE) + (1.0 - KNEE) * (1.0 - exp(-over)));
}

vec3 irradiance_at(vec3 n) {
    vec3 sum = irradiance[0].rgb + irradiance[1].rgb * n.x + irradiance[2].rgb * n.y;
    sum += irradiance[3].rgb * n.z + irradiance[4].rgb * (n.x * n.y) + irradiance[5].rgb * (n.y * n.z);
    sum += irradiance[6].rgb * (n.z * n.x) + irradiance[7].rgb * (n.x * n.x);
    return max(sum + irradiance[8].rgb * (n.y * n.y), 0.0);
}

vec3 mirrored_at(vec3 way, float roughness) {
    vec3 d = vec3(dot(env_from_cam[0].xyz, way), dot(env_from_cam[1].xyz, way),
                  dot(env_from_cam[2].xyz, way));
    float azimuth = atan(d.y, d.x) / (2.0 * PI);
    float polar = acos(clamp(d.z, -1.0, 1.0)) / PI;
    float level = (roughness * (LEVELS - 1.0) + 0.5) / LEVELS;
    return textureLod(mirrored, vec3(azimuth, polar, level), 0.0).rgb;
}

// What of the surroundings is seen from here: between the four nearest, on the same surface.
float seen_at() {
    vec2 scale = vec2(textureSize(occlusion, 0)) / image_size.xy;
    vec2 found = gl_FragCoord.xy * scale - 0.5;
    ivec2 first = ivec2(floor(found)), last = textureSize(occlusion, 0) - 1;
    vec2 a = texelFetch(occlusion, clamp(first, ivec2(0), last), 0).xy;
    vec2 b = texelFetch(occlusion, clamp(first + ivec2(1, 0), ivec2(0), last), 0).xy;
    vec2 c = texelFetch(occlusion, clamp(first + ivec2(0, 1), ivec2(0), last), 0).xy;
    vec2 d = texelFetch(occlusion, clamp(first + ivec2(1, 1), ivec2(0), last), 0).xy;
    vec4 off = vec4(a.x, b.x, c.x, d.x) * (50.0 / point_in_cam.z) - 50.0;
    off *= off;
    vec2 share = found - vec2(first), rest = 1.0 - share;
    vec4 weights = vec4(rest.x * rest.y, share.x * rest.y, rest.x * share.y, share.x * share.y);
    weights /= 1.0 + off * off;
    return (dot(weights, vec4(a.y, b.y, c.y, d.y)) + 1e-4) / (dot(weights, vec4(1.0)) + 1e-4);
}

#include "finish.glsl"

void main() {
    vec3 color = vertex_color * tint.rgb;
#ifdef TEXTURED
    color *= texture(surface, texture_uv).rgb;
#endif
#ifdef PAINTED
    color = painted(repeats.xyz) * tint.rgb;
#endif
    color = min(decoded(color), 1.0);
    float roughness = highlight.z, metallic = highlight.w;
#ifdef FINISH
    vec2 own = own_or(vec2(roughness, metallic));
    roughness = own.x;
    metallic = own.y;
#endif

    // Meshes are seen from both sides: the normal is the one on the viewer's side.
    vec3 to_viewer = normalize(-point_in_cam);
    vec3 normal = normalize(normal_in_cam);
#ifdef FINISH
    vec3 outward = mapped(normal);
#endif
    normal = dot(normal, to_viewer) < 0.0 ? -normal : normal;
#ifdef NORMALS
    normal_seen = vec4(normal, 1.0);
#endif
#ifdef FINISH
    normal = dot(normal, normal_in_cam) < 0.0 ? -outward : outward;
#endif
#ifdef SPOTS
    vec3 face = cross(dFdx(point_in_cam), dFdy(point_in_cam));
    face /= max(length(face), 1e-30) * (dot(face, to_viewer) < 0.0 ? -1.0 : 1.0);
#endif

    vec3 matt = color * (1.0 - metallic);
    vec3 f0 = mix(vec3(0.04), color, metallic);
    float alpha = max(roughness * roughness, 1e-3), alpha_2 = alpha * alpha;
    float facing_viewer = dot(normal, to_viewer);
    vec2 shares = textureLod(albedo, vec2(facing_viewer, roughness), 0.0).xy;
    vec3 again = 1.0 + f0 * (1.0 / (shares.x + shares.y) - 1.0);
    vec3 shiny = (f0 * shares.x + shares.y) * again;

    // What is hidden gives back light of its own colour: Jimenez et al. as in occlusion.frag, 5. And
    // highlights: Lagarde and de Rousiers, 4.10.2.
    float seen = seen_at();
#ifdef FINISH
    // Both may know of the same: not their product.
    seen = min(seen, own_occlusion());
#endif
    vec3 bounced = ((2.0404 * color - 0.3324) * seen - 4.7951 * color + 0.6417) * seen;
    bounced = max(vec3(seen), (bounced + 2.7552 * color + 0.6903) * seen);
    float past = pow(max(facing_viewer, 0.0) + seen, exp2(-16.0 * roughness - 1.0)) - 1.0 + seen;

    vec3 radiance = (1.0 - shiny) * matt * irradiance_at(normal) * bounced;
    // Lobes of rough surfaces lean towards the normal: S. Lagarde and C. de Rousiers, "Moving Frostbite
    // to physically based rendering", 2014, 4.9.3.
    float share = (1.0 - alpha) * (sqrt(1.0 - alpha) + alpha);
    vec3 middle = normalize(mix(normal, reflect(-to_viewer, normal), share));
    radiance += shiny * mirrored_at(middle, roughness) * clamp(past, 0.0, 1.0);
    radiance *= ambient.rgb;

    float towards = max(facing_viewer, 1e-4);
    float smith = towards * towards * (1.0 - alpha_2) + alpha_2;
    for (int i = 0; i < LIGHTS; i++) {
        vec3 to_light = vectors[i].xyz;
        if (vectors[i].w > 0.0) {
            to_light = normalize(to_light - point_in_cam);
        }
        float facing = dot(normal, to_light);
        if (facing > 0.0) {
            vec3 light = intensity[i].rgb * facing;
#ifdef SPOTS
            light *= arriving(i, to_light, face);
#endif
            vec3 halfway = normalize(to_light + to_viewer);
            float across = dot(normal, halfway), seen = dot(to_viewer, halfway);
            float lobe = across * across * (alpha_2 - 1.0) + 1.0;
            float hidden = facing * sqrt(smith)
                         + towards * sqrt(facing * facing * (1.0 - alpha_2) + alpha_2);
            float side = 1.0 - seen, side_2 = side * side;
            vec3 fresnel = f0 + (1.0 - f0) * (side_2 * side_2 * side);
            // pi D V: the lamp's irradiance is pi times its intensity.
            vec3 highlights = fresnel * again * (0.5 * alpha_2 / (lobe * lobe * hidden));
            radiance += light * ((1.0 - fresnel) * matt + highlights);
        }
    }

#if defined(FINISH) && !defined(PAINTED)
    radiance += own_light();
#endif
    color_and_instance = vec4(displayed(radiance), tint.a);
    depth = 1.0 / gl_FragCoord.w;  // clip w is the camera's z
#ifdef COORDINATES
    coordinates = vec4(point_in_obj, 1.0);
#endif
#ifdef CUT
    cut();
#endif
}
