"""Clips that a matrix names by their URL: fetched once, checked by their SHA-256, kept in the user's cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from capbench.errors import MatrixError, UnavailableError
from capbench.harness.matrix.model import Download
from capbench.installation import install_command
from capbench.units import format_bytes

__all__ = ["MOST_CLIP_BYTES", "fetch_clip"]

MOST_CLIP_BYTES = 20 * 10**9
"""Ten seconds of raw 4K in ten bits are 12 GB; a server that sends without end must not fill the disk."""
_TIMEOUT_S = 30.0
"""Of silence, not of the whole file."""
_CHUNK_BYTES = 2**20


def fetch_clip(
    where: str, download: Download, *, cache: Path | None = None, limit_bytes: int = MOST_CLIP_BYTES
) -> Path:
    """The file of a download, from the cache where it is there already.

    Raises `MatrixError`, which begins with `where`, for a file that is not there, is too large or has another SHA-256,
    and `UnavailableError` where no server answers, or pooch is not installed.
    """
    try:
        import pooch
    except ImportError as error:
        raise UnavailableError(
            f"{where}: a clip named by its URL needs pooch; install it with: {install_command('corpora')}"
        ) from error
    pooch.get_logger().setLevel("WARNING")  # its notes about progress are for a terminal that is ours
    folder = cache or platformdirs.user_cache_path("capbench") / "clips"
    try:
        found = pooch.retrieve(
            download.url,
            known_hash=f"sha256:{download.sha256.lower()}",
            path=folder,
            downloader=_downloader(limit_bytes),
        )
    except _unreachable() as error:
        raise UnavailableError(
            f"{where}: cannot reach {_host(download.url)} to fetch {download.url}; connect this machine to a network, "
            f"or copy {folder} from one that has fetched it"
        ) from error
    except (OSError, ValueError) as error:  # of requests, of the file system, and of pooch for another hash
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "does not match the known hash" in reason:
            reason = f"its SHA-256 is not {download.sha256}; check the URL or the hash"
        raise MatrixError(f"{where}: cannot fetch {download.url}: {reason}") from error
    return Path(found)


def _unreachable() -> tuple[type[Exception], ...]:
    """What requests raises where there is no answer at all: nothing that another URL or hash would mend."""
    import requests  # pooch needs it too

    return requests.ConnectionError, requests.Timeout


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _downloader(limit_bytes: int) -> Callable[[str, str, object], None]:
    """What pooch calls with a URL and the name of a file to write."""
    import requests  # pooch needs it too

    def download(url: str, output_file: str, _caller: object) -> None:
        written_bytes = 0
        with requests.get(url, stream=True, timeout=_TIMEOUT_S) as response, Path(output_file).open("wb") as file:
            response.raise_for_status()
            for chunk in response.iter_content(_CHUNK_BYTES):
                written_bytes += len(chunk)
                if written_bytes > limit_bytes:
                    raise MatrixError(f"it is larger than {format_bytes(limit_bytes)}")
                file.write(chunk)

    return download
