"""Tables read into dataclasses: strict types, and one line that names what is wrong."""

import subprocess
import sys
from dataclasses import dataclass, field
from typing import Literal

import pytest

from labkit import schema
from labkit.errors import LabError, PlatformError


@dataclass(frozen=True)
class Disk:
    size: int
    kind: Literal["qcow2", "raw"] = "raw"


@dataclass(frozen=True)
class Machine:
    name: str
    disks: list[Disk] = field(default_factory=list)
    by_name: dict[str, Disk] = field(default_factory=dict)
    boot: Disk | None = None
    speed: float = 1.0
    on: bool = False
    tags: str | tuple[str, ...] = ()


def convert(data, **options):
    return schema.convert(data, Machine, source="m.toml", error=PlatformError, **options)


def test_a_table_becomes_a_dataclass_with_those_in_it():
    machine = convert(
        {"name": "a", "disks": [{"size": 1}], "by_name": {"x": {"size": 2}}, "boot": {"size": 3}}
    )
    assert machine == Machine("a", [Disk(1)], {"x": Disk(2)}, Disk(3))
    assert convert({"name": "a", "tags": ["b"]}).tags == ("b",)


def test_a_given_field_may_not_be_in_the_table():
    assert convert({}, given={"name": "a"}) == Machine("a")
    with pytest.raises(
        PlatformError, match="m.toml has the unknown key 'name'; expected one of di"
    ):
        convert({"name": "b"}, given={"name": "a"})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "m.toml is 3; expected a table"),
        ({}, "m.toml has no key 'name'"),
        ({"name": "a", "boot": {}}, "m.toml has no key 'boot.size'"),
        (
            {"name": "a", "disks": [{"size": 1}, {"size": "2"}]},
            "m.toml: disks[1].size = '2'; expec",
        ),
        (
            {"name": "a", "disks": [{"x": 1}]},
            "has the unknown key 'disks[0].x'; expected one of si",
        ),
        ({"name": "a", "disks": [{"x": 1}]}, "expected one of size, kind"),
        ({"name": "a", "by_name": {"u": {"x": 1}}}, "has the unknown key 'by_name.u.x'"),
        (
            {"name": "a", "by_name": {"u": {"size": "1"}}},
            "by_name[...].size; expected a whole numb",
        ),
        (
            {"name": "a", "boot": {"size": 1, "kind": "vmdk"}},
            "boot.kind = 'vmdk'; expected qcow2 or",
        ),
        ({"name": "a", "disks": [{"size": 1, "kind": "x"}]}, "= 'x'; expected qcow2 or raw"),
        ({"name": "a", "boot": 3}, "boot = 3; expected a table"),
        ({"name": "a", "on": 1}, "on = 1; expected true or false"),
        ({"name": "a", "speed": "1"}, "speed = '1'; expected a number"),
        ({"name": "a", "tags": 1}, "tags = 1; expected text or a list"),
        ({"name": ["x" * 200]}, "xxx...; expected text"),
    ],
)
def test_a_mistake_is_one_line_with_its_path(data, message):
    with pytest.raises(PlatformError) as wrong:
        convert(data, hint="edit m.toml")
    assert message in str(wrong.value)
    assert str(wrong.value).endswith(". Next: edit m.toml")
    assert "\n" not in str(wrong.value)


def test_text_that_is_not_toml_is_named_with_the_line():
    with pytest.raises(LabError, match=r"m.toml is not TOML: .*line 2"):
        schema.parse_toml("a = 1\nb\n", source="m.toml", error=LabError)
    with pytest.raises(LabError, match=r"m.toml is not TOML: .*utf-8"):
        schema.parse_toml(b"\xff", source="m.toml", error=LabError)


def test_importing_labkit_imports_neither_msgspec_nor_tomlkit():
    code = "import sys, labkit; print({'msgspec', 'tomlkit'} & {*sys.modules})"
    argv = [sys.executable, "-c", code]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "set()\n"
