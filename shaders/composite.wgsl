// Draws one frame into an RGBA texture.

#import scene

@group(1) @binding(0) var picture_out: texture_storage_2d<rgba8unorm, write>;

// Pixels of a row that an invocation writes: on a software adapter an invocation costs as much as a sample.
const COLUMNS = 4u;

@compute @workgroup_size(16, 8)
fn composite(@builtin(global_invocation_id) id: vec3u) {
    let size = textureDimensions(picture_out);
    if (id.x * COLUMNS >= size.x || id.y >= size.y) {
        return;
    }
    // As often for every invocation, or llvmpipe does not unroll it. Columns beyond the edge are not stored (WGSL).
    for (var column = 0u; column < COLUMNS; column++) {
        let pixel = vec2u(id.x * COLUMNS + column, id.y);
        textureStore(picture_out, pixel, vec4f(scene_colour(pixel), 1.0));
    }
}
