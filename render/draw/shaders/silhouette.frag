#version 330

#include "texture.glsl"

layout(location = 0) out float covered;

void main() {
    covered = 1.0;
#ifdef CUT
    cut();
#endif
}
