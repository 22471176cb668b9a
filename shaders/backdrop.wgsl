// Draws what stays the same from frame to frame, once: colour of the backdrop, and in alpha the display's coverage.
// Joined behind scene.wgsl.

@group(1) @binding(0) var backdrop_out: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(16, 8)
fn draw_backdrop(@builtin(global_invocation_id) id: vec3u) {
    let size = textureDimensions(backdrop_out);
    if (id.x >= size.x || id.y >= size.y) {
        return;
    }
    let position = vec2f(id.xy) + vec2f(0.5);
    let distance = rounded_rectangle_distance(position, scene.display_px, scene.corner_radius_px);
    let coverage = clamp(0.5 - distance, 0.0, 1.0);
    let colour = vec4f(backdrop_colour(position), coverage);
    textureStore(backdrop_out, id.xy, floor(colour * 255.0 + 0.5) / 255.0);
}
