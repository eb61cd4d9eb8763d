#version 330

// Blinn-Phong: J. Blinn, "Models of light reflection for computer synthesized pictures", 1977.
layout(std140) uniform Shading {
    vec4 tint;         // rgb; a goes to the colour's alpha as it is
    vec4 highlight;    // strength, exponent, number of lights
    vec4 ambient;      // rgb
    vec4 vectors[8];   // xyz: towards a directional light, or a point light's position; w: 1 if point
    vec4 intensity[8]; // rgb
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

void main() {
    vec3 albedo = vertex_color * tint.rgb;
#ifdef TEXTURED
    albedo *= texture(surface, texture_uv).rgb;
#endif

    // Meshes are seen from both sides: the normal is the one on the viewer's side.
    vec3 to_viewer = normalize(-point_in_cam);
    vec3 normal = normalize(normal_in_cam);
    normal = dot(normal, to_viewer) < 0.0 ? -normal : normal;

    vec3 diffuse = ambient.rgb;
    vec3 gloss = vec3(0.0);
    int count = int(highlight.z);
    for (int i = 0; i < count; i++) {
        vec3 to_light = vectors[i].xyz;
        if (vectors[i].w > 0.0) {
            to_light = normalize(to_light - point_in_cam);
        }
        float facing = dot(normal, to_light);
        if (facing > 0.0) {
            float mirrored = max(dot(normal, normalize(to_light + to_viewer)), 0.0);
            diffuse += intensity[i].rgb * facing;
            gloss += intensity[i].rgb * pow(mirrored, highlight.y);
        }
    }

    color_and_instance = vec4(albedo * diffuse + highlight.x * gloss, tint.a);
    depth = 1.0 / gl_FragCoord.w;  // clip w is the camera's z
}
