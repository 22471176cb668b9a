// R'G'B' to NV12, four columns and two rows an invocation, so that whole u32 words are written and no invocation touches
// another's bytes. The caller's file defines `fn pixel_colour(pixel: vec2u) -> vec3f`.
//
// Rounding is to nearest. Matrix from Kr and Kb (ITU-R BT.709-6 item 3; the same form in BT.601 and BT.2020):
//   Y = Kr R + Kg G + Kb B,  Cb = (B - Y) / (2 (1 - Kb)),  Cr = (R - Y) / (2 (1 - Kr)).

// Parameters are pipeline constants and not a uniform block: they never change during an export, a compiler folds them,
// and a software adapter loads a uniform anew for every invocation.

override nv12_width: u32;          // luma columns and rows, both even
override nv12_height: u32;
override nv12_stride_words: u32;   // words a row, of luma and of chroma alike
override nv12_centre_sited: bool;  // false: chroma on the left luma column; true: between the two
override nv12_kr: f32;
override nv12_kb: f32;
override nv12_luma_offset: f32;    // code of black
override nv12_luma_span: f32;      // codes from black to white
override nv12_chroma_span: f32;    // codes from smallest to largest chroma

@group(1) @binding(0) var<storage, read_write> nv12_words: array<u32>;

fn luma_of(rgb: vec3f) -> f32 {
    return dot(rgb, vec3f(nv12_kr, 1.0 - nv12_kr - nv12_kb, nv12_kb));
}

fn luma_code(rgb: vec3f) -> u32 {
    return u32(clamp(floor(nv12_luma_offset + nv12_luma_span * luma_of(rgb) + 0.5), 0.0, 255.0));
}

// Cb in the low byte, Cr above it, as NV12 stores them.
fn chroma_codes(rgb: vec3f) -> u32 {
    let luma = luma_of(rgb);
    let chroma = vec2f((rgb.b - luma) / (2.0 * (1.0 - nv12_kb)), (rgb.r - luma) / (2.0 * (1.0 - nv12_kr)));
    let codes = vec2u(clamp(floor(128.0 + nv12_chroma_span * chroma + 0.5), vec2f(0.0), vec2f(255.0)));
    return codes.x | (codes.y << 8u);
}

fn packed_luma(row: array<vec3f, 5>) -> u32 {
    return luma_code(row[1]) | (luma_code(row[2]) << 8u) | (luma_code(row[3]) << 16u) | (luma_code(row[4]) << 24u);
}

fn write_block(block: vec2u) {
    let left = block.x * 4u;
    let top = block.y * 2u;
    if (left >= nv12_width || top >= nv12_height) {
        return;
    }
    // Column 0 is the one left of the block: left-sited chroma reaches there. Edges repeat.
    var upper: array<vec3f, 5>;
    var lower: array<vec3f, 5>;
    for (var column = 0u; column < 5u; column++) {
        let x = min(max(left + column, 1u) - 1u, nv12_width - 1u);
        upper[column] = pixel_colour(vec2u(x, top));
        lower[column] = pixel_colour(vec2u(x, top + 1u));
    }
    nv12_words[top * nv12_stride_words + block.x] = packed_luma(upper);
    nv12_words[(top + 1u) * nv12_stride_words + block.x] = packed_luma(lower);

    var first: vec3f;
    var second: vec3f;
    if (nv12_centre_sited) {
        first = 0.25 * (upper[1] + upper[2] + lower[1] + lower[2]);
        second = 0.25 * (upper[3] + upper[4] + lower[3] + lower[4]);
    } else {
        first = 0.125 * ((upper[0] + lower[0]) + 2.0 * (upper[1] + lower[1]) + (upper[2] + lower[2]));
        second = 0.125 * ((upper[2] + lower[2]) + 2.0 * (upper[3] + lower[3]) + (upper[4] + lower[4]));
    }
    let chroma_words = nv12_height * nv12_stride_words;
    nv12_words[chroma_words + block.y * nv12_stride_words + block.x] = chroma_codes(first) | (chroma_codes(second) << 16u);
}
