"""What holds between the parts: exported names, packages, versions."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import labkit
from labkit.golang.analysis.disassembly import OBJDUMP
from labkit.virtual import tools

ROOT = Path(__file__).parents[2]


def test_every_program_labkit_calls_comes_with_a_package_that_setup_installs():
    listed = (ROOT / "binder/apt.txt").read_text().split()
    needed = {tool.package for tool in (*tools.RUN, *tools.FIRMWARE, *tools.BUILD, OBJDUMP)}
    assert needed <= set(listed)
    assert listed == sorted(listed)


def test_the_versions_of_packages_are_pinned_and_only_in_the_requirements():
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [
            line for line in (ROOT / name).read_text().splitlines() if line[:1] not in ("", "#")
        ]
        assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in lines)
        names = [line.partition("==")[0] for line in lines]
        assert names == sorted(names)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dynamic"] == ["dependencies", "optional-dependencies"]
    assert labkit.__version__ == project["version"]


@pytest.mark.parametrize("slow", ["pandas", "paramiko", "matplotlib", "papermill", "rich"])
def test_importing_labkit_does_not_import(slow):
    line = f"import labkit, sys; sys.exit({slow!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", line], check=False).returncode == 0


def _module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {_module(path): path for path in sorted((ROOT / "labkit").rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def _exported(name):
    return getattr(importlib.import_module(name), "__all__", None)


@pytest.mark.parametrize("name", MODULES)
def test_a_name_in_all_exists(name):
    module = importlib.import_module(name)
    assert [export for export in _exported(name) or () if not hasattr(module, export)] == []


@pytest.mark.parametrize("name", MODULES)
def test_a_public_function_or_class_is_in_all(name):
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = {
        node.name
        for node in TREES[name].body
        if isinstance(node, definitions)
        and not node.name.startswith("_")
        # Typer's decorators register the commands of the command line.
        and not any("app.command" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert public - set(_exported(name) or ()) == set()


@pytest.mark.parametrize("name", MODULES)
def test_what_is_imported_from_another_module_is_in_its_all(name):
    hidden = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.ImportFrom) and node.module in MODULES
        for alias in node.names
        if f"{node.module}.{alias.name}" not in MODULES
        and alias.name not in (_exported(node.module) or ())
    ]
    assert hidden == []
