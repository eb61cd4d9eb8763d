// The surface's texture, and what is cut out of the surface: Mesh.opacity. If defined: TEXTURED; CUT.
// AT is where in a pixel, once or sample by sample.
#ifdef TEXTURED
uniform sampler2D surface;
AT in vec2 texture_uv;
#endif

#ifdef CUT
AT in float cut_opacity;

// To be called last: derivatives are not defined beside what is discarded.
void cut() {
    float alpha = cut_opacity;
#ifdef TEXTURED
    // In full resolution: like a surface, it is there at a pixel's centre or is not.
    alpha *= textureLod(surface, texture_uv, 0.0).a;
#endif
    if (alpha < 1.0) {
        discard;
    }
}
#endif
