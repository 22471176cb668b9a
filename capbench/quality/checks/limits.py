"""Every tolerance of validation, with its reason. A check that needs a number takes it from here."""

from __future__ import annotations

from typing import Final

__all__: list[str] = []

RATE_ERROR: Final = 2e-4
"""Relative error of the frame rate. 29.97 tagged 30 is 1e-3; a rate that was rounded to 1/1000 fps is 3e-5."""
START_ERROR_MS: Final = 120.0
"""Start of the picture after the start of the file, if the sound cannot be compared: containers without edit lists
keep 21 to 48 ms of an encoder's priming in front, and two frames of reordering."""
OTHER_RATE: Final = 0.05
"""Relative difference of the mean rate from which it is another rate, not a few lost frames."""
DURATION_ERROR_FRAMES: Final = 1.5
"""Claimed against decoded length: how long the last frame lasts is the muxer's guess, and may be one frame off."""

AUDIO_OFFSET_MS: Final = 15.0
"""Less than the 21.3 ms of one AAC frame at 48 kHz, so that priming that was not skipped is caught; three times what
the measurement is good to."""
AUDIO_DRIFT_MS: Final = 8.0
"""Change of the offset from start to end; the measurement repeats to 1 ms, a resampled track keeps to 2."""
AUDIO_GAP_MS: Final = 17.0
"""Shortest silence that is a gap: of 20 ms that are missing a lossy codec fills up to 3 with what is around them. A
missing AAC frame is 21.3 ms."""
AUDIO_PITCH: Final = 0.02
"""Relative change of all frequencies: a third of a semitone. A glide that is 15 ms late is off by 0.01."""
AUDIO_LEVEL_DB: Final = 1.5
"""Change of loudness of a single track; 1 dB is about the smallest that is heard, AAC at 64 kbit/s stays within 0.5."""
AUDIO_CODED_LEVEL_DB: Final = 3.0
"""Change of energy, in the band that the output kept, up to which coding may be the reason where the level of what it
kept of the samples is right."""
AUDIO_CODED_SHARE: Final = 0.1
"""Share of the reference's energy that must lie in that band: of a click 32 kbit/s keep 16%. Where less is left, what
was heard is gone, and the rounding noise below it is as loud as ever."""
AUDIO_FAINT_LEVEL_DB: Final = 6.0
"""The same of a sound that stays below -50 dB of full scale: of noise at -65 dB Opus and AC-3 leave out 4.8 dB."""
AUDIO_PAN_LEVEL_DB: Final = 4.5
"""The same where mono became stereo: the usual pan law plays each channel at -3 dB."""
AUDIO_DOWNMIX_LEVEL_DB: Final = 3.0
"""How much quieter surround channels may be in a downmix, besides its scale factor: a stream of AC-3 may state a level
of 0.5 for them instead of the 0.707 of ITU-R BS.775 (ATSC A/52, 5.4.2.5), and HandBrake goes by that."""
AUDIO_MIX_LEVEL_DB: Final = 9.0
"""The same where several tracks are mixed: halving each of two against clipping is 6 dB, and not a fault."""
AUDIO_LENGTH_MS: Final = 100.0
"""Length of the sound: four AAC frames of padding at the end."""
AUDIO_CLIPPED_SHARE: Final = 1e-3
"""Additional share of samples at full scale, beyond those that were within 1 dB of it: AAC overshoots a loud peak now
and then."""
AUDIO_SIDE_SHARE: Final = 0.01
"""Energy of left minus right over left plus right from which stereo is audibly stereo."""
AUDIO_SIDE_ADDED: Final = 0.1
"""Share of that energy from which sound that was alike on both sides is no longer: one side is 5.7 dB quieter, silent,
or turned over. What coding adds is a thousandth."""
AUDIO_LOW_SHARE: Final = 0.01
"""Share of a sound's energy up to 3.5 kHz from which its sides are known by that: 20 dB below the rest it is heard."""
AUDIO_TURNED: Final = -0.5
"""Product of two correlations, of left and right or of sum and difference: 1 in a right output, -1 if one of the two
is inverted. A difference that an encoder at 32 kbit/s synthesised is near 0."""
AUDIO_ALIKE_SHARE: Final = 0.5
"""Share of the sound that the reference's samples must explain to be compared with: AAC at 64 kbit/s leaves 0.9."""
AUDIO_SIDE_KEPT: Final = 0.2
"""Share of that energy that must remain: AAC's joint stereo keeps at least half."""

EMPTY_SPREAD_CODES: Final = 2.0
"""Spread of an empty picture; the coding noise of one colour stays below 1."""
BLACK_ABOVE_CODES: Final = 6.0
"""Mean luma above black of a black picture."""
BLACK_CODE: Final = 16.0
"""Luma of black in limited range (ITU-R BT.709)."""
NEARLY_BLACK: Final = 2.0
"""Factor of both limits within which the reference's picture is black as well: one of 22.1 codes may become 21.9, and
grain that spreads by 3 codes in the dark is left out."""
GREEN_CHROMA_CODE: Final = 60.0
"""Both chroma components below this is greener than any sRGB green with BT.709 (Cb 42, Cr 26 is full green, so the
reference is checked too)."""
GREEN_CODES: Final = 50.0
"""Green of a flat frame, in codes of R'G'B', which has no other colour: zero codes clip to 77 by BT.709 and to 135 by
BT.601."""
NO_RED_OR_BLUE_CODES: Final = 12.0
"""What coding and rounding leave of red and blue there: codes of chroma are good to two, which are four of blue."""
FROZEN_SHARE: Final = 0.15
"""A frame that moves less than this share of its counterpart's movement repeats the frame before."""
FROZEN_MOVE_CODES: Final = 0.25
"""Movement of the reference from which a freeze can be detected: about a line of text that scrolls."""
SHOWN_CODES: Final = 4.0
"""Difference of its worst block up to which a picture that stands still shows what it should: references flicker by a
code or two all over from key frame to key frame, and encoders at CRF 14 leave that out. A line of text that scrolls
is 10 and more, a cursor that blinks 50."""
LEFT_BEHIND: Final = 1.5
"""A picture that stands still, where the reference moves by less than coding is off, is a fault once its blocks are off
by this factor more than at first: grain at CRF 38 gives 1.2 after any time, a freeze 2 after two such frames."""

HIDDEN_MOVE: Final = 1.5
"""Movement over what a picture is off by, up to which coding may hide it: from frame to frame grain differs by 1.41
times as much as it does from the even picture that an encoder makes of it."""
PSNR_FLOOR_DB: Final = 24.0
"""Mean luma PSNR below which a picture is damaged rather than compressed, unless all of the error is detail that was
left out; CRF 40 of screen text is at 28 in 1080p, and at 18 in 640x360."""
KEPT_DETAIL: Final = 0.5
"""Share of its detail that a frame below that must have, even where coding left the rest out: screen text that shows
lines of two moments, or none that can be read, has 0.11 to 0.46 at 16 to 18 dB; what can be read has 0.7 and more."""
LOST_FRAMES: Final = 0.1
"""Share of the frames that may have less: after a jump an average bit rate does not reach for some frames."""
PSNR_OUTLIER_DB: Final = 10.0
"""Drop below the clip's median; a scene cut coded badly is 6."""
PSNR_OUTLIER_FLOOR_DB: Final = 34.0
"""An outlier above this is still a good picture."""
RATE_CONTROL_S: Final = 0.5
"""Time after the start, or a cut, in which rate control looks for its quantiser: x264 at an average bit rate is 12 dB
below the median for 0.1 s and 3 dB for 0.25 s."""
CUT_CODES: Final = 20.0
"""Movement of the mean block from which a frame is a cut to the encoder: nothing of the picture before foretells it."""
HARD_CONTENT_S: Final = 0.25
"""Time before or behind a frame in which most frames are as bad where content is hard to code: a collapse that nothing
in the content explains is a fault however long it lasts, but a moment of it in hard content is not told from it."""
HARD_CONTENT_FRAMES: Final = 3
"""Fewest of them."""
HARD_CONTENT_DETAIL: Final = 0.9
"""Share of its detail that such a frame has: noise behind a cut has 0.98 at 33 dB, in a clip of 46 dB."""
HARD_CONTENT_MOVES: Final = 2.0
"""Movement of such a frame over that of the median frame, which explains that less is left."""
HARD_CONTENT_MEANS: Final = 0.7
"""Mean error of the means of blocks over the root mean square error, up to which a frame is off within blocks: coding
makes 0.1 to 0.3, and 0.56 of large letters that move, another brightness 1."""
CELL_CODES: Final = 24.0
"""Difference of an 8x8 block mean. Coding noise averages out to 3 at CRF 18 and 12 at CRF 35."""
COARSE_CELL_RATIO: Final = 12.0
"""That limit, of blocks that are off unevenly, over the error within a typical block that has detail. Coarse coding
reaches 4.9 with x264 at 0.04 to 0.15 bits a pixel, and 8.7 with AV1; a shadow in linear light 35, a torn frame 145."""
COARSER_FRAME: Final = 2.0
"""That error counts up to this factor times the median frame's: what is wrong in a few frames raises it in those."""
COARSEST_CELL_CODES: Final = 54.0
"""Its upper bound, of blocks that show what is nowhere around: a block of another picture differs by 55 and more, x264
at 0.04 bits a pixel by 51 at most. A small thing that a coarse encoder left out, or behind, is off by as much as it
differs from what is around: x265 at CRF 38 by 58."""
CHROMA_CELLS: Final = 16
"""Blocks of which chroma alone may be off by more, up to the same bound, where it is what is around and luma is right:
as many as 32x32 pixels have, for less than `CHROMA_CELL_FRAMES`. AV1 at 44 and 47 dB kept the colour of small things
that moved for a frame: one block was off by 30, five by 38."""
CHROMA_CELL_FRAMES: Final = 3
"""Such frames in a row are a fault: a tenth of a second."""
EDGE_CODES: Final = 4.0
"""Error of border rows or columns above that of the rest, and of those beside it; an encoder treats these alike."""
COARSE_EDGE_RATIO: Final = 0.8
"""That limit over the error within a typical block that has detail, where that is more: where all detail is missed,
chance makes borders off by 4.0 to 4.3 codes more than the rest, at 0.6 of that error at most."""
SMALLEST_EDGED_PX: Final = 64
"""Shorter side from which two border rows can be compared with the rest: at 16 pixels they are a quarter of it."""
GRADIENT_CODES: Final = 6
"""8-bit codes side by side that stand for all the levels of deeper samples: flat colours with a deep codec's noise fill
one or two, a gradient that bands fills dozens."""
SHARPNESS_SHARE: Final = 0.35
"""Finest detail of edges that must remain: CRF 18 leaves 0.98, CRF 34 of grainy film 0.73, half size 0.17 to 0.27."""
BESIDE_BLUR_SHARE: Final = 0.29
"""Share of the error that the best blur or enlargement of the reference leaves, above which it was none: blurs encoded
at CRF 16 and 36 leave 0.21 at most, x264, x265, VP9 and MPEG-2 at CRF 30 to 46 at least 0.37."""
BESIDE_BLUR_OF_DETAIL: Final = 0.2
"""The same where what was lost is no grain: 28 blurs and enlargements leave 0.01 to 0.07, at CRF 36 0.17; lines and
fractals that x264 and x265 left out at CRF 38 to 40 leave 0.22 to 0.45."""
BESIDE_STRONG_BLUR: Final = 0.1
"""The same where a blur of 2.5 samples or more fits best: nothing of the detail is left, which coarse coding makes of
dots and lines as well (0.13 to 0.16 at CRF 38). Blurred by 3 pixels they leave 0.02, and at CRF 36 0.05."""
GRAIN_CODES: Final = 8.0
"""Root mean square error up to which what was lost may be grain, of which a blur explains less."""
UNSEEN_LOSS_CODES: Final = 3.0
"""The same below which nobody sees it, whatever explains it: rounding of a soft picture to other codes at 41 to 47 dB
is 1.7 to 2.9, smoothed grain of a soft portrait at 44 dB 1.8. Real clips blurred by a pixel lose 3.6 and more."""
INTACT_SHARE: Final = 0.1
"""Share of the cells with detail that have most of it, from which a blur of the whole picture is not the reason: blurs
and enlargements leave 0.00, VP9, x264 and x265 at their coarsest 0.11 to 0.43."""
BESIDE_BLUR_OF_PARTS: Final = 0.15
"""`BESIDE_BLUR_SHARE` where as many are intact: a part of the picture may be blurred, which then explains what is lost
there as well as any blur does; VP9 that made noise smooth leaves 0.21."""
BLURRED_PART_REST: Final = 0.03
"""`BESIDE_BLUR_SHARE` of a part of the picture whose other parts kept their detail: text and foliage blurred by 1.2 to
6 pixels and coded at CRF 10 to 36 leave 0.00 to 0.03, parts of 500 right outputs that were off as in the next limit
0.048 at least."""
BLURRED_PART_RATIO: Final = 1.7
"""Error of such a part over that of the detail that was coded best: with one quantiser for all of the picture, coarse
coding leaves 0.9 to 1.6 where a blur explains as much. Blurred text has 3 at CRF 36 and 50 at CRF 10."""
BLURRED_CHROMA_RATIO: Final = 3.0
"""The same of chroma, which encoders smooth here and not there."""
FINE_BLURRED_PART_RATIO: Final = 12.0
"""The same from which no coarse coding is as uneven: what one quantiser leaves out is two and a half times what it is
off by otherwise, and encoders' own choices make it four times as coarse in one place as in another."""
FINE_BLURRED_PART_REST: Final = 0.1
"""`BLURRED_PART_REST` from there on."""
BLURRED_PART_CODES: Final = 8.0
"""Least error of such a part in codes: text of less contrast than 20 codes is hardly read when it is sharp."""
BLURRED_PART_FRAMES: Final = 3
"""Frames in a row with such a part, or all if they are fewer: what is soft for a tenth of a second is read in the next.
A starfield by AV1 at 30 dB had six such frames of 74, one here and one there."""
ADDED_SHARE: Final = 0.25
"""Share of the error within blocks that is no lost detail: coding with a dead zone leaves up to 0.16, and MPEG-2 at its
coarsest 0.2; content that is shifted, cropped, interlaced or repeated 0.32 to 0.73, noise 0.9."""
FIELD_CELLS_OF_CODING: Final = 2
"""Cells of 16x16 pixels in a picture of which the rows of one field alone are off, by coarse coding: a page that stands
still has the same two in each picture at CRF 38."""
FIELD_CELLS: Final = 12
"""Such cells beyond those, in all pictures looked at: interlaced ones have 28 and more in each picture."""
OTHER_FIELD_SHARE: Final = 0.1
"""Such cells of the other field in the same picture, of these: a late field is the same one all over a picture."""
LUMA_SHIFT_PX: Final = 0.2
"""Measured to 0.02 on text; half-pixel scaling errors are 0.25 and 0.5."""
ELSEWHERE_PX: Final = 0.75
"""Shift from which none of the finest detail is in its place, however sharp the picture is. Enlargements from half are
off by half a pixel at most."""
SHIFT_ERRORS: Final = 3.0
"""Standard errors by which a shift must exceed what it is told from: one right output in 400, were errors normal."""
CHROMA_SHIFT_PX: Final = 0.25
"""Chroma off its tagged place, in luma pixels: half of the 0.5 that the wrong siting makes."""
CHROMA_SHIFT_DOWN_PX: Final = 0.75
"""The same vertically, where a half pixel is no fault: chroma of BT.2020 and of what was converted by way of 4:2:2 (MLT
does so) lies on the upper row, 0.5 from the middle, and filters of two taps make up to 0.62 of that. A row of luma is
1, a row of chroma 2."""
PLANES_APART_PX: Final = 0.5
"""Cr off Cb, in luma pixels, across and down: half of the 1 that half a sample makes. No siting places them apart."""
FEWEST_PLACED: Final = 3
"""Pictures that must show where chroma, or one plane beside the other, lies, or all if they are fewer: one or two of
many may err alike."""
LAYER_SHARE_ERROR: Final = 0.22
"""Share of a scene's layer that is too much or too little. Exports at CRF 28 are off by 0.16 at most: the thin edge of
a small cursor."""
LAYER_OPACITY_ERROR: Final = 0.09
"""The same in opacity, for layers that fade: x264 at CRF 24 is off by 0.05. A fade of 0.25 s that is one frame late
at 30 fps is off by 0.13."""
COARSE_PSNR_DB: Final = 36.0
"""Luma PSNR of a frame below which its encoder was so coarse that it draws faint changes frames later."""
COARSE_FACTOR: Final = 2.0
"""Factor of both layer limits for such frames: x264 at CRF 32 is off by 0.21 and, for a fade, by 0.11."""
COLOUR_ERROR_CODES: Final = 1.6
"""Mean difference of flat colours that is a fault even when no mistake explains it; CRF 28 gives 0.2 to 0.5."""
COARSE_COLOUR_RATIO: Final = 0.6
"""That limit over the error within a typical block that has detail, where that is more: means of colours, other than
those of a known error, are off by up to 0.44 of it, soft skin by x265 at CRF 34 say, which adds a code to two."""
COARSEST_COLOUR_CODES: Final = 4.8
"""Its upper bound: text at CRF 44 loses 28 codes of its detail and 4.1 of its colours."""
COLOUR_SUSPICIOUS_CODES: Final = 0.35
"""Mean difference from which mistakes are tried: BT.2020 for BT.709 on a mostly grey screen is 1.4, BT.601 on pale
footage 0.5. Coding noise may be as large, and no mistake explains it."""
COLOUR_EXPLAINED_SHARE: Final = 0.45
"""An error is named if undoing it leaves less than this share of the difference."""
FEWEST_COLOURS: Final = 3
"""Number of flat colours from which their difference is meaningful."""
FEWEST_BLOCKS: Final = 100
"""Number of blocks of any content from which colours are judged if few are flat: noise is then reduced to a tenth."""
ADJUSTED_LUMA_CODES: Final = 1.5
"""Shift of all luma that is a fault; rounding and truncation are 0.5, and no coder has a bias of 1."""
ADJUSTED_CONTRAST: Final = 0.04
"""Gain of luma that is a fault: two codes of a picture's spread of 50."""
ADJUSTED_CODES: Final = 1.5
"""Root mean square over colours by which such a gain, or a gain or turn of chroma (Cb and Cr together), changes codes
at least: as much as a shift of all luma. 4% of contrast between four dark colours are 1.1 codes, which nobody sees."""
ADJUSTED_LUMA_SPREAD_CODES: Final = 10.0
"""Spread of luma from which its gain is measured: rounding of 0.5 is half of the limit then."""
ADJUSTED_SATURATION: Final = 0.08
"""Gain of chroma that is a fault. Chroma drawn in R'G'B' and filtered twice is off by 0.03."""
ADJUSTED_HUE_RAD: Final = 0.07
"""Turn of chroma that is a fault, 4 degrees: the smallest that skin shows."""
ADJUSTED_CHROMA_CODES: Final = 6.0
"""Root mean square chroma from which its gain is measured: rounding of 0.5 is 0.08 of it."""
ADJUSTED_EXPLAINED_SHARE: Final = 0.8
"""Share of the difference of all blocks that an adjustment must leave less than: coding noise is part of both. A tone
mapping for another peak, as a gain of luma, leaves 0.79."""
DROPPED_COLOUR_SHARE: Final = 0.7
"""The same of a mistake, and of colours that are only paler: coarse coding drops faint ones, which leaves 0.77."""
ADJUSTED_CORRELATION: Final = 0.7
"""Correlation below which one picture's codes do not follow from the other's."""
BIAS_CODES: Final = 0.28
"""Mean signed error over colours and components. Truncation gives -0.5, rounding less than 0.1."""
GREY_SPREAD_CODES: Final = 3.0
"""Range of the chroma of flat colours that are all grey: the coding noise of one value."""
COARSE_BIAS_FACTOR: Final = 2.5
"""What the limit gains for each code that single colours scatter by beyond the next: a coarse coder keeps what it
predicted, so their errors have much in common. Exports at 27 to 31 dB have 0.86 at 0.7, 1.06 at 0.73, one whose chroma
was coded coarsely beside luma of 36.5 dB 1.45 at 1.6."""
FINE_SCATTER_CODES: Final = 0.5
"""Standard deviation of the errors of single colours that the limit allows for: rounding, and 0.2 at 38 dB."""
FEWEST_BIAS_COLOURS: Final = 10
"""Colours from which the mean signed error of one, which is anything in -0.5..0.5, averages to a tenth."""
CUT_OFF_SHARE: Final = 0.35
"""Share of what cutting bits off makes of codes, on average over the planes and two standard errors below that, which
is a fault. What rounds correctly has 0.21 at most in 524 codings by nine encoders, dithering 0.25; of what cuts off,
four codings of five have more above 46 dB, and fewer the coarser they are."""
CUT_OFF_SHARE_OF_EACH: Final = 0.3
"""Of each plane, at least: a converter that makes luma alone darker cuts nothing off."""
RGB_ROUNDING_CODES: Final = 0.17
"""Standard deviation of a code of Y, Cb or Cr that was brought to 8-bit R'G'B' and back."""
FEWEST_CUT_SAMPLES: Final = 30
"""Samples of a group of levels whose mean is known: coding noise of a code is then a fifth."""
FEWEST_CUT_GROUPS: Final = 2.0
"""Groups of levels, weighted by their samples, that a plane must have: rounding takes one colour anywhere."""
LEAST_CUT_CODES: Final = 0.15
"""Difference of rounded and cut-off codes, on average, from which a plane tells them apart: 0.5 where all levels of
more bits occur, 0 in chroma of greys."""
PATCH_CIEDE2000: Final = 3.0
"""Largest colour difference of a patch. 4:2:0 at 8 bits alone gives up to 1.2 in dark blue, CRF 23 up to 2."""
COARSE_PATCH_CIEDE2000: Final = 5.0
"""The same where luma PSNR is below `COARSE_PSNR_DB` on average: ultrafast presets at 240 lines and 33 dB reach 4.2."""
COARSEST_PATCH_PSNR_DB: Final = 33.0
"""Luma PSNR below which that limit grows as the error does, by 20 dB for each factor of 10: the mean of a patch is as
far off as a quantiser's step. Exports at 26 to 29 dB are off by 5.5 to 9.1."""
PATCH_AREA_PX: Final = 64.0
"""Luma pixels of a patch below which both grow as it shrinks: 4:2:0 is transformed in no less than 8x8 of them, so a
smaller patch is coded with its neighbours. x264 is off by 10 at 20 pixels (256x144) and by 18 at 11 (192x108)."""
PALETTE_CIEDE2000: Final = 7.0
"""The same in a GIF: a palette of 256 colours for a whole clip, dithered, moves greys by up to 3.5. BT.601 taken for
BT.709 moves green by 9."""
