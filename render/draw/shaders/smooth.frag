#version 330

// The mean of occlusion over 3 x 3 pixels of the same surface. Its weights of 1, 2, 1 count each of the
// slices of occlusion.frag, of which every other pixel has the same, alike.
uniform sampler2D occlusion;

layout(location = 0) out vec2 depth_and_seen;

void main() {
    ivec2 here = ivec2(gl_FragCoord.xy), last = textureSize(occlusion, 0) - 1;
    float depth = texelFetch(occlusion, here, 0).x, sum = 0.0, weights = 1e-6;
    for (int i = 0; i < 9; i++) {
        ivec2 step = ivec2(i % 3 - 1, i / 3 - 1);
        vec2 near = texelFetch(occlusion, clamp(here + step, ivec2(0), last), 0).xy;
        float off = (near.x - depth) * (25.0 / max(depth, 1e-6)); // 4 % of the depth is an edge
        float weight = float((2 - abs(step.x)) * (2 - abs(step.y))) / (1.0 + off * off * off * off);
        sum += weight * near.y;
        weights += weight;
    }
    depth_and_seen = vec2(depth, sum / weights);
}
