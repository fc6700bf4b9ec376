"""The wheel: what is in it, what is not, and that it works where the repository is not.

Nothing here asks a package index: the wheel is built with the setuptools that is installed, and
unpacked beside the dependencies of the running interpreter.
"""

from __future__ import annotations

import ast
import contextlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path, PurePosixPath

import pytest

from tests.offline import plain_environment

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("methodology", "collectors", "index")
PARTS = (*PACKAGES, "data", "pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the repository keeps no build folder."""
    pytest.importorskip("setuptools", minversion="80", reason="building needs setuptools 80")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for part in PARTS:
        if (REPOSITORY / part).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / part, source / part, ignore=ignored)
        else:
            shutil.copy(REPOSITORY / part, source)
    for other in ("tests/test_nothing.py", "benchmarks/nothing.py", "data/nothing.csv"):
        (source / other).parent.mkdir(exist_ok=True)
        (source / other).touch()
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(target), str(source))
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed, and nothing else."""
    target = tmp_path_factory.mktemp("site")
    pip("install", "--no-deps", "--no-index", "--target", str(target), str(wheel))
    return target


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        env=plain_environment(PIP_CONFIG_FILE="/dev/null", PIP_NO_INDEX="1"),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def elsewhere(installed: Path, folder: Path, *arguments: str) -> str:
    """Run Python in an empty folder, the repository out of reach, and return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=plain_environment(PYTHONPATH=str(installed)),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def shipped(pattern: str) -> set[str]:
    """Files of the three packages in the repository that match a pattern."""
    return {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob(pattern)
        if "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("pattern", ["*.py", "*.toml", "*.sql", "*.md", "*.sha256", "*.json"])
def test_every_file_of_the_packages_is_in_the_wheel(pattern: str, wheel: Path) -> None:
    assert shipped(pattern) - set(names(wheel)) == set()


def test_the_wheel_holds_the_rulebook_and_its_digests(wheel: Path) -> None:
    inside = set(names(wheel))
    assert {
        "methodology/README.md",
        "methodology/CHANGES.md",
        "methodology/IOSCO.md",
        "methodology/rules/FROZEN.sha256",
        "methodology/rules/methodology-1.0.0.toml",
        "methodology/instruments/providers.toml",
    } <= inside


def test_nothing_else_is_in_the_wheel(wheel: Path) -> None:
    tops = {PurePosixPath(name).parts[0] for name in names(wheel)}
    assert {top for top in tops if not re.fullmatch(r"spotfix-.*\.dist-info", top)} == {*PACKAGES}
    inside = [PurePosixPath(name) for name in names(wheel) if ".dist-info/" not in name]
    suffixes = {path.suffix for path in inside if path.parent.name != "bundled"}
    assert not suffixes & {".csv", ".duckdb", ".parquet", ".pyc", ".gz"}


def test_the_wheel_carries_the_bundled_history_and_what_its_rights_are(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {
            PurePosixPath(name).name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("index/bundled/")
        }
    files = [*(REPOSITORY / "data" / "bundled").iterdir(), REPOSITORY / "data" / "README.md"]
    assert found == {file.name: file.read_bytes() for file in files}


def test_an_installed_command_finds_its_bundled_history_in_an_empty_folder(
    installed: Path, tmp_path: Path
) -> None:
    program = """
from index.config import load
from index.intake import bundled_captures
print(load().bundle, len(bundled_captures(load().bundle)))
"""
    said = elsewhere(installed, tmp_path, "-c", program).split()
    assert said == [str(installed / "index" / "bundled"), "11"]


def test_the_wheel_carries_its_licence(wheel: Path) -> None:
    ends = [name.partition(".dist-info/")[2] for name in names(wheel)]
    assert {"licenses/LICENSE", "licenses/NOTICE", "entry_points.txt"} <= set(ends)


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    said = elsewhere(installed, tmp_path, str(installed / "bin" / "spotfix"), "--version")
    assert said == "spotfix 0.1.0\n"


def test_the_installed_module_helps(installed: Path, tmp_path: Path) -> None:
    said = elsewhere(installed, tmp_path, "-m", "index", "--help")
    assert "run" in said
    assert "verify" in said
    assert list(tmp_path.iterdir()) == []


def test_rules_and_queries_are_found_inside_the_installed_packages(
    installed: Path, tmp_path: Path
) -> None:
    program = """
from importlib.resources import files
from pathlib import Path
import index, methodology
from methodology.definition import frozen_listing, load_definitions, load_methodology
from methodology import register
listed = (files("methodology") / "rules" / "FROZEN.sha256").read_text("utf-8")
print(Path(index.__file__).parents[1], Path(methodology.__file__).parents[1])
print(len(load_definitions()) > 50, load_methodology().version, listed == frozen_listing())
print(register.listing_map().height > 100)
print(sum(1 for p in Path(index.__file__).parent.rglob("*.sql") if p.read_text("utf-8").strip()))
"""
    said = elsewhere(installed, tmp_path, "-c", program).splitlines()
    queries = len(shipped("*.sql"))
    assert said == [f"{installed} {installed}", "True 1.1.0 True", "True", str(queries)]
    assert queries > 0


PINS = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()


def test_every_pin_is_a_name_and_a_version() -> None:
    assert [
        pin for pin in PINS if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", pin)
    ] == []
    names = [pin.partition("==")[0].lower() for pin in PINS]
    assert names == sorted(set(names))


def test_every_declared_dependency_is_pinned() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pinned = {normal(pin.partition("==")[0]) for pin in PINS}
    assert {normal(re.split(r"[\[<>=]", one)[0]) for one in declared} - pinned == set()


def imported() -> set[str]:
    """Distributions of others that the packages import, wherever in a file they do."""
    trees = [
        ast.parse(p.read_text("utf-8"))
        for one in PACKAGES
        for p in (REPOSITORY / one).rglob("*.py")
    ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    named = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    named |= {str(n.module) for n in nodes if isinstance(n, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in named} - {*sys.stdlib_module_names, *PACKAGES}
    makers = packages_distributions()
    return {normal(makers[top][0]) for top in tops}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    extra = project["optional-dependencies"]["timestamps"]
    declared = [*project["dependencies"], *extra]
    names = {normal(re.split(r"[\[<>=]", one)[0]) for one in declared}
    assert names - {"tzdata"} == imported()  # time zones are data; zoneinfo reads them


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_tests_run_on_the_pinned_versions() -> None:
    """Otherwise a green run says nothing about what ``make run`` installs.

    A pin that this interpreter does not need may be absent; setuptools only builds.
    """
    pins = dict(pin.split("==") for pin in PINS)
    del pins["setuptools"]
    found = {}
    for name in pins:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    assert found == {name: pins[name] for name in found}
    assert {"polars", "duckdb", "pydantic", "pytest"} <= set(found)
