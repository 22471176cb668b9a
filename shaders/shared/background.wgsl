// What lies behind the recording: the background, the recording's shadow and its border. For draw_background and
// draw_layers, which both write the surround.

#import scene

@group(0) @binding(5) var background_texture: texture_2d<f32>;
@group(1) @binding(0) var surround_out: texture_storage_2d<rgba8unorm, write>;

fn background_colour(pixel: vec2u, position: vec2f) -> vec3f {
    if (BACKGROUND_IS_IMAGE) {
        return textureLoad(background_texture, pixel, 0).rgb;
    }
    let t = clamp(dot(position, scene.gradient_axis.xy) + scene.gradient_axis.z, 0.0, 1.0);
    return mix(scene.gradient_from.rgb, scene.gradient_to.rgb, t);
}

// Opacity of the soft shadow: smoothstep over twice the blur, centred on the edge of the shifted rectangle.
fn shadow_opacity(position: vec2f) -> f32 {
    let distance = rounded_rectangle_distance(position - scene.shadow.xy, scene.display_px, scene.corner_radius_px);
    return scene.shadow.z * (1.0 - smoothstep(-scene.shadow_blur_px, scene.shadow_blur_px, distance));
}

// The border's outer edge is parallel to the recording's: a rounded corner gets a radius that is larger by the width.
fn border_opacity(distance: f32, scale: f32) -> f32 {
    return scene.border.a * clamp(0.5 - (distance - scene.border_width_px) * scale, 0.0, 1.0);
}

// Shadow and border over a background, and the share that the recording has of the pixel. A length of 1 is `scale` pixels.
fn framed(ground: vec3f, position: vec2f, scale: f32) -> vec4f {
    var colour = ground;
    if (scene.shadow.z > 0.0) {
        colour = mix(colour, vec3f(0.0), shadow_opacity(position));
    }
    let distance = rounded_rectangle_distance(position, scene.display_px, scene.corner_radius_px);
    if (scene.border.a > 0.0) {
        colour = mix(colour, scene.border.rgb, border_opacity(distance, scale));
    }
    let coverage = clamp(0.5 - distance * scale, 0.0, 1.0);
    return vec4f(colour * (1.0 - coverage), coverage);
}

fn exposed_frame(ground: vec3f, position: vec2f) -> vec4f {
    var sum = vec4f(0.0);
    for (var number = 0u; number < exposure.recording_count; number++) {
        let moment = exposure.moments[number];
        sum += framed(ground, at_moment(position, moment), moment.w);
    }
    return sum / f32(exposure.recording_count);
}

// The surround without any layer over the recording: colour, and the share that the recording has of the pixel.
fn backdrop_at(pixel: vec2u) -> vec4f {
    if (FILLS_CANVAS) {
        return vec4f(0.0, 0.0, 0.0, 1.0);
    }
    let position = vec2f(pixel) + vec2f(0.5);
    let ground = background_colour(pixel, position);
    if (HAS_MOTION_BLUR) {
        if (exposure.recording_count > 1u) {
            return exposed_frame(ground, position);
        }
    }
    return framed(ground, position, 1.0);
}

fn write_surround(pixel: vec2u, surround: vec4f) {
    textureStore(surround_out, pixel, floor(surround * 255.0 + 0.5) / 255.0);
}
