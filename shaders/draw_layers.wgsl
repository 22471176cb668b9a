// Draws the surround with the layers over the recording, in the rectangles that changed since the last frame.

#import scene
#import background
#import layers

@group(1) @binding(2) var means_texture: texture_2d<f32>;
@group(1) @binding(3) var blurred_texture: texture_2d<f32>;
@group(1) @binding(4) var cursor_texture: texture_2d<f32>;
@group(1) @binding(5) var camera_image: texture_2d<f32>;
@group(1) @binding(6) var camera_luma: texture_2d<f32>;
@group(1) @binding(7) var camera_cb: texture_2d<f32>;
@group(1) @binding(8) var camera_cr: texture_2d<f32>;
@group(1) @binding(9) var caption_texture: texture_2d<f32>;

// `top` over `under`, both multiplied by alpha (Porter and Duff), in gamma space.
fn over(top: vec4f, under: vec4f) -> vec4f {
    return top + under * (1.0 - top.a);
}

fn mask_colour(mask: Mask, position: vec2f) -> vec3f {
    let cell = position * mask.cell_from_px.xy + mask.cell_from_px.zw;
    if (mask.kind == PIXELATE) {
        let inside = clamp(vec2i(floor(cell)), vec2i(0), vec2i(mask.cells.zw) - vec2i(1));
        return textureLoad(means_texture, mask.cells.xy + vec2u(inside), 0).rgb;
    }
    let at = (vec2f(mask.cells.xy) + cell) / vec2f(textureDimensions(blurred_texture));
    return textureSampleLevel(blurred_texture, linear_sampler, at, 0.0).rgb;
}

// Masks change the recording, so they end where it ends: at its rounded corners.
fn with_masks(under: vec4f, position: vec2f, display_coverage: f32) -> vec4f {
    var colour = under;
    var darkness = 0.0;
    var outside = 1.0;
    for (var number = 0u; number < layers.mask_count; number++) {
        let mask = layers.masks[number];
        let coverage = rectangle_coverage(position, mask.rectangle_px, mask.radius_px);
        if (mask.kind == HIGHLIGHT) {
            // Several highlights share one darkness: what one of them shows, another must not hide.
            darkness = max(darkness, mask.opacity);
            outside *= 1.0 - coverage;
        } else if (coverage > 0.0) {
            let alpha = coverage * display_coverage * mask.opacity;
            colour = over(vec4f(mask_colour(mask, position), 1.0) * alpha, colour);
        }
    }
    return over(vec4f(0.0, 0.0, 0.0, darkness * outside * display_coverage), colour);
}

fn with_clicks(under: vec4f, position: vec2f, display_coverage: f32) -> vec4f {
    var colour = under;
    for (var number = 0u; number < layers.click_count; number++) {
        let click = layers.clicks[number];
        let from_ring = abs(length(position - click.xy) - click.z) - layers.click_colour.w;
        let alpha = clamp(0.5 - from_ring, 0.0, 1.0) * click.w * display_coverage;
        colour = over(vec4f(layers.click_colour.rgb, 1.0) * alpha, colour);
    }
    return colour;
}

fn with_cursor(under: vec4f, position: vec2f, display_coverage: f32) -> vec4f {
    if (any(position < layers.cursor_px.xy) || any(position >= layers.cursor_px.zw)) {
        return under;
    }
    let at = (position - layers.cursor_px.xy) / (layers.cursor_px.zw - layers.cursor_px.xy);
    return over(textureSampleLevel(cursor_texture, linear_sampler, at, 0.0) * display_coverage, under);
}

// The layers that a zoom or the cursor's path moves, each as its mean over the moments of the exposure, colour multiplied
// by alpha, and only then drawn over those below it.

// How much of a pixel the recording covers in a moment, for a position of the frame's own time.
fn display_coverage_in(moment: vec4f, there: vec2f) -> f32 {
    return scaled_coverage(there, layers.display_px, layers.display_radius_px, moment.w);
}

// A mask that hides covers a pixel as much as in the moment in which it covers most of it: a mean would let through what
// it hides along its edges.
fn exposed_mask(mask: Mask, position: vec2f) -> vec4f {
    var sum = vec3f(0.0);
    var total = 0.0;
    var most = 0.0;
    for (var number = 0u; number < exposure.count; number++) {
        let moment = exposure.moments[number];
        let there = at_moment(position, moment);
        let coverage = scaled_coverage(there, mask.rectangle_px, mask.radius_px, moment.w);
        let share = coverage * display_coverage_in(moment, there);
        if (share > 0.0) {
            sum += share * mask_colour(mask, there);
            total += share;
            most = max(most, share);
        }
    }
    return vec4f(sum / max(total, 1e-6), 1.0) * most * mask.opacity;
}

fn exposed_masks(position: vec2f) -> vec4f {
    var colour = vec4f(0.0);
    var darkness = 0.0;
    for (var number = 0u; number < layers.mask_count; number++) {
        let mask = layers.masks[number];
        if (mask.kind == HIGHLIGHT) {
            darkness = max(darkness, mask.opacity);
        } else {
            colour = over(exposed_mask(mask, position), colour);
        }
    }
    if (darkness == 0.0) {
        return colour;
    }
    var sum = 0.0;
    for (var number = 0u; number < exposure.count; number++) {
        let moment = exposure.moments[number];
        let there = at_moment(position, moment);
        var outside = display_coverage_in(moment, there);
        for (var light = 0u; light < layers.mask_count; light++) {
            let mask = layers.masks[light];
            if (mask.kind == HIGHLIGHT) {
                outside *= 1.0 - scaled_coverage(there, mask.rectangle_px, mask.radius_px, moment.w);
            }
        }
        sum += outside;
    }
    return over(vec4f(0.0, 0.0, 0.0, darkness * sum / f32(exposure.count)), colour);
}

fn exposed_clicks(under: vec4f, position: vec2f) -> vec4f {
    var colour = under;
    for (var number = 0u; number < layers.click_count; number++) {
        let click = layers.clicks[number];
        var sum = 0.0;
        for (var at = 0u; at < exposure.count; at++) {
            let moment = exposure.moments[at];
            let there = at_moment(position, moment);
            let from_ring = (abs(length(there - click.xy) - click.z) - layers.click_colour.w) * moment.w;
            sum += clamp(0.5 - from_ring, 0.0, 1.0) * display_coverage_in(moment, there);
        }
        let alpha = sum / f32(exposure.count) * click.w;
        colour = over(vec4f(layers.click_colour.rgb, 1.0) * alpha, colour);
    }
    return colour;
}

fn exposed_cursor(under: vec4f, position: vec2f) -> vec4f {
    // Outside the bounds of all its places there is nothing to read.
    if (any(position < layers.cursor_px.xy) || any(position >= layers.cursor_px.zw)) {
        return under;
    }
    var sum = vec4f(0.0);
    for (var number = 0u; number < exposure.count; number++) {
        let box = layers.exposed_cursor_px[number];
        if (all(position >= box.xy) && all(position < box.zw)) {
            let moment = exposure.moments[number];
            let at = (position - box.xy) / (box.zw - box.xy);
            let coverage = display_coverage_in(moment, at_moment(position, moment));
            sum += textureSampleLevel(cursor_texture, linear_sampler, at, 0.0) * coverage;
        }
    }
    return over(sum / f32(exposure.count), under);
}

fn camera_colour(position: vec2f) -> vec3f {
    let camera = layers.camera;
    let size = camera.rectangle_px.zw - camera.rectangle_px.xy;
    var sum = vec3f(0.0);
    for (var row = 0u; row < camera.samples; row++) {
        for (var column = 0u; column < camera.samples; column++) {
            let within = (vec2f(vec2u(column, row)) + vec2f(0.5)) / f32(camera.samples) - vec2f(0.5);
            let fraction = (position + within - camera.rectangle_px.xy) / size;
            if (camera.is_video == 1u) {
                sum += picture_colour(camera_luma, camera_cb, camera_cr, camera.picture, fraction);
            } else {
                sum += textureSampleLevel(camera_image, linear_sampler, texture_position(camera.picture, fraction), 0.0).rgb;
            }
        }
    }
    return sum / f32(camera.samples * camera.samples);
}

fn with_camera(under: vec4f, position: vec2f) -> vec4f {
    let camera = layers.camera;
    if (camera.is_shown == 0u) {
        return under;
    }
    var colour = under;
    if (camera.shadow_opacity > 0.0) {
        let distance = rounded_rectangle_distance(position - camera.shadow_px, camera.rectangle_px, camera.radius_px);
        let fullness = 1.0 - smoothstep(-camera.shadow_blur_px, camera.shadow_blur_px, distance);
        colour = over(vec4f(0.0, 0.0, 0.0, camera.shadow_opacity * fullness), colour);
    }
    let coverage = rectangle_coverage(position, camera.rectangle_px, camera.radius_px);
    if (coverage > 0.0) {
        colour = over(vec4f(camera_colour(position), 1.0) * coverage, colour);
    }
    return colour;
}

fn with_captions(under: vec4f, pixel: vec2u) -> vec4f {
    var colour = under;
    for (var number = 0u; number < layers.caption_count; number++) {
        let caption = layers.captions[number];
        if (all(pixel >= caption.rectangle_px.xy) && all(pixel < caption.rectangle_px.zw)) {
            let texel = caption.origin + pixel - caption.rectangle_px.xy;
            colour = over(textureLoad(caption_texture, texel, 0) * caption.opacity, colour);
        }
    }
    return colour;
}

@compute @workgroup_size(16, 8)
fn draw_layers(@builtin(global_invocation_id) id: vec3u) {
    let stale = layers.stale_px[id.z];
    let pixel = stale.xy + id.xy;
    if (any(pixel >= stale.zw)) {
        return;
    }
    let position = vec2f(pixel) + vec2f(0.5);
    var colour = vec4f(0.0);
    var is_exposed = false;
    if (HAS_MOTION_BLUR) {
        is_exposed = exposure.count > 1u;
    }
    if (is_exposed) {
        colour = exposed_cursor(exposed_clicks(exposed_masks(position), position), position);
    } else {
        let display_coverage = rectangle_coverage(position, layers.display_px, layers.display_radius_px);
        if (display_coverage > 0.0) {
            colour = with_masks(colour, position, display_coverage);
            colour = with_clicks(colour, position, display_coverage);
            colour = with_cursor(colour, position, display_coverage);
        }
    }
    colour = with_camera(colour, position);
    colour = with_captions(colour, pixel);
    // The layers, colour multiplied by alpha, lie over the recording and over what is behind it.
    let behind = backdrop_at(pixel);
    let left_over = 1.0 - colour.a;
    write_surround(pixel, vec4f(colour.rgb + behind.rgb * left_over, behind.a * left_over));
}
