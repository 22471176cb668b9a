"""Post the verdict of a `measure` run as a comment on its pull request: `post_comment.py FOLDER`, in `workflow_run`.

FOLDER is what the run of the pull request left: `pull-request.txt` and `comparison.json`. The code of a pull request
may have written anything there, so the number counts only if GitHub says that this pull request is at the event's
commit in the event's repository, and the text is made here, from the data, with every name escaped.

Needs capbench, and GH_TOKEN, GITHUB_API_URL and GITHUB_EVENT_PATH as a runner sets them. Exit codes: 0 posted, or the
pull request has moved on; 1 the API failed; 2 the artifact is not what it should be, and nothing was posted.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from capbench.report.formats.ci.pull_request import COMMENT_MARK, pull_request_comment
from capbench.results import Comparison

_MOST_BYTES = 8 * 2**20
"""Of a file of the artifact and of an answer: a comparison of a thousand figures has 1 MB."""
_MOST_PAGES = 30
"""Of 100 comments each: a discussion of more gets a second comment instead of a search without end."""
_TIMEOUT_S = 30
_BOT = "github-actions[bot]"


class _RefusedError(Exception):
    """What was handed over is not to be trusted."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever it leads."""

    def redirect_request(self, *_: object) -> None:
        """No request."""


def main(folder: Path) -> int:
    """Check, make the text, post it."""
    try:
        event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        run, repository = event["workflow_run"], event["repository"]["full_name"]
        number = _number(folder / "pull-request.txt")
        pull = _call("GET", f"/repos/{repository}/pulls/{number}")
        if _is_of_run(pull, run, repository):
            _post(repository, number, _comment(folder / "comparison.json"))
    except _RefusedError as error:
        print(f"::error::{error}")
        return 2
    except KeyError as error:
        print(f"::error::no {error} in the environment, the event or the answer; run this in workflow_run")
        return 2
    except (urllib.error.URLError, TimeoutError) as error:
        print(f"::error::GitHub's API: {error}")
        return 1
    return 0


def _number(file: Path) -> int:
    text = _read(file).strip()
    if not re.fullmatch(rb"[1-9][0-9]{0,9}", text):
        raise _RefusedError(f"{file.name} holds no number of a pull request")
    return int(text)


def _is_of_run(pull: dict[str, Any], run: dict[str, Any], repository: str) -> bool:
    """Whether this run measured the newest commit of the pull request. Raises where it is another one's."""
    head, base = pull["head"], pull["base"]
    # The repository of a head is null once the fork was deleted.
    origin = (head["repo"] or {}).get("full_name")
    if base["repo"]["full_name"] != repository or origin != run["head_repository"]["full_name"]:
        raise _RefusedError("the artifact names a pull request of another repository than the run's")
    if head["sha"] == run["head_sha"]:
        return True
    if head["ref"] != run["head_branch"]:
        raise _RefusedError("the artifact names a pull request of another branch than the run's")
    print("::notice::the pull request has newer commits; their own run will comment")
    return False


def _comment(file: Path) -> str:
    if not file.exists():
        return f"{COMMENT_MARK}\n\n### capbench: nothing was compared\n\nThe log of the run says why.\n"
    try:
        comparison = Comparison.model_validate_json(_read(file))
    except ValidationError as error:
        raise _RefusedError(f"{file.name} is no comparison: {error.error_count()} errors") from error
    return pull_request_comment(comparison)


def _read(file: Path) -> bytes:
    """A regular file of a bounded size: not a link to something of the runner's."""
    try:
        status = file.lstat()
    except OSError as error:
        raise _RefusedError(f"{file.name}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
        raise _RefusedError(f"{file.name} is no file of at most {_MOST_BYTES} bytes")
    return file.read_bytes()


def _post(repository: str, number: int, body: str) -> None:
    comments = f"/repos/{repository}/issues/{number}/comments"
    for page in range(1, _MOST_PAGES + 1):
        found = _call("GET", f"{comments}?per_page=100&page={page}")
        for comment in found:
            # Anybody may begin a comment with our mark, and only ours is to be replaced.
            if comment["user"]["login"] == _BOT and (comment["body"] or "").startswith(COMMENT_MARK):
                _call("PATCH", f"/repos/{repository}/issues/comments/{int(comment['id'])}", {"body": body})
                return
        if len(found) < 100:
            break
    _call("POST", comments, {"body": body})


def _call(method: str, path: str, document: dict[str, str] | None = None) -> Any:  # JSON of GitHub's, without a schema
    request = urllib.request.Request(
        os.environ.get("GITHUB_API_URL", "https://api.github.com") + path,
        method=method,
        data=None if document is None else json.dumps(document).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['GH_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Content-Type": "application/json",
        },
    )
    answer: IO[bytes]
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT_S) as answer:
        return json.loads(answer.read(_MOST_BYTES))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: post_comment.py FOLDER")
    sys.exit(main(Path(sys.argv[1])))
