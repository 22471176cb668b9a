"""Post a comparison as a note on the merge request, in place of the one before: `post_note.py comment.md`.

Needs nothing but Python, CAPBENCH_NOTE_TOKEN (a project access token with the scope `api`) and the variables that
GitLab sets in a pipeline of a merge request. Exit codes: 0 posted, 1 the API failed, 2 the file or a variable is
missing.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_MARK = "<!-- capbench comparison -->"
_MOST_BYTES = 8 * 2**20
"""Of an answer of 100 notes."""
_MOST_CHARACTERS = 100_000
"""`capbench compare --comment` writes at most 60,000; GitLab takes a million."""
_MOST_PAGES = 30
"""Of 100 notes each: a discussion of more gets a second note instead of a search without end."""
_TIMEOUT_S = 30


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever it leads."""

    def redirect_request(self, *_: object) -> None:
        """No request."""


def main(file: Path) -> int:
    """Find our note, replace it, or post a first one."""
    try:
        project, request = os.environ["CI_PROJECT_ID"], os.environ["CI_MERGE_REQUEST_IID"]
        notes = f"{os.environ['CI_API_V4_URL']}/projects/{int(project)}/merge_requests/{int(request)}/notes"
        token = os.environ["CAPBENCH_NOTE_TOKEN"]
        text = file.read_text(encoding="utf-8")[:_MOST_CHARACTERS]
    except KeyError as error:
        print(f"post_note: {error.args[0]} is not set", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"post_note: {error}", file=sys.stderr)
        return 2
    # A line that begins with a slash is an order to GitLab (/merge, /close), given with the token's rights.
    body = {"body": re.sub(r"^(\s*)/", r"\1&#47;", text, flags=re.MULTILINE)}
    try:
        own = _call("GET", f"{os.environ['CI_API_V4_URL']}/user", token)["id"]
        for page in range(1, _MOST_PAGES + 1):
            found = _call("GET", f"{notes}?per_page=100&page={page}", token)
            for note in found:
                if note["author"]["id"] == own and note["body"].startswith(_MARK):
                    _call("PUT", f"{notes}/{int(note['id'])}", token, body)
                    return 0
            if len(found) < 100:
                break
        _call("POST", notes, token, body)
    except (urllib.error.URLError, TimeoutError) as error:
        print(f"post_note: GitLab's API: {error}", file=sys.stderr)
        return 1
    return 0


def _call(method: str, url: str, token: str, document: dict[str, str] | None = None) -> Any:  # JSON without a schema
    request = urllib.request.Request(
        url,
        method=method,
        data=None if document is None else json.dumps(document).encode(),
        headers={"PRIVATE-TOKEN": token, "Content-Type": "application/json"},
    )
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT_S) as answer:
        return json.loads(answer.read(_MOST_BYTES))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: post_note.py FILE")
    sys.exit(main(Path(sys.argv[1])))
