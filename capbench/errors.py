"""Every error that capbench raises on purpose.

CapbenchError
├── InputError (ValueError)            exit 2: the command line or a file is wrong
│   ├── SourceError                    the source cannot be read as video
│   │   ├── DamagedStreamError         decoding stopped in the middle
│   │   └── UnsafePlaylistError        an HLS playlist names something outside its folder
│   ├── SceneError                     a scene file is wrong
│   ├── MatrixError                    a matrix file is wrong
│   ├── GateFileError                  a gate file is wrong
│   ├── ResultError                    a result folder or file is wrong
│   ├── PictureError                   planes disagree with each other
│   └── ColourError                    a transfer, matrix or range that is not supported
├── UnavailableError (RuntimeError)    exit 4: this machine cannot do what was asked
│   ├── AdapterError                   no GPU adapter, or a path that needs another platform
│   └── EncoderError                   no encoder of that name opens here
├── PipelineError (RuntimeError)       exit 1: an export failed; carries `stage` and `frame`
│   ├── StallError (TimeoutError)      a bounded wait ran out; says who stalled
│   ├── DeviceLostError                the GPU device went away
│   └── ShaderError                    a shader is not put together or does not compile; names file and line
├── PartError (RuntimeError)           exit 1: a part of a validation has no figures that fit the others
├── OutputError (OSError)              exit 2: the output cannot be written
└── CancelledExportError               exit 130: interrupted
"""

from __future__ import annotations

__all__ = [
    "AdapterError",
    "CancelledExportError",
    "CapbenchError",
    "ColourError",
    "DamagedStreamError",
    "DeviceLostError",
    "EncoderError",
    "GateFileError",
    "InputError",
    "MatrixError",
    "OutputError",
    "PartError",
    "PictureError",
    "PipelineError",
    "ResultError",
    "SceneError",
    "ShaderError",
    "SourceError",
    "StallError",
    "UnavailableError",
    "UnsafePlaylistError",
]


class CapbenchError(Exception):
    """Base of all errors that capbench raises on purpose."""

    exit_code: int = 1
    """What the command line exits with when this error ends it."""


class InputError(CapbenchError, ValueError):
    """The command line or a file that the user named is wrong."""

    exit_code = 2


class SourceError(InputError):
    """The source cannot be read as video."""


class DamagedStreamError(SourceError):
    """Decoding stopped in the middle of the stream."""

    exit_code = 1

    def __init__(self, message: str, *, good_frames: int, good_until_s: float) -> None:
        super().__init__(message)
        self.good_frames = good_frames
        """Frames that decoded before the damage."""
        self.good_until_s = good_until_s
        """Presentation time of the last good frame, in seconds since the first."""


class UnsafePlaylistError(SourceError):
    """An HLS playlist names something that must not be opened."""


class SceneError(InputError):
    """A scene file is wrong."""


class MatrixError(InputError):
    """A matrix file is wrong."""


class GateFileError(InputError):
    """A gate file is wrong."""


class ResultError(InputError):
    """A result folder or file is wrong."""


class PictureError(InputError):
    """The planes of a picture disagree in size, type or layout."""


class ColourError(InputError):
    """A transfer, matrix or range that is not supported."""


class UnavailableError(CapbenchError, RuntimeError):
    """This machine cannot do what was asked."""

    exit_code = 4


class AdapterError(UnavailableError):
    """No GPU adapter, or a path that needs another platform."""


class EncoderError(UnavailableError):
    """No encoder of that name opens on this machine."""


class PipelineError(CapbenchError, RuntimeError):
    """An export failed after it had started."""

    def __init__(self, message: str, *, stage: str, frame: int | None = None) -> None:
        super().__init__(message)
        self.stage = stage
        """Name of the stage that failed."""
        self.frame = frame
        """Index of the current frame, counted from 0; None if there was none."""


class StallError(PipelineError, TimeoutError):
    """A bounded wait ran out; the message says who stalled."""


class DeviceLostError(PipelineError):
    """The GPU device went away during an export."""


class ShaderError(PipelineError):
    """A shader cannot be put together or does not compile; the message names file and line."""

    def __init__(self, message: str) -> None:
        super().__init__(message, stage="render")


class PartError(CapbenchError, RuntimeError):
    """Frames that were measured in parts do not give the figures of one piece; they do when measured in one piece."""


class OutputError(CapbenchError, OSError):
    """The output cannot be written."""

    exit_code = 2


class CancelledExportError(CapbenchError):
    """The export was interrupted by the user."""

    exit_code = 130
