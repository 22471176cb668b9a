"""What the runner and a machine of its fleet say to each other, as JSON: records without a path of the other's disk."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from capbench.errors import InputError
from capbench.harness.matrix.model import Case, Subject
from capbench.harness.matrix.table_values import LONGEST_WAIT_S
from capbench.results.environment import MachineName
from capbench.results.record import Record, first_fault, record_json

__all__ = [
    "LONGEST_MESSAGE_BYTES",
    "MOST_BUNDLE_FILES",
    "MOST_FILE_BYTES",
    "MOST_INLINE_BYTES",
    "PIECE_BYTES",
    "Activity",
    "BlockAnswer",
    "BlockFailure",
    "BlockFile",
    "BlockJob",
    "Bundle",
    "BundleFile",
    "PieceJob",
    "ValidationBasis",
    "from_message",
    "to_message",
]

LONGEST_MESSAGE_BYTES = 16 * 2**20
"""Of one message as JSON. A job is a case and its subjects, kilobytes; an answer names files and holds small ones."""
PIECE_BYTES = 2 * 2**20
"""Of a file in one message: the scheduler, through which all of them go, holds a few of them at a time."""
MOST_FILE_BYTES = 20 * 10**9
"""Of a clip or an output, as for clips that are fetched: ten seconds of raw 4K in ten bits are 12 GB."""
MOST_BUNDLE_FILES = 1000
"""Of a scene or a playlist with what it names: an hour of segments of four seconds."""
MOST_INLINE_BYTES = 4 * 2**20
"""Of the files of a block that come with its answer; what is larger is fetched in pieces."""
MOST_BLOCK_FILES = 20_000
"""Of a block: ten subjects at 32 points of a curve have four files each, and hundreds of pictures for one block."""
_LONGEST_FILE_NAME = 255
"""What file systems allow, in bytes of UTF-8."""


def _check_file_name(name: str) -> str:
    """A relative name with forward slashes that stays inside its folder on every system."""
    parts = PurePosixPath(name).parts
    is_plain = bool(parts) and "/".join(parts) == name
    if not is_plain or any(
        part in (".", "..") or len(part.encode()) > _LONGEST_FILE_NAME or re.search(r'[\x00-\x1f\\:*?"<>|]', part)
        for part in parts
    ):
        raise ValueError("not a plain relative name")
    return name


FileName = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_check_file_name)]
"""Name of a file inside a folder of the receiver's own choice."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal."""
Token = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""An identity of ours, in hexadecimal."""


class BundleFile(Record):
    """One file of a bundle, by its content."""

    name: FileName
    """Its name inside the bundle."""
    sha256: Digest
    """Digest of its bytes."""
    size_bytes: Annotated[int, Field(ge=0, le=MOST_FILE_BYTES)]
    """Their number."""


class Bundle(Record):
    """Files that belong together: a clip, or a scene file with its pictures."""

    entry: FileName
    """The file that is opened; the others are what it names."""
    files: tuple[BundleFile, ...] = Field(min_length=1, max_length=MOST_BUNDLE_FILES)
    """All of them."""

    @property
    def digest(self) -> str:
        """Digest of names and contents."""
        return hashlib.sha256(record_json(self).encode()).hexdigest()


class ValidationBasis(Record):
    """What the figures of a validation follow from beside the output: machines where it is equal find the same."""

    source_sha256: Digest
    """Digest of what the outputs are compared with: a recording is made anew on each machine."""
    arithmetic: Digest
    """What the machine makes of known pictures, with the versions of what measures them."""


class BlockJob(Record):
    """One block of one case for one machine, with everything that it follows from."""

    capbench_version: str
    """Version of the runner's capbench."""
    run_id: Token
    """The result folder that the block is for."""
    attempt: Token
    """This attempt; a machine begins none twice."""
    machine: MachineName
    """Name of the machine that it is for."""
    seed: int
    """Seed of the run order."""
    matrix: str
    """Name of the matrix."""
    case: Case
    """The case without its source, where that is a clip, and without its scene, where that is a file."""
    subjects: tuple[Subject, ...]
    """Its subjects."""
    number: int | None
    """The block; None for what closes the case on the machine."""
    clip: Bundle | None = None
    """The clip of the case; None for a recording, which every machine makes from its seed."""
    scene: Bundle | None = None
    """The scene file of the case; None for a built-in scene."""
    validation: Literal["here", "later", "waiting", "none"] = "here"
    """Whether outputs are validated there at once, wait in the machine's folder, or are not validated; `waiting` runs
    nothing, and validates what waits."""
    measured: Bundle | None = None
    """With `waiting`: runs and outputs that another machine has made; None for those in the machine's own folder."""
    basis: ValidationBasis | None = None
    """With `measured`: that of the machine that made them. One that has another must not validate them."""
    keeps_outputs: bool = False
    """Whether the outputs are wanted."""
    traces: bool = False
    """Whether traces are wanted."""
    timeout_s: Annotated[float, Field(gt=0, le=10 * LONGEST_WAIT_S)]
    """The block is given up after so many seconds from its beginning."""


class BlockFile(Record):
    """A file of the result folder that a block has made."""

    name: FileName
    """Its name inside the result folder."""
    size_bytes: Annotated[int, Field(ge=0, le=MOST_FILE_BYTES)]
    """Its size."""
    base64: Annotated[str, StringConstraints(max_length=2 * MOST_INLINE_BYTES)] | None = None
    """Its bytes, of a small one; None where it is to be fetched."""


class BlockFailure(Record):
    """Why a block could not be made; failures of subjects are in their runs."""

    message: str
    """In one line."""
    kind: str
    """Name of the error's class."""
    exit_code: int = 1
    """Exit code of that error."""


class BlockAnswer(Record):
    """What came of a block."""

    files: tuple[BlockFile, ...] = Field(default=(), max_length=MOST_BLOCK_FILES)
    """What it has made."""
    failure: BlockFailure | None = None
    """Why there is nothing; None where there is."""
    validation_s: float | None = None
    """What validation took, in seconds; None where there was none."""
    basis: ValidationBasis | None = None
    """Of outputs that wait; None where it cannot be found out, and then no other machine can validate them."""


class PieceJob(Record):
    """A piece of a file to store or to read."""

    run_id: Token | None = None
    """To read: the result folder that the block was for."""
    case: str | None = None
    """To read: name of the case."""
    name: FileName | None = None
    """To read: name of the file inside the result folder."""
    file: BundleFile | None = None
    """To store: the file that the piece is of."""
    offset: Annotated[int, Field(ge=0, le=MOST_FILE_BYTES)] = 0
    """Where the piece begins."""
    whole: bool = False
    """To forget: what opens the case too."""


class Activity(Record):
    """What a machine does now, as `fleet status` shows it."""

    doing: Literal["nothing", "waiting", "preparing", "timing", "validating"] = "nothing"
    """The kind of work; `waiting` is for something else of the fleet on the same machine."""
    what: str = ""
    """Case, block and subject."""
    since_s: float = 0.0
    """For how long, in seconds."""


AnyRecord = TypeVar("AnyRecord", bound=Record)


def to_message(record: Record) -> str:
    """A record as JSON. Raises `InputError` for one that is too long to send."""
    text = record_json(record)
    if len(text) > LONGEST_MESSAGE_BYTES:
        raise InputError(
            f"a message of {len(text)} characters is too long for the fleet; at most {LONGEST_MESSAGE_BYTES}"
        )
    return text


def from_message(text: str, kind: type[AnyRecord]) -> AnyRecord:
    """A record from JSON that another machine sent. Raises `InputError`."""
    if len(text) > LONGEST_MESSAGE_BYTES:
        raise InputError(f"a message of {len(text)} characters is too long; at most {LONGEST_MESSAGE_BYTES}")
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        where, message = first_fault(error)
        raise InputError(f"not a message of this fleet: {where or 'top level'}: {message}") from error
