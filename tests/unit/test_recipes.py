"""The recipes for CI systems: valid by each system's schema, free of what does not exist, and safe with strangers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

from capbench.report.formats.ci.pull_request import COMMENT_MARK
from capbench.results import Comparison, MetricVerdict, Verdict
from tests.reference_page import verbs

_REPOSITORY = Path(__file__).resolve().parents[2]
_RECIPES = _REPOSITORY / "docs" / "recipes"
_WORKFLOWS = [*sorted((_RECIPES / "github").glob("*.yml")), _REPOSITORY / ".github" / "workflows" / "release.yml"]
_YAML = [*_WORKFLOWS, _RECIPES / "gitlab" / "gitlab-ci.yml", _RECIPES / "buildkite-pipeline.yml"]
_KUBERNETES = _RECIPES / "fleet" / "fleet-workers.yaml"
_SLURM = _RECIPES / "fleet" / "fleet-workers.sbatch"
_FILES = [path for path in sorted(_RECIPES.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
_SHA = "a" * 40


def _name(path: Path) -> str:
    return path.name


def _load(path: Path) -> Any:  # a document without a type of its own
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (["vendor.github-workflows"], _WORKFLOWS),
        (["vendor.gitlab-ci", "--data-transform", "gitlab-ci"], [_RECIPES / "gitlab" / "gitlab-ci.yml"]),
        (["vendor.buildkite"], [_RECIPES / "buildkite-pipeline.yml"]),
    ],
    ids=["github", "gitlab", "buildkite"],
)
def test_a_recipe_is_valid_by_the_schema_of_its_system(options: list[str], files: list[Path]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *options, *map(str, files)]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def _scripts(document: Any) -> Iterator[str]:
    """Every shell script of a document, whatever its system calls the key; a list is run as one."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in ("run", "script", "before_script", "command"):
                yield value if isinstance(value, str) else "\n".join(value)
            else:
                yield from _scripts(value)
    elif isinstance(document, list):
        for value in document:
            yield from _scripts(value)


def _shell_of(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path == _SLURM:
        return [text]
    if path.name == "Jenkinsfile":
        return re.findall(r"'''(.*?)'''", text, re.DOTALL)
    scripts = list(_scripts(_load(path)))
    return [script.replace("$$", "$") for script in scripts] if "buildkite" in path.name else scripts


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash to parse with")
@pytest.mark.parametrize("path", [*_YAML, _RECIPES / "Jenkinsfile", _SLURM], ids=_name)
def test_bash_understands_every_script(path: Path) -> None:
    scripts = [re.sub(r"\$\{\{.*?\}\}", "x", script) for script in _shell_of(path)]

    ended = [
        subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False) for text in scripts
    ]
    assert [each.stderr for each in ended if each.returncode or each.stderr] == []
    assert scripts or path.name == "comment.yml"


@pytest.mark.parametrize("path", [*_YAML, _RECIPES / "Jenkinsfile", _SLURM], ids=_name)
def test_options_and_verbs_that_a_recipe_names_exist(path: Path) -> None:
    lines = [line for script in _shell_of(path) for line in script.replace("\\\n", " ").splitlines()]
    for line in lines:
        for call in re.findall(r"\bcapbench ((?:run|compare|history \w+|fleet \w+)\b[^;|&]*)", line):
            verb = " ".join(call.split()[: 2 if call.startswith(("history", "fleet")) else 1])
            known = {text for option in verbs()[verb].params for text in option.opts}
            assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", call)) <= known, line


def test_the_check_of_options_sees_the_calls() -> None:
    text = "".join(script for path in [*_YAML, _RECIPES / "Jenkinsfile", _SLURM] for script in _shell_of(path))

    assert len(re.findall(r"\bcapbench (?:run|compare|history) ", text)) >= 8


def test_every_action_is_pinned_to_one_commit() -> None:
    files = [*_WORKFLOWS, *(_REPOSITORY / ".github").rglob("*.yml")]
    pins = {use for path in files for use in re.findall(r"uses: ([^.\s]\S*)", path.read_text(encoding="utf-8"))}

    assert [pin for pin in pins if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", pin)] == []
    assert len({pin.partition("@")[0] for pin in pins}) == len(pins)


@pytest.mark.parametrize("path", _WORKFLOWS, ids=_name)
def test_no_text_of_a_stranger_becomes_text_of_a_script(path: Path) -> None:
    assert [script for script in _scripts(_load(path)) if "${{" in script] == []


def test_what_runs_a_strangers_code_has_no_rights_and_what_has_rights_runs_none() -> None:
    measure, comment = (_load(_RECIPES / "github" / name) for name in ("measure.yml", "comment.yml"))

    assert measure["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in measure["jobs"].values())
    assert "secrets." not in (_RECIPES / "github" / "measure.yml").read_text(encoding="utf-8")
    assert set(comment["on"]) == {"workflow_run"}
    (job,) = comment["jobs"].values()
    assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    checkouts = [step["with"] for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert [with_["repository"] for with_ in checkouts] == ["OWNER/capbench"]
    assert comment["on"]["workflow_run"]["workflows"] == [measure["name"]]


def test_only_the_job_that_publishes_may_publish_and_it_runs_no_code() -> None:
    release = _load(_REPOSITORY / ".github" / "workflows" / "release.yml")

    rights = {name: job.get("permissions", release["permissions"]) for name, job in release["jobs"].items()}
    assert rights == {"build": {"contents": "read"}, "publish": {"id-token": "write"}}
    assert all("run" not in step for step in release["jobs"]["publish"]["steps"])
    assert set(release["on"]) == {"release"}


def test_blocks_of_the_jenkinsfile_are_balanced() -> None:
    text = re.sub(
        r"'''.*?'''|'[^'\n]*'|\"[^\"\n]*\"|//[^\n]*", "''", (_RECIPES / "Jenkinsfile").read_text(), flags=re.DOTALL
    )

    for opening, closing in ("{}", "()", "[]"):
        assert text.count(opening) == text.count(closing) > 0
    assert re.match(r"\s*('')?\s*pipeline \{", text.lstrip("'"))


def test_the_container_copies_what_is_there_and_does_not_run_as_root() -> None:
    text = (_RECIPES / "Containerfile").read_text(encoding="utf-8")
    project = tomllib.loads((_REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    copied = [name for line in re.findall(r"^COPY (.*) /src\S*$", text, re.MULTILINE) for name in line.split()]
    assert copied
    assert [name for name in copied if not (_REPOSITORY / name).exists()] == []
    assert {project["readme"], *project["license-files"]} <= set(copied)
    (extras,) = re.findall(r'"/src\[([\w,]+)\]"', text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert re.findall(r"^USER (\w+)$", text, re.MULTILINE)[-1] not in ("root", "0")


def test_the_page_of_the_recipes_names_every_file() -> None:
    page = (_RECIPES / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page)

    assert [link for link in links if not (_RECIPES / link).exists()] == []
    names = {str(path.relative_to(_RECIPES)) for path in _FILES} - {"README.md"}
    assert names <= set(links)


def _pods() -> Iterator[dict[str, Any]]:
    """The specification of each pod of the Kubernetes recipe."""
    for each in YAML(typ="safe").load_all(_KUBERNETES.read_text(encoding="utf-8")):
        if "template" in each["spec"]:
            yield each["spec"]["template"]["spec"]


def test_commands_of_the_pods_name_verbs_and_options_that_exist() -> None:
    for pod in _pods():
        for container in pod["containers"]:
            words = [str(word) for word in (*container["command"], *container.get("args", []))]
            known = {text for option in verbs()[" ".join(words[1:3])].params for text in option.opts}
            assert words[0] == "capbench"
            assert {word for word in words if word.startswith("--")} <= known


def test_who_holds_the_fleets_key_gets_no_rights_in_a_pod() -> None:
    pods = list(_pods())

    assert len(pods) == 2
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert all(each["securityContext"]["capabilities"] == {"drop": ["ALL"]} for each in pod["containers"])
        assert all(each["securityContext"]["allowPrivilegeEscalation"] is False for each in pod["containers"])
        (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
        assert int(str(secret["defaultMode"]), 8 if str(secret["defaultMode"]).startswith("0") else 10) & 0o007 == 0


def test_the_fleets_key_is_never_in_reach_of_a_pull_request() -> None:
    fleet = _load(_RECIPES / "github" / "fleet.yml")

    assert set(fleet["on"]) == {"workflow_dispatch", "schedule"}
    assert all(job["steps"][-1]["run"] == 'rm -rf "$RUNNER_TEMP/keys"' for job in fleet["jobs"].values())
    assert all(job["steps"][-1]["if"] == "always()" for job in fleet["jobs"].values())


class _Api(ThreadingHTTPServer):
    """Answers as the API of GitHub or GitLab does to what was prepared, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Any] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.tokens: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def written(self) -> list[tuple[str, str, Any]]:
        return [request for request in self.requests if request[0] != "GET"]


class _Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        server = self.server
        assert isinstance(server, _Api)
        length = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(length)) if length else None
        server.requests.append((self.command, self.path, sent))
        server.tokens.append(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN"))
        answer = server.answers.get(self.path, 404 if self.command == "GET" else {})
        status = answer if isinstance(answer, int) else 200
        body = json.dumps({} if isinstance(answer, int) else answer).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/stolen")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815  the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what came."""


@pytest.fixture
def api() -> Iterator[_Api]:
    server = _Api()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(name).stem, _RECIPES / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_COMMENTS = "/repos/owner/name/issues/7/comments"
_FIRST_PAGE = f"{_COMMENTS}?per_page=100&page=1"


def _pull(*, sha: str = _SHA, head: str | None = "stranger/fork", ref: str = "topic") -> dict[str, Any]:
    repo = None if head is None else {"full_name": head}
    return {"head": {"sha": sha, "ref": ref, "repo": repo}, "base": {"repo": {"full_name": "owner/name"}}}


@pytest.fixture
def fork(api: _Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a run for pull request 7 of a fork left, and the event that follows; GitHub lists no pull request in it."""
    run = {
        "id": 1,
        "event": "pull_request",
        "head_sha": _SHA,
        "head_branch": "topic",
        "head_repository": {"full_name": "stranger/fork"},
        "pull_requests": [],
    }
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"workflow_run": run, "repository": {"full_name": "owner/name"}}))
    for name, value in {"GITHUB_EVENT_PATH": str(event), "GITHUB_API_URL": api.url, "GH_TOKEN": "t0ken"}.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "verdict"
    folder.mkdir()
    (folder / "pull-request.txt").write_text("7\n")
    _write_comparison(folder, "gpu")
    api.answers["/repos/owner/name/pulls/7"] = _pull()
    api.answers[_FIRST_PAGE] = []
    return folder


def _write_comparison(folder: Path, new: str) -> None:
    sentence = f"{new} got worse"
    row = MetricVerdict(case=new, metric="wall_s", base="cpu", new=new, verdict=Verdict.WORSE, sentence=sentence)
    comparison = Comparison(base="cpu", new=new, verdict=Verdict.WORSE, sentence=sentence, verdicts=(row,))
    (folder / "comparison.json").write_text(comparison.model_dump_json())


def _comment(folder: Path) -> int:
    code: int = _script("github/post_comment.py").main(folder)
    return code


def test_a_pull_request_from_a_fork_gets_its_comment(fork: Path, api: _Api) -> None:
    assert _comment(fork) == 0

    ((method, path, sent),) = api.written()
    assert (method, path) == ("POST", _COMMENTS)
    assert sent["body"].startswith(COMMENT_MARK)
    assert "gpu got worse" in sent["body"]
    assert set(api.tokens) == {"Bearer t0ken"}


def test_the_script_runs_as_the_workflow_starts_it(fork: Path, api: _Api) -> None:
    command = [sys.executable, str(_RECIPES / "github" / "post_comment.py"), str(fork)]

    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(_REPOSITORY)})

    assert len(api.written()) == 1


def test_the_bots_own_comment_is_replaced_and_nobody_elses(fork: Path, api: _Api) -> None:
    """Anybody may begin a comment with our mark."""
    mine = {"id": 42, "user": {"login": "github-actions[bot]"}, "body": f"{COMMENT_MARK}\nold"}
    others = [
        {"id": 40, "user": {"login": "stranger"}, "body": f"{COMMENT_MARK}\nfake"},
        {"id": 41, "user": {"login": "github-actions[bot]"}, "body": None},
    ]
    api.answers[_FIRST_PAGE] = [others[n % 2] for n in range(100)]
    api.answers[f"{_COMMENTS}?per_page=100&page=2"] = [*others, mine]

    assert _comment(fork) == 0

    assert [request[:2] for request in api.written()] == [("PATCH", "/repos/owner/name/issues/comments/42")]


@pytest.mark.parametrize(
    "pull",
    [
        _pull(head="victim/fork"),
        _pull(head="owner/name"),
        _pull(head=None),
        _pull(sha="b" * 40, ref="another"),
        _pull() | {"base": {"repo": {"full_name": "elsewhere/name"}}},
    ],
    ids=["another fork", "the repository itself", "a deleted fork", "another branch", "another base"],
)
def test_a_number_that_is_another_pull_requests_posts_nothing(pull: dict[str, Any], fork: Path, api: _Api) -> None:
    api.answers["/repos/owner/name/pulls/7"] = pull

    assert _comment(fork) == 2
    assert api.written() == []


def test_a_pull_request_that_has_moved_on_is_left_to_its_own_run(fork: Path, api: _Api) -> None:
    api.answers["/repos/owner/name/pulls/7"] = _pull(sha="b" * 40)

    assert _comment(fork) == 0
    assert api.written() == []


@pytest.mark.parametrize("number", ["", "0", "-1", "7/../8", "7\n8", "7 8", "../../user", "\u0667", "1" * 5000])
def test_a_number_that_is_none_asks_nothing(number: str, fork: Path, api: _Api) -> None:
    (fork / "pull-request.txt").write_text(number, encoding="utf-8")

    assert _comment(fork) == 2
    assert api.requests == []


@pytest.mark.parametrize("content", ["", "[]", "{}", "{" * 10_000, "\0", "not json", '{"verdict": "better"}'])
def test_a_comparison_that_is_none_posts_nothing(content: str, fork: Path, api: _Api) -> None:
    (fork / "comparison.json").write_text(content)

    assert _comment(fork) == 2
    assert api.written() == []


def test_a_link_out_of_the_artifact_and_a_huge_file_are_refused(fork: Path, api: _Api) -> None:
    comparison = fork / "comparison.json"
    comparison.rename(fork.parent / "secret.json")
    comparison.symlink_to(fork.parent / "secret.json")
    assert _comment(fork) == 2
    comparison.unlink()
    with comparison.open("wb") as file:
        file.truncate(2**33)
    assert _comment(fork) == 2

    assert api.written() == []


def test_a_measurement_that_compared_nothing_says_so(fork: Path, api: _Api) -> None:
    (fork / "comparison.json").unlink()

    assert _comment(fork) == 0
    assert "nothing was compared" in api.written()[0][2]["body"]


def test_text_of_a_stranger_mentions_nobody_and_links_nowhere(fork: Path, api: _Api) -> None:
    _write_comparison(fork, "@owner #1 [x](https://evil.example) <img src=x> ![y](https://evil.example/y.png)")

    assert _comment(fork) == 0

    body = api.written()[0][2]["body"]
    assert not re.search(r"@owner|(?<!\\)\]\(|<img|https://", body)


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_an_answer_that_is_none_ends_with_1_and_the_token_goes_nowhere_else(status: int, fork: Path, api: _Api) -> None:
    api.answers["/repos/owner/name/pulls/7"] = status

    assert _comment(fork) == 1
    assert [path for _, path, _ in api.requests] == ["/repos/owner/name/pulls/7"]


def test_a_missing_variable_is_named(
    fork: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GH_TOKEN")

    assert _comment(fork) == 2
    assert "GH_TOKEN" in capsys.readouterr().out


_NOTES = "/projects/3/merge_requests/5/notes"


@pytest.fixture
def merge_request(api: _Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    variables = {
        "CI_API_V4_URL": api.url,
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "5",
        "CAPBENCH_NOTE_TOKEN": "t0",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    api.answers |= {"/user": {"id": 9}, f"{_NOTES}?per_page=100&page=1": []}
    file = tmp_path / "comment.md"
    file.write_text(f"{COMMENT_MARK}\n\n### worse\n\n/close\n  /merge\n| a/b |\n", encoding="utf-8")
    return file


def test_a_note_gives_gitlab_no_orders(merge_request: Path, api: _Api) -> None:
    assert _script("gitlab/post_note.py").main(merge_request) == 0

    ((method, path, sent),) = api.written()
    assert (method, path) == ("POST", _NOTES)
    assert not re.search(r"^\s*/", sent["body"], re.MULTILINE)
    assert "| a/b |" in sent["body"]


def test_our_own_note_is_replaced_and_nobody_elses(merge_request: Path, api: _Api) -> None:
    api.answers[f"{_NOTES}?per_page=100&page=1"] = [
        {"id": 1, "author": {"id": 8}, "body": COMMENT_MARK},
        {"id": 2, "author": {"id": 9}, "body": "hello"},
        {"id": 3, "author": {"id": 9}, "body": COMMENT_MARK},
    ]

    assert _script("gitlab/post_note.py").main(merge_request) == 0
    assert [request[:2] for request in api.written()] == [("PUT", f"{_NOTES}/3")]


def test_the_note_names_what_is_missing(merge_request: Path, api: _Api, monkeypatch: pytest.MonkeyPatch) -> None:
    main = _script("gitlab/post_note.py").main
    assert main(merge_request.parent / "none.md") == 2
    api.answers["/user"] = 401
    assert main(merge_request) == 1
    monkeypatch.delenv("CAPBENCH_NOTE_TOKEN")
    assert main(merge_request) == 2
    assert api.written() == []


def test_the_scripts_look_for_the_mark_that_capbench_writes() -> None:
    assert f'_MARK = "{COMMENT_MARK}"' in (_RECIPES / "gitlab" / "post_note.py").read_text(encoding="utf-8")
