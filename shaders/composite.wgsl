// Draws one frame into an RGBA texture. Joined behind scene.wgsl.

@group(1) @binding(0) var picture_out: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(16, 8)
fn composite(@builtin(global_invocation_id) id: vec3u) {
    let size = textureDimensions(picture_out);
    if (id.x >= size.x || id.y >= size.y) {
        return;
    }
    textureStore(picture_out, id.xy, vec4f(scene_colour(id.xy), 1.0));
}
