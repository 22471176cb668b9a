// The layers over the recording, as they are in one frame.

#import scene

const PIXELATE = 0u;
const BLUR = 1u;
const HIGHLIGHT = 2u;

struct Mask {
    rectangle_px: vec4f,     // left, top, right, bottom on the canvas
    cell_from_px: vec4f,     // scale and offset: canvas position to position in the grid of cells
    fraction_from_cell: vec4f, // scale and offset: position in the grid to fractions of the recording
    cells: vec4u,            // where the grid lies in the cell texture: x, y, columns, rows
    kind: u32,
    radius_px: f32,
    opacity: f32,            // of a highlight: how dark its surroundings are
    sigma_cells: f32,        // standard deviation that is still missing from the blur once cells are averaged
    samples: u32,            // samples across and down that a cell is the mean of
    padding_0: u32,
    padding_1: u32,
    padding_2: u32,
}

struct Caption {
    rectangle_px: vec4u,     // left, top, right, bottom on the canvas
    origin: vec2u,           // where its texels begin in the caption texture
    opacity: f32,
    padding: u32,
}

struct Camera {
    picture: Picture,
    rectangle_px: vec4f,
    shadow_px: vec2f,        // offset right and down
    shadow_blur_px: f32,
    shadow_opacity: f32,
    radius_px: f32,
    is_video: u32,           // 1: planes; 0: the image texture
    samples: u32,            // samples across and down that a pixel is the mean of
    is_shown: u32,
}

struct Layers {
    display_px: vec4f,       // left, top, right, bottom of the recording
    display_radius_px: f32,
    mask_count: u32,
    caption_count: u32,
    click_count: u32,
    click_colour: vec4f,     // R'G'B' and half the width of the ring in pixels
    clicks: array<vec4f, 4>, // centre x and y, radius in pixels, opacity
    cursor_px: vec4f,        // left, top, right, bottom of the cursor image; empty where there is none
    camera: Camera,
    masks: array<Mask, 8>,
    captions: array<Caption, 4>,
    stale_px: array<vec4u, 16>, // rectangles that must be drawn: left, top, right, bottom
    exposed_cursor_px: array<vec4f, 32>, // the cursor image in each moment of the exposure
}

// Storage, not uniform: Mesa's software Vulkan recompiles a shader for every value of a uniform that an `if` or a
// loop depends on, 100 ms for each new count of clicks or captions.
@group(1) @binding(1) var<storage, read> layers: Layers;

// How much of a pixel a rounded rectangle covers, 0..1.
fn rectangle_coverage(position: vec2f, rectangle: vec4f, radius: f32) -> f32 {
    return clamp(0.5 - rounded_rectangle_distance(position, rectangle, radius), 0.0, 1.0);
}
