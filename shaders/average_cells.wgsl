// What masks need before they can be drawn: the recording averaged over the squares of a grid. The grid is fixed to the
// recording, so a zoom magnifies the squares and does not make them swim.

#import scene
#import layers

@group(1) @binding(0) var cells_out: texture_storage_2d<rgba16float, write>;
@group(1) @binding(2) var means_texture: texture_2d<f32>;

// Beyond this many cells a Gaussian of the widths used here has nothing left that 8 bits show.
const REACH_CELLS = 5;

@compute @workgroup_size(8, 8)
fn average_cells(@builtin(global_invocation_id) id: vec3u) {
    let mask = layers.masks[id.z];
    if (mask.kind == HIGHLIGHT || id.x >= mask.cells.z || id.y >= mask.cells.w) {
        return;
    }
    var sum = vec3f(0.0);
    for (var row = 0u; row < mask.samples; row++) {
        for (var column = 0u; column < mask.samples; column++) {
            let cell = vec2f(id.xy) + (vec2f(vec2u(column, row)) + vec2f(0.5)) / f32(mask.samples);
            sum += recording_colour(cell * mask.fraction_from_cell.xy + mask.fraction_from_cell.zw);
        }
    }
    let mean = sum / f32(mask.samples * mask.samples);
    textureStore(cells_out, mask.cells.xy + id.xy, vec4f(mean, 1.0));
}

@compute @workgroup_size(8, 8)
fn blur_cells(@builtin(global_invocation_id) id: vec3u) {
    let mask = layers.masks[id.z];
    if (mask.kind != BLUR || id.x >= mask.cells.z || id.y >= mask.cells.w) {
        return;
    }
    let last = vec2i(mask.cells.zw) - vec2i(1);
    var sum = vec3f(0.0);
    var weights = 0.0;
    for (var down = -REACH_CELLS; down <= REACH_CELLS; down++) {
        for (var across = -REACH_CELLS; across <= REACH_CELLS; across++) {
            let distance = vec2f(vec2i(across, down)) / mask.sigma_cells;
            let weight = exp(-0.5 * dot(distance, distance));
            let cell = clamp(vec2i(id.xy) + vec2i(across, down), vec2i(0), last);
            sum += weight * textureLoad(means_texture, mask.cells.xy + vec2u(cell), 0).rgb;
            weights += weight;
        }
    }
    textureStore(cells_out, mask.cells.xy + id.xy, vec4f(sum / weights, 1.0));
}
