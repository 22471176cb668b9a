"""Where a repository's host shows a commit, and what lies between two."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from capbench.errors import InputError

__all__ = ["CommitLinks"]

_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
"""A Git object name: SHA-1 or SHA-256 in hexadecimal, abbreviated to 7 at least as Git does."""
_PLACEHOLDER = "{revision}"
_PLAIN_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%{}-]+")
"""Characters of a URL (RFC 3986, section 2) and the braces of the placeholder."""


@dataclass(frozen=True, slots=True)
class CommitLinks:
    """URLs of commits; every one is empty where no repository was named or a revision is no commit."""

    commit_url: str = ""
    """With `{revision}` where the commit goes; empty for no links."""
    range_url: str = ""
    """With `{before}` and `{after}`; empty where the host is not known to have such pages."""

    @classmethod
    def parse(cls, repository_url: str) -> CommitLinks:
        """Links for the URL of a repository, or for a URL of any host that has `{revision}` in it.

        GitLab and Bitbucket are told by their host's name; GitHub, Gitea and Forgejo share the third form.
        Raises `InputError` for what is no web address, and for one with a password, which would be published.
        """
        try:
            parts = urlsplit(repository_url)
            host = parts.hostname
        except ValueError as error:
            raise InputError(f"--repository-url {repository_url!r}: {error}") from error
        if parts.scheme not in ("http", "https") or not host or not _PLAIN_URL.fullmatch(repository_url):
            raise InputError(
                f"--repository-url {repository_url!r} is no web address; give one such as https://github.com/OWNER/NAME"
            )
        if parts.username is not None or parts.password is not None:
            raise InputError("--repository-url names a user or a password, which the pages would publish; leave it out")
        if _PLACEHOLDER in repository_url:
            return cls(commit_url=repository_url)
        base = repository_url.rstrip("/").removesuffix(".git")
        if "gitlab" in host.split("."):
            return cls(f"{base}/-/commit/{_PLACEHOLDER}", f"{base}/-/compare/{{before}}...{{after}}")
        if host == "bitbucket.org":
            return cls(f"{base}/commits/{_PLACEHOLDER}")
        return cls(f"{base}/commit/{_PLACEHOLDER}", f"{base}/compare/{{before}}...{{after}}")

    def commit(self, revision: str | None) -> str:
        """URL of a commit; of the commit beneath it for `REVISION+dirty`."""
        commit = _commit_of(revision)
        return self.commit_url.replace(_PLACEHOLDER, commit) if commit else ""

    def between(self, before: str | None, after: str | None) -> str:
        """URL of the changes after one commit up to another."""
        first, last = _commit_of(before), _commit_of(after)
        if not first or not last or first == last:
            return ""
        return self.range_url.replace("{before}", first).replace("{after}", last)


def _commit_of(revision: str | None) -> str:
    commit = (revision or "").partition("+")[0]
    return commit if _COMMIT.fullmatch(commit) else ""
