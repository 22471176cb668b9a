// Converts an RGBA texture to NV12.

#import nv12

@group(0) @binding(0) var picture: texture_2d<f32>;

fn pixel_colour(pixel: vec2u) -> vec3f {
    return textureLoad(picture, pixel, 0).rgb;
}

@compute @workgroup_size(16, 4)
fn convert(@builtin(global_invocation_id) id: vec3u) {
    write_block(id.xy);
}
