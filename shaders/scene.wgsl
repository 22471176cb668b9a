// What a scene looks like at one pixel: the recording and its surround. Shared by the composite pass and the fused path,
// so that both draw the same picture. The surround is everything else, behind the recording and over it, in a texture
// that is drawn only where and when it changes (backdrop.wgsl, overlay.wgsl): however many layers a scene has, a pixel
// costs the recording's own two samples and one load.
//
// All positions are pixels of the canvas, x right, y down, pixel centres at .5. All blending is done on gamma-encoded
// R'G'B', as screen recorders do: a half transparent black over white is code 128.

// Where a decoded picture's samples lie in its textures, and how they become R'G'B'.
struct Picture {
    texture_from_fraction: vec4f, // 2x2 matrix, by columns: texture coordinates a step across and down the picture
    texture_origin: vec4f,      // texture coordinates of the picture's corner; zw unused
    texture_limits: vec4f,      // smallest and largest texture coordinates that lie inside the crop
    chroma_from_luma: vec4f,    // scale and offset from luma to chroma texture coordinates: siting and odd sizes
    decode_scale: vec4f,        // luma scale, luma offset, chroma scale, chroma offset: 8-bit codes to 0..1 and -.5..5
    decode_matrix: vec4f,       // Cr to R', Cb to G', Cr to G', Cb to B'
}

// What never changes during an export stands before this file as constants, written by scene_block.py: a compiler folds
// them, and a software adapter loads a uniform anew for every invocation.
//   RECORDING: Picture        the recording, cropped and upright
//   LUMA_TEXEL: vec2f         size of a luma sample in texture coordinates
//   IS_UNSCALED: bool         each canvas pixel is one luma sample of the recording
//   FILLS_CANVAS: bool        the recording covers the canvas
//   HAS_SURROUND: bool        there is something besides the recording
//   BACKGROUND_IS_IMAGE: bool the backdrop pass loads it; else the gradient

struct Scene {
    canvas_px: vec2f,
    corner_radius_px: f32,
    shadow_blur_px: f32,
    display_px: vec4f,          // left, top, right, bottom of the recording
    shadow: vec4f,              // x and y offset in pixels, opacity, unused
    border: vec4f,              // R'G'B' and opacity
    border_width_px: f32,
    padding_0: u32,
    padding_1: u32,
    padding_2: u32,
    gradient_from: vec4f,       // R'G'B' at the start of the gradient, alpha unused
    gradient_to: vec4f,         // R'G'B' at its end
    gradient_axis: vec4f,       // position t = x * axis.x + y * axis.y + axis.z, clamped to 0..1
    fraction_from_px: vec4f,    // scale and offset from canvas position to fractions of the recording
}

@group(0) @binding(0) var<uniform> scene: Scene;
@group(0) @binding(1) var luma_texture: texture_2d<f32>;
@group(0) @binding(2) var chroma_texture: texture_2d<f32>;
@group(0) @binding(3) var linear_sampler: sampler;
// Colour of everything but the recording, and in alpha the share of the pixel that is left to the recording.
@group(0) @binding(4) var surround_texture: texture_2d<f32>;

// Signed distance in pixels from a rectangle with rounded corners, negative inside (Quilez, rounded box).
fn rounded_rectangle_distance(position: vec2f, rectangle: vec4f, radius: f32) -> f32 {
    let half_size = 0.5 * (rectangle.zw - rectangle.xy);
    let from_centre = abs(position - 0.5 * (rectangle.xy + rectangle.zw));
    let outside = from_centre - half_size + vec2f(radius);
    return length(max(outside, vec2f(0.0))) + min(max(outside.x, outside.y), 0.0) - radius;
}

// Texture coordinates, luma's, of fractions across and down a picture.
fn texture_position(picture: Picture, fraction: vec2f) -> vec2f {
    let matrix = mat2x2f(picture.texture_from_fraction.xy, picture.texture_from_fraction.zw);
    return clamp(matrix * fraction + picture.texture_origin.xy, picture.texture_limits.xy, picture.texture_limits.zw);
}

// R'G'B' of the 8-bit codes of luma and chroma, given as 0..1.
fn decoded_colour(picture: Picture, luma_code: f32, chroma_code: vec2f) -> vec3f {
    let luma = luma_code * picture.decode_scale.x + picture.decode_scale.y;
    let chroma = chroma_code * picture.decode_scale.z + picture.decode_scale.w;
    let rgb = vec3f(
        luma + picture.decode_matrix.x * chroma.y,
        luma + picture.decode_matrix.y * chroma.x + picture.decode_matrix.z * chroma.y,
        luma + picture.decode_matrix.w * chroma.x,
    );
    return clamp(rgb, vec3f(0.0), vec3f(1.0));
}

fn chroma_at(plane: texture_2d<f32>, picture: Picture, luma_position: vec2f) -> vec2f {
    let at = luma_position * picture.chroma_from_luma.xy + picture.chroma_from_luma.zw;
    return textureSampleLevel(plane, linear_sampler, at, 0.0).rg;
}

fn picture_colour(luma_plane: texture_2d<f32>, chroma_plane: texture_2d<f32>, picture: Picture, fraction: vec2f) -> vec3f {
    let at = texture_position(picture, fraction);
    let luma_code = textureSampleLevel(luma_plane, linear_sampler, at, 0.0).r;
    return decoded_colour(picture, luma_code, chroma_at(chroma_plane, picture, at));
}

// The recording at fractions of its rectangle.
fn recording_colour(fraction: vec2f) -> vec3f {
    return picture_colour(luma_texture, chroma_texture, RECORDING, fraction);
}

fn display_colour(pixel: vec2u) -> vec3f {
    let position = vec2f(pixel) + vec2f(0.5);
    if (IS_UNSCALED) {
        // The sample itself is what interpolation would return; chroma still lies between its own samples.
        let luma_code = textureLoad(luma_texture, pixel, 0).r;
        let at = position * LUMA_TEXEL;
        return decoded_colour(RECORDING, luma_code, chroma_at(chroma_texture, RECORDING, at));
    }
    return recording_colour(position * scene.fraction_from_px.xy + scene.fraction_from_px.zw);
}

// R'G'B' of one pixel in 0..1, rounded to the 8 bits that an RGBA texture would hold: every path sees the same codes.
fn scene_colour(pixel: vec2u) -> vec3f {
    var colour = display_colour(pixel);
    if (HAS_SURROUND) {
        let surround = textureLoad(surround_texture, pixel, 0);
        // Colour and share are rounded each for itself: their sum may be half a code more than white.
        colour = min(surround.rgb + colour * surround.a, vec3f(1.0));
    }
    return floor(colour * 255.0 + 0.5) * (1.0 / 255.0);
}
