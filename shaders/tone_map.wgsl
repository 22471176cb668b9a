// Makes the SDR picture of an HDR frame before anything is drawn: Y' - 0.5, Cb and Cr of BT.709, chroma at each pixel, in
// red, green and blue of one texture. All three lie about 0, where a half float is finest and its rounding, which may be
// towards 0, leans to no side. Scenes then read it as they read any other recording.
//
// Constants beside those of tone_curve.wgsl:
//   LUMA_CODES, CHROMA_CODES: vec2f     scale and offset from codes to 0..1 and -.5...5
//   DECODE: vec4f                       Cr to R', Cb to G', Cr to G', Cb to B'
//   CHROMA_ACROSS, CHROMA_DOWN: vec2f   scale and offset from luma to chroma samples

#import tone_curve

@group(0) @binding(0) var luma_codes: texture_2d<u32>;
@group(0) @binding(1) var cb_codes: texture_2d<u32>;
@group(0) @binding(2) var cr_codes: texture_2d<u32>;
@group(0) @binding(3) var picture_out: texture_storage_2d<rgba16float, write>;

const BT709_LUMA = vec3f(0.2126, 0.7152, 0.0722);

fn code_at(plane: texture_2d<u32>, position: vec2i) -> f32 {
    let last = vec2i(textureDimensions(plane)) - vec2i(1);
    return f32(textureLoad(plane, clamp(position, vec2i(0), last), 0).r);
}

// Codes of 10 bits and more are whole numbers that no sampler interpolates.
fn chroma_code(plane: texture_2d<u32>, place: vec2f) -> f32 {
    let first = floor(place);
    let share = place - first;
    let at = vec2i(first);
    let upper = mix(code_at(plane, at), code_at(plane, at + vec2i(1, 0)), share.x);
    let lower = mix(code_at(plane, at + vec2i(0, 1)), code_at(plane, at + vec2i(1, 1)), share.x);
    return mix(upper, lower, share.y);
}

@compute @workgroup_size(16, 8)
fn tone_map(@builtin(global_invocation_id) id: vec3u) {
    let size = textureDimensions(picture_out);
    if (id.x >= size.x || id.y >= size.y) {
        return;
    }
    let pixel = vec2f(id.xy);
    let place = (pixel + vec2f(CHROMA_ACROSS.y, CHROMA_DOWN.y)) * vec2f(CHROMA_ACROSS.x, CHROMA_DOWN.x);
    let luma = f32(textureLoad(luma_codes, id.xy, 0).r) * LUMA_CODES.x + LUMA_CODES.y;
    let cb = chroma_code(cb_codes, place) * CHROMA_CODES.x + CHROMA_CODES.y;
    let cr = chroma_code(cr_codes, place) * CHROMA_CODES.x + CHROMA_CODES.y;
    let colour = sdr_colour(vec3f(luma + DECODE.x * cr, luma + DECODE.y * cb + DECODE.z * cr, luma + DECODE.w * cb));
    let grey = dot(colour, BT709_LUMA);
    let differences = 0.5 * (colour.br - vec2f(grey)) / (vec2f(1.0) - BT709_LUMA.br);
    textureStore(picture_out, id.xy, vec4f(grey - 0.5, differences, 1.0));
}
