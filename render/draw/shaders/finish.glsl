// What a mesh brings of its own of how it takes light: Finish. If defined: FINISH; MAP_NORMAL,
// MAP_METALLIC_ROUGHNESS, MAP_OCCLUSION and MAP_EMISSIVE.
#ifdef FINISH
in vec4 own_finish;   // roughness, below 0 where the scene says it; metallic; of normals and occlusion
in vec3 own_emissive; // linear light
in vec4 at_maps;      // uv of normals, and of roughness and metal
in vec4 at_more_maps; // of occlusion, and of emissive light
in vec3 tangent_in_cam;

#ifdef MAP_NORMAL
uniform sampler2D normal_map;
#endif
#ifdef MAP_METALLIC_ROUGHNESS
uniform sampler2D metallic_roughness_map;
#endif
#ifdef MAP_OCCLUSION
uniform sampler2D occlusion_map;
#endif
#ifdef MAP_EMISSIVE
uniform sampler2D emissive_map;
#endif

// The map's normal where the surface has this one. The axes are MikkTSpace's: along u on the surface,
// and across that, to the side on which v rises, so that mirrored coordinates are right. Where vertices
// have no tangent, u is that of the triangle.
vec3 mapped(vec3 normal) {
#ifdef MAP_NORMAL
    vec3 right = dFdx(point_in_cam), down = dFdy(point_in_cam);
    vec3 found = 2.0 * texture(normal_map, at_maps.xy).xyz - 1.0;
    vec2 uv_right = dFdx(at_maps.xy), uv_down = dFdy(at_maps.xy);
    float turn = uv_right.x * uv_down.y - uv_down.x * uv_right.y < 0.0 ? -1.0 : 1.0;
    vec3 u = tangent_in_cam;
    if (dot(u, u) < 1e-8) {
        u = (uv_down.y * right - uv_right.y * down) * turn;
    }
    vec3 v = (uv_right.x * down - uv_down.x * right) * turn;
    u -= dot(u, normal) * normal;
    float size = length(u);
    if (size < 1e-20) {
        return normal;
    }
    u /= size;
    vec3 across = cross(normal, u);
    across = dot(across, v) < 0.0 ? -across : across;
    found.xy *= own_finish.z;
    return normalize(found.x * u + found.y * across + found.z * normal);
#else
    return normal;
#endif
}

// Roughness and metallic, for what the scene says of them.
vec2 own_or(vec2 of_scene) {
    vec2 own = own_finish.xy;
#ifdef MAP_METALLIC_ROUGHNESS
    own *= texture(metallic_roughness_map, at_maps.zw).gb;
#endif
    return own_finish.x < -0.5 ? of_scene : own;
}

float own_occlusion() {
#ifdef MAP_OCCLUSION
    return 1.0 + own_finish.w * (texture(occlusion_map, at_more_maps.xy).r - 1.0);
#else
    return 1.0;
#endif
}

vec3 own_light() {
#ifdef MAP_EMISSIVE
    return own_emissive * decoded(texture(emissive_map, at_more_maps.zw).rgb);
#else
    return own_emissive;
#endif
}
#endif
