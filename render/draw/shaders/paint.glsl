// A texture in place of the mesh's own colours: render.scene.spec.Texture. If defined: PAINTED.
// Seen along the three axes of the object, mixed by how far the surface is turned to each.
#ifdef PAINTED
uniform sampler2D paint;
in vec3 normal_in_obj;

const float SHARPNESS = 8.0; // of the change from one side to the next

vec3 painted(vec3 repeats) {
    vec3 at = point_in_obj * repeats;
    vec2 sides = vec2(textureSize(paint, 0));
    vec2 shape = vec2(1.0, sides.x / sides.y);
    vec3 turned = pow(abs(normalize(normal_in_obj)), vec3(SHARPNESS));
    vec3 sum = turned.x * texture(paint, at.yz * shape).rgb;
    sum += turned.y * texture(paint, at.xz * shape).rgb + turned.z * texture(paint, at.xy * shape).rgb;
    return sum / (turned.x + turned.y + turned.z);
}
#endif
