// How much of a light gets to a point: spots' beams, and shadows. Of shaded.frag and physical.frag.
#ifdef SPOTS
layout(std140, row_major) uniform Shadows {
    // Of each light six maps (SIDES of gl_shadows.py); all but point lights use the first alone.
    mat4 atlas_from_cam[48]; // into a map's part of the atlas, times w
    vec4 reach[48];          // x: metres off the surface to look from, for w = 1; 0: no shadows
#ifdef SOFT
    vec4 soft[48]; // x: the lamp's radius; y: nearest depth; z, w: terms of depths, see depth_terms
    vec4 tile[48]; // a map's part of the atlas: least and largest u and v
#endif
};
uniform sampler2DShadow shadow_atlas;
#ifdef SOFT
uniform sampler2D shadow_depths; // the same atlas
#endif

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

#ifdef SOFT
const int BLOCKERS = 24, LOOKS = 40;
const float WIDEST = 2.0;  // lamp's radii that are looked across for what stands before it
const float GRAZING = 0.1; // cosine, from which on a disc is not drawn out any more over the surface
const float FARTHEST = 10.0; // distances of the lamp that a disc is drawn out to

// The i-th of n points evenly over the unit disc: Vogel's spiral.
vec2 disc(int i, int n, float turn) {
    float angle = 2.39996323 * float(i) + turn;
    return sqrt((float(i) + 0.5) / float(n)) * vec2(cos(angle), sin(angle));
}

// A point of the surface as a light's map has it: place in the atlas, and depth; z is below 0 where no
// shadow can be.
vec3 in_map(int light, bool is_point, vec3 point, vec3 face, out int map) {
    map = 6 * light + (is_point ? side(point - vectors[light].xyz) : 0);
    if (reach[map].x == 0.0) {
        return vec3(-1.0);
    }
    float w = (atlas_from_cam[map] * vec4(point, 1.0)).w;
    vec4 found = atlas_from_cam[map] * vec4(point + reach[map].x * w * face, 1.0);
    found /= found.w;
    // What is behind all that casts shadows has the depth of what is nothing.
    return vec3(clamp(found.xy, tile[map].xy, tile[map].zw), min(found.z, 1.0));
}

// From here to where the ray of a lamp that passes by at `off` meets the surface's plane. away: the
// lamp's distance, 0 if directional; steep: cosine between the way to it and the plane's normal.
vec3 on_surface(vec3 off, vec3 to_light, float away, float steep, vec3 face) {
    float rise = dot(off, face);
    if (away == 0.0) {
        return off - to_light * (rise / steep);
    }
    float left = away * steep - rise; // none: the ray meets the plane nowhere
    float times = left > 0.0 ? min(away * steep / left, FARTHEST) : FARTHEST;
    return times * off + (1.0 - times) * away * to_light;
}

// What gets past to this point of a lamp's disc. R. Fernando, "Percentage-closer soft shadows", 2005:
// the mean depth of what stands before it says how wide the penumbra is. Discs are laid on the surface
// itself, along the rays, so that a plane does not shadow itself.
float past(int light, vec3 to_light, vec3 face, bool is_point) {
    vec3 right = normalize(cross(to_light, abs(to_light.x) < 0.7 ? vec3(1, 0, 0) : vec3(0, 1, 0)));
    vec3 up = cross(to_light, right);
    float steep = max(dot(to_light, face), GRAZING);
    // Neighbours look from other directions: what is left of the steps between looks is noise.
    float turn = fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)));
    turn = 6.2831853 * fract(52.9829189 * turn);

    int map;
    vec3 here = in_map(light, is_point, point_in_cam, face, map);
    bool is_directional = vectors[light].w == 0.0;
    float away = is_directional ? 0.0 : length(vectors[light].xyz - point_in_cam);
    vec4 lamp = soft[map];
    if (reach[map].x == 0.0) {
        return 1.0;
    }
    float z = is_directional ? (here.z - lamp.w) / lamp.z : lamp.w / (here.z - lamp.z);
    float widest = (z - lamp.y) / (is_directional ? 1.0 : lamp.y);
    float across = lamp.x * clamp(widest, 0.0, is_directional ? widest : WIDEST);

    float sum = 0.0, count = 0.0;
    for (int i = 0; i < BLOCKERS; i++) {
        vec2 at = across * disc(i, BLOCKERS, turn);
        vec3 off = on_surface(at.x * right + at.y * up, to_light, away, steep, face);
        vec3 found = in_map(light, is_point, point_in_cam + off, face, map);
        float nearest = textureLod(shadow_depths, found.xy, 0.0).r;
        if (found.z >= 0.0 && nearest < found.z) {
            sum += is_directional ? (nearest - soft[map].w) / soft[map].z
                                  : soft[map].w / (nearest - soft[map].z);
            count += 1.0;
        }
    }
    if (count == 0.0) {
        return 1.0;
    }
    float before = sum / count;
    across = lamp.x * max(z - before, 0.0) / (is_directional ? 1.0 : before);
    float seen = 0.0;
    for (int i = 0; i < LOOKS; i++) {
        vec2 at = across * disc(i, LOOKS, turn);
        vec3 off = on_surface(at.x * right + at.y * up, to_light, away, steep, face);
        vec3 found = in_map(light, is_point, point_in_cam + off, face, map);
        seen += found.z < 0.0 ? 1.0 : textureLod(shadow_atlas, found, 0.0);
    }
    return seen / float(LOOKS);
}
#endif

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
#ifdef SOFT
    if (soft[map].x > 0.0) {
        return beam * past(light, to_light, face, is_point);
    }
#endif
    // A map's texel holds one depth for all that it covers. Looked for off the surface by as much
    // as the texels that are read reach across, a plane never shadows itself, however it is tilted.
    float w = (atlas_from_cam[map] * vec4(point_in_cam, 1.0)).w;
    vec4 found = atlas_from_cam[map] * vec4(point_in_cam + reach[map].x * w * face, 1.0);
    return beam * textureLod(shadow_atlas, found.xyz / found.w, 0.0);
}
#endif
