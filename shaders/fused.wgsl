// Composites and converts in one dispatch: the scene is evaluated in registers and no RGBA texture exists.

#import scene
#import nv12

fn pixel_colour(pixel: vec2u) -> vec3f {
    return scene_colour(pixel);
}

@compute @workgroup_size(16, 4)
fn fused(@builtin(global_invocation_id) id: vec3u) {
    write_block(id.xy);
}
