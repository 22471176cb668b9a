"""Is the detail still there, all over the picture and in each part of it?"""  # noqa: D400

from __future__ import annotations

import itertools
from statistics import median

from capbench.quality.checks import limits
from capbench.quality.measurements import BlurredPart, DetailLoss, PictureMeasurements
from capbench.results import Check

__all__ = ["check_sharpness", "in_a_row", "is_left_out", "typical_detail_error"]


def check_sharpness(pictures: PictureMeasurements) -> Check:
    """Whether the picture was blurred, or a part of it while the rest was not."""
    name = "picture.sharpness"
    shares = [pair.sharpness for pair in pictures.sampled if pair.sharpness is not None]
    share = median(shares) if shares else None
    has_lost = share is not None and share < limits.SHARPNESS_SHARE
    is_blurred = has_lost and not is_left_out(pictures) and not _is_unseen(pictures)
    if not is_blurred and (parts := _blurred_parts(pictures)):
        frame = min(parts, key=lambda each: parts[each].beside_blur)
        part = parts[frame]
        return Check.failed(
            name=name,
            message=f"part of the picture is blurred in {len(parts)} of {len(pictures.blurred_parts)} frames: text "
            f"cannot be read there, such as around ({part.x}, {part.y}) in frame {frame}, while other parts are sharp",
            value=part.beside_blur,
            limit=limits.BLURRED_PART_REST,
            frames=list(parts),
        )
    if share is None:
        return Check.not_applicable(
            name=name, reason="the pictures have no fine detail, or the same everywhere, as grain has"
        )
    if has_lost and not is_blurred:
        return Check.not_applicable(
            name=name,
            reason=f"{share:.0%} of the finest detail is left: too little is lost to be seen, or coarse coding left it "
            "out, and no blur or enlargement explains the loss",
        )
    return Check.passed_if(
        good=not is_blurred,
        name=name,
        when_good=f"{share:.0%} of the finest detail is left",
        when_bad=f"blurred: only {share:.0%} of the finest detail is left, as if enlarged from a smaller picture",
        value=share,
        limit=limits.SHARPNESS_SHARE,
    )


def _blurred_parts(pictures: PictureMeasurements) -> dict[int, BlurredPart]:
    """Frame to the part of it that was blurred while the rest kept its detail; none if few in a row are."""
    found = {
        frame: min(blurred, key=lambda part: part.beside_blur)
        for frame, parts in enumerate(pictures.blurred_parts)
        if (blurred := [part for part in parts if _is_blurred(part)])
    }
    # What is soft in one frame is read in the next: coarse coding softens a star here and a star there, for a frame.
    fewest = min(limits.BLURRED_PART_FRAMES, len(pictures.blurred_parts))
    return {frame: found[frame] for row in in_a_row(list(found)) if len(row) >= fewest for frame in row}


def in_a_row(frames: list[int]) -> list[list[int]]:
    """Frames, in order, in groups of those that follow each other."""
    numbered = itertools.groupby(enumerate(frames), key=lambda each: each[1] - each[0])
    return [[frame for _, frame in group] for _, group in numbered]


def _is_blurred(part: BlurredPart) -> bool:
    if part.error_codes < limits.BLURRED_PART_CODES:
        return False
    # Rounding alone is off by most of a code.
    ratio = part.error_codes / max(1.0, part.kept_error_codes)
    if ratio >= limits.FINE_BLURRED_PART_RATIO:
        return part.beside_blur <= limits.FINE_BLURRED_PART_REST
    least = limits.BLURRED_PART_RATIO if part.step_px == 1 else limits.BLURRED_CHROMA_RATIO
    return ratio >= least and part.beside_blur <= limits.BLURRED_PART_REST


def is_left_out(pictures: PictureMeasurements) -> bool:
    """Whether coarse coding explains what differs: detail is missing, and nothing else is in its place."""
    losses = [pair.detail_loss for pair in pictures.sampled if pair.detail_loss is not None]
    if not losses or median(loss.added for loss in losses) > limits.ADDED_SHARE:
        return False
    is_part = median(loss.intact for loss in losses) >= limits.INTACT_SHARE
    beside = [loss.beside_blur / _most_beside(loss, is_part=is_part) for loss in losses if loss.beside_blur is not None]
    return not beside or median(beside) > 1


def _most_beside(loss: DetailLoss, *, is_part: bool) -> float:
    """Share of the error that a blur may leave and still be the reason of it."""
    if loss.is_strong:
        return limits.BESIDE_STRONG_BLUR
    if is_part:
        return limits.BESIDE_BLUR_OF_PARTS
    return limits.BESIDE_BLUR_SHARE if loss.lost_codes < limits.GRAIN_CODES else limits.BESIDE_BLUR_OF_DETAIL


def _is_unseen(pictures: PictureMeasurements) -> bool:
    """Whether what is missing is less than anybody sees, or no blur explains it in a good picture."""
    losses = [pair.detail_loss for pair in pictures.sampled if pair.detail_loss is not None]
    lost = [(loss.lost_codes, loss.beside_blur) for loss in losses if loss.beside_blur is not None]
    if not lost:
        return False
    # Grain that an encoder smooths is explained by a blur as well: how it was lost does not make it visible.
    if median(codes for codes, _ in lost) < limits.UNSEEN_LOSS_CODES:
        return True
    psnr_db = [value for value in pictures.series.get("psnr_y", ()) if value is not None]
    is_good = bool(psnr_db) and median(psnr_db) >= limits.PSNR_OUTLIER_FLOOR_DB
    return is_good and median(beside for _, beside in lost) > limits.BESIDE_BLUR_SHARE


def typical_detail_error(pictures: PictureMeasurements) -> float:
    """That of the median frame in codes; 0 where none has detail."""
    return median([codes for codes in pictures.detail_error_codes if codes is not None] or [0.0])
