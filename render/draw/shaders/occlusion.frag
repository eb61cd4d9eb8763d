#version 330

// How much of the surroundings surfaces see past one another, cosine-weighted: by horizons in slices
// of the depth image. J. Jimenez et al., "Practical real-time strategies for accurate indirect
// occlusion", 2016, section 4.
uniform sampler2D surfaces; // normal, and depth; 0 where there is nothing
uniform mat3 cam_from_pixel;
uniform float reach;        // metres; what is farther off hides nothing
uniform float widest;       // pixels that are looked across at most, to each side

layout(location = 0) out vec2 depth_and_seen;

const float PI = 3.14159265;
const int SLICES = 1, STEPS = 4;
const float SLACK = 0.05; // sine of the angle by which facets may rise above a smooth normal's plane

vec3 point(vec2 pixel, float depth) {
    return depth * (cam_from_pixel * vec3(pixel, 1.0));
}

// The visible share of a slice between normal and horizon, of angles from the viewer's direction.
float arc(float horizon, float tilt) {
    return 0.25 * (cos(tilt) + 2.0 * horizon * sin(tilt) - cos(2.0 * horizon - tilt));
}

void main() {
    ivec2 here = ivec2(gl_FragCoord.xy);
    vec4 surface = texelFetch(surfaces, here, 0);
    if (surface.w == 0.0) {
        depth_and_seen = vec2(0.0, 1.0);
        return;
    }
    ivec2 size = textureSize(surfaces, 0);
    vec3 middle = point(vec2(here), surface.w), normal = surface.xyz;
    vec3 view = normalize(-middle);
    float pixels = min(reach / (surface.w * length(cam_from_pixel[0])), widest);
    // Four pixels share four slices; smooth.frag takes their mean.
    float turn = float((here.x & 1) + 2 * (here.y & 1)) / 4.0;

    float seen = 0.0, all = 1e-6; // few slices: of what they would see of an open place
    for (int slice = 0; slice < SLICES; slice++) {
        float angle = PI * (float(slice) + turn) / float(SLICES);
        vec2 way = vec2(cos(angle), sin(angle));
        // The slice's plane holds the viewer's direction and this way across it.
        vec3 across = mat3(cam_from_pixel) * vec3(way, 0.0);
        across = normalize(across - dot(across, view) * view);
        vec3 axis = cross(across, view);
        vec3 within = normal - dot(normal, axis) * axis;
        float size_within = length(within);
        float tilt = sign(dot(across, within))
                   * acos(clamp(dot(within, view) / max(size_within, 1e-6), -1.0, 1.0));
        for (float ahead = -1.0; ahead < 2.0; ahead += 2.0) {
            // Where nothing rises above it, the horizon is the surface's own plane.
            float lowest = cos(clamp(tilt + ahead * PI / 2.0, -PI, PI));
            float highest = lowest;
            for (int i = 0; i < STEPS; i++) {
                float share = (float(i) + 0.5 + 0.5 * turn) / float(STEPS);
                vec2 found = vec2(here) + ahead * way * max(pixels * share * share, float(i) + 1.0);
                ivec2 there = ivec2(floor(found + 0.5));
                if (any(lessThan(there, ivec2(0))) || any(greaterThanEqual(there, size))) {
                    continue;
                }
                float depth = texelFetch(surfaces, there, 0).w;
                vec3 between = point(vec2(there), depth) - middle;
                float far = dot(between, between) / (reach * reach), away = length(between);
                // So a convex body hides nothing of its own, though pixels lie beside the slice.
                if (depth > 0.0 && far < 1.0 && dot(between, normal) > SLACK * away) {
                    highest = max(highest, mix(dot(between, view) / away, lowest, far));
                }
            }
            float horizon = ahead * acos(clamp(highest, -1.0, 1.0));
            horizon = tilt + clamp(horizon - tilt, -PI / 2.0, PI / 2.0);
            float plane = ahead * acos(clamp(lowest, -1.0, 1.0));
            seen += size_within * (highest > lowest ? arc(horizon, tilt) : arc(plane, tilt));
            all += size_within * arc(plane, tilt);
        }
    }
    depth_and_seen = vec2(surface.w, clamp((seen + 1e-6) / all, 0.0, 1.0));
}
