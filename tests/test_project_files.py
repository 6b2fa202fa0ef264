"""What stands around the code names only what exists, and agrees with it."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(
    path
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")
    if path.name != "config.yml"
)
PAGES = ("CONTRIBUTING.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md")
FIELDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}

pytestmark = pytest.mark.skipif(
    not WORKFLOWS, reason="a source distribution has the package's files only"
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(read("pyproject.toml"))
MAKEFILE = read("Makefile")
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))


def steps_of(workflow: Path) -> list[dict[str, str]]:
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def matrix_of(job: str) -> dict[str, list]:
    jobs = yaml.safe_load(read(".github/workflows/test.yml"))["jobs"]
    return jobs[job]["strategy"]["matrix"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_use_major_versions_and_no_secrets(path):
    used = [step["uses"] for step in steps_of(path) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in used)
    assert "secrets." not in path.read_text(encoding="utf-8")


def targets_in(script: str) -> set[str]:
    """Targets that the lines of a shell script ask make for."""
    code = re.sub(r"(^|\s)#.*", "", script)
    calls = re.findall(r"\bmake ([^\n)\"]+)", code.replace("\\\n", ""))
    words = {word for call in calls for word in call.split()}
    return {word for word in words if re.fullmatch(r"[a-z][a-z0-9-]*", word)}


def test_workflows_ask_make_for_targets_that_exist():
    scripts = [step.get("run", "") for path in WORKFLOWS for step in steps_of(path)]
    asked = set().union(*map(targets_in, scripts))
    assert {"lint", "docs", "display-packages"} <= asked <= TARGETS


def test_the_merge_script_asks_make_for_targets_that_exist():
    assert {"test", "lint", "test-gui-pyqt6"} <= targets_in(read(".ci/run")) <= TARGETS


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_pages_name_targets_that_exist(page):
    typed = re.findall(r"(?:`|^\$ )(make [\w-]+)", read(page), re.MULTILINE)
    asked = targets_in("\n".join(typed))
    assert {"test", "lint"} <= asked <= TARGETS


def test_the_window_workflow_names_targets_environments_and_the_oldest_napari():
    rows = matrix_of("window")["include"]
    assert {row["target"] for row in rows} <= TARGETS
    assert all(f"?= {row['environment']}\n" in MAKEFILE for row in rows)
    (oldest,) = re.findall(r"^OLDEST_NAPARI = (.+)$", MAKEFILE, re.MULTILINE)
    (magicgui,) = re.findall(r"^OLDEST_MAGICGUI = (.+)$", MAKEFILE, re.MULTILINE)
    versions = f"napari=={oldest} magicgui=={magicgui}"
    assert versions in {row["napari"] for row in rows}
    bounds = PROJECT["project"]["optional-dependencies"]["napari"]
    assert f"napari>={oldest.removesuffix('.0')}" in bounds
    assert f"magicgui>={magicgui.removesuffix('.0')}" in bounds


def test_the_workflows_cover_all_supported_pythons():
    label = "Programming Language :: Python :: 3."
    supported = {
        line.rpartition(" ")[2]
        for line in PROJECT["project"]["classifiers"]
        if line.startswith(label)
    }
    assert set(matrix_of("headless")["python"]) == supported


def test_coverage_is_enforced_by_the_workflow():
    assert PROJECT["tool"]["coverage"]["report"]["fail_under"] > 0
    scripts = [step.get("run") for path in WORKFLOWS for step in steps_of(path)]
    assert "python -m pytest --cov" in scripts


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_forms_are_complete(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"]
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in form["body"]} <= FIELDS
    assert all(field["attributes"]["label"] for field in asked)
    assert len({field["id"] for field in asked}) == len(asked)


def test_the_citation_is_that_of_the_newest_version():
    citation = yaml.safe_load(read("CITATION.cff"))
    newest = re.search(
        r"^## (\d+\.\d+\.\d+) \((.+)\)$", read("CHANGELOG.md"), re.MULTILINE
    )
    assert newest is not None
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"]
    assert citation["title"] == PROJECT["project"]["name"]
    assert citation["authors"] == PROJECT["project"]["authors"]
    assert (citation["version"], citation["date-released"]) == newest.groups()
    fallback = PROJECT["tool"]["hatch"]["version"]["fallback-version"]
    assert fallback.startswith(citation["version"])


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_only_files_that_exist(page):
    text = re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", text)
    quoted = re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`", text)
    paths = [name for name in quoted if "/" in name or name.endswith((".md", ".py"))]
    package = ROOT / "src/napari_sam_decoder"
    missing = [
        name
        for name in [*links, *paths]
        if not ((ROOT / name).exists() or (package / name).exists())
    ]
    assert not missing


def test_the_notice_names_files_that_exist():
    path = r"[\w.-]+(?:/[\w.-]+)+\.(?:py|safetensors|txt)\b"
    paths = re.findall(path, read("NOTICE"))
    assert len(paths) >= 5
    assert [name for name in paths if not (ROOT / name).exists()] == []


def test_addresses_are_those_of_the_repository_that_builds():
    pytest.importorskip("hatchling")
    addresses = runpy.run_path(str(ROOT / "hatch_build.py"))["addresses"]
    place = {"GITHUB_SERVER_URL": "https://example.org", "GITHUB_REPOSITORY": "a/b"}
    assert addresses({}) == {}
    assert addresses(place)["Source"] == "https://example.org/a/b"
    assert addresses(place)["Issues"] == "https://example.org/a/b/issues"
