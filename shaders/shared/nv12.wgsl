// R'G'B' to NV12, four columns and two rows an invocation, so that whole u32 words are written and no invocation touches
// another's bytes. The caller's file defines `fn pixel_colour(pixel: vec2u) -> vec3f`.
//
// Rounding is to nearest: pack4x8unorm does it (WGSL, data packing built-in functions). Matrix from Kr and Kb (ITU-R
// BT.709-6 item 3; the same form in BT.601 and BT.2020):
//   Y = Kr R + Kg G + Kb B,  Cb = (B - Y) / (2 (1 - Kb)),  Cr = (R - Y) / (2 (1 - Kr)).

// Parameters are pipeline constants and not a uniform block: they never change during an export, a compiler folds them,
// and a software adapter reloads a uniform for every invocation.

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

// Cb and Cr, in the order in which NV12 stores them.
fn chroma_of(rgb: vec3f) -> vec2f {
    let luma = luma_of(rgb);
    return vec2f((rgb.b - luma) * (0.5 / (1.0 - nv12_kb)), (rgb.r - luma) * (0.5 / (1.0 - nv12_kr)));
}

fn packed_luma(row: array<vec3f, 5>) -> u32 {
    let luma = vec4f(luma_of(row[1]), luma_of(row[2]), luma_of(row[3]), luma_of(row[4]));
    return pack4x8unorm(nv12_luma_offset / 255.0 + (nv12_luma_span / 255.0) * luma);
}

fn packed_chroma(first: vec3f, second: vec3f) -> u32 {
    let chroma = vec4f(chroma_of(first), chroma_of(second));
    return pack4x8unorm(128.0 / 255.0 + (nv12_chroma_span / 255.0) * chroma);
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
    nv12_words[chroma_words + block.y * nv12_stride_words + block.x] = packed_chroma(first, second);
}
