// How much of a light gets to a point: spots' beams, and shadows. Of shaded.frag and physical.frag.
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
