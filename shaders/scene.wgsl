// What a scene looks like at one pixel. Shared by the composite pass, the static backdrop and the fused path, so that
// all of them draw the same picture.
//
// All positions are pixels of the canvas, x right, y down, pixel centres at .5. All blending is done on gamma-encoded
// R'G'B', as screen recorders do: a half transparent black over white is code 128.

struct Scene {
    canvas_px: vec2f,
    corner_radius_px: f32,
    shadow_blur_px: f32,
    display_px: vec4f,          // left, top, right, bottom of the recording
    shadow: vec4f,              // x and y offset in pixels, opacity, 1 if the backdrop already holds it
    gradient_from: vec4f,       // R'G'B' at the start of the gradient, alpha unused
    gradient_to: vec4f,         // R'G'B' at its end
    gradient_axis: vec4f,       // position t = x * axis.x + y * axis.y + axis.z, clamped to 0..1
    texture_from_display: vec4f,// 2x2 matrix, by columns: texture coordinates a step across and down the display
    texture_origin: vec4f,      // texture coordinates of the display's corner; zw unused
    texture_limits: vec4f,      // smallest and largest texture coordinates that lie inside the crop
    chroma_from_luma: vec4f,    // scale and offset from luma to chroma texture coordinates: siting and odd sizes
    decode_scale: vec4f,        // luma scale, luma offset, chroma scale, chroma offset: 8-bit codes to 0..1 and -.5..5
    decode_matrix: vec4f,       // Cr to R', Cb to G', Cr to G', Cb to B'
}

@group(0) @binding(0) var<uniform> scene: Scene;
@group(0) @binding(1) var luma_texture: texture_2d<f32>;
@group(0) @binding(2) var chroma_texture: texture_2d<f32>;
@group(0) @binding(3) var linear_sampler: sampler;
@group(0) @binding(4) var backdrop_texture: texture_2d<f32>;

// Signed distance in pixels from a rectangle with rounded corners, negative inside (Quilez, rounded box).
fn rounded_rectangle_distance(position: vec2f, rectangle: vec4f, radius: f32) -> f32 {
    let half_size = 0.5 * (rectangle.zw - rectangle.xy);
    let from_centre = abs(position - 0.5 * (rectangle.xy + rectangle.zw));
    let outside = from_centre - half_size + vec2f(radius);
    return length(max(outside, vec2f(0.0))) + min(max(outside.x, outside.y), 0.0) - radius;
}

fn gradient_colour(position: vec2f) -> vec3f {
    let t = clamp(dot(position, scene.gradient_axis.xy) + scene.gradient_axis.z, 0.0, 1.0);
    return mix(scene.gradient_from.rgb, scene.gradient_to.rgb, t);
}

// Opacity of the soft shadow: smoothstep over twice the blur, centred on the edge of the shifted rectangle.
fn shadow_opacity(position: vec2f) -> f32 {
    let distance = rounded_rectangle_distance(position - scene.shadow.xy, scene.display_px, scene.corner_radius_px);
    return scene.shadow.z * (1.0 - smoothstep(-scene.shadow_blur_px, scene.shadow_blur_px, distance));
}

// Everything that does not change from frame to frame: the background and, unless the display moves, its shadow.
fn backdrop_colour(position: vec2f) -> vec3f {
    var colour = gradient_colour(position);
    if (scene.shadow.z > 0.0) {
        colour = mix(colour, vec3f(0.0), shadow_opacity(position));
    }
    return colour;
}

fn display_colour(position: vec2f) -> vec3f {
    let across = (position - scene.display_px.xy) / (scene.display_px.zw - scene.display_px.xy);
    let matrix = mat2x2f(scene.texture_from_display.xy, scene.texture_from_display.zw);
    let at = clamp(matrix * across + scene.texture_origin.xy, scene.texture_limits.xy, scene.texture_limits.zw);
    let chroma_at = at * scene.chroma_from_luma.xy + scene.chroma_from_luma.zw;
    let luma_code = textureSampleLevel(luma_texture, linear_sampler, at, 0.0).r;
    let chroma_code = textureSampleLevel(chroma_texture, linear_sampler, chroma_at, 0.0).rg;
    let luma = luma_code * scene.decode_scale.x + scene.decode_scale.y;
    let chroma = chroma_code * scene.decode_scale.z + scene.decode_scale.w;
    let rgb = vec3f(
        luma + scene.decode_matrix.x * chroma.y,
        luma + scene.decode_matrix.y * chroma.x + scene.decode_matrix.z * chroma.y,
        luma + scene.decode_matrix.w * chroma.x,
    );
    return clamp(rgb, vec3f(0.0), vec3f(1.0));
}

// R'G'B' of one pixel in 0..1, rounded to the 8 bits that an RGBA texture would hold: every path sees the same codes.
fn scene_colour(pixel: vec2u) -> vec3f {
    let position = vec2f(pixel) + vec2f(0.5);
    // Alpha of the backdrop is how much the display covers here: 1 nearly everywhere that it covers at all.
    let backdrop = textureLoad(backdrop_texture, pixel, 0);
    if (backdrop.a == 0.0) {
        return backdrop.rgb;
    }
    var colour = display_colour(position);
    if (backdrop.a < 1.0) {
        colour = mix(backdrop.rgb, colour, backdrop.a);
    }
    return floor(colour * 255.0 + 0.5) / 255.0;
}
