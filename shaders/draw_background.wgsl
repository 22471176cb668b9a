// Draws the surround without the layers over the recording. Runs once, and again while the recording moves.

#import scene
#import background

@compute @workgroup_size(16, 8)
fn draw_background(@builtin(global_invocation_id) id: vec3u) {
    let size = textureDimensions(surround_out);
    if (id.x >= size.x || id.y >= size.y) {
        return;
    }
    write_surround(id.xy, backdrop_at(id.xy));
}
