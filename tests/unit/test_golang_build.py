"""Building Go programs: what is built, what is said where it cannot be, and what is left behind."""

import os
import shutil
import sys
from dataclasses import replace

import pytest

from labkit.boards import Board
from labkit.boards.local import LocalTransport
from labkit.errors import BinaryError, BuildFailed, GoError
from labkit.golang import Binary, run_on, toolchain, vet
from labkit.golang.program.build import build
from labkit.paths import cache_dir

NOTHING = "package main\n\nfunc main() {}\n"
BROKEN = 'package main\n\nfunc main() {\n\tvar n int = "three"\n\tundefined()\n}\n'
ADD = {
    "main.go": "package main\n\nfunc add(a, b int64) int64\n\n"
    "func main() { println(add(40, 2)) }\n",
    "add_arm64.s": "TEXT \N{MIDDLE DOT}add(SB),4,$0-24\n\tMOVD a+0(FP), R0\n\tMOVD b+8(FP), R1\n"
    "\tADD R1, R0, R0\n\tMOVD R0, ret+16(FP)\n\tRET\n",
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, but for the compiler's: the standard library is in there."""
    compiled = os.environ.get("GOCACHE") or str(cache_dir() / "go-build")
    monkeypatch.setenv("GOCACHE", compiled)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "go"


@pytest.fixture
def here():
    with Board("here", LocalTransport()) as board:
        yield board


def left(cache):
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def write(directory, **texts):
    directory.mkdir()
    for name, text in texts.items():
        (directory / name.replace("_", ".")).write_text(text)
    return directory


def test_a_program_is_for_arm64_linux_and_static(cache):
    program = build(NOTHING, name="nothing")
    assert program.name == "nothing"
    assert os.access(program, os.X_OK)
    assert program.go_version == f"go{toolchain().version}"
    told = program.settings
    assert (told["GOARCH"], told["GOOS"], told["CGO_ENABLED"]) == ("arm64", "linux", "0")
    assert program.elf.static
    rows = program.rows()
    assert rows["size"] == f"{program.size:,} bytes"
    assert "ARM" in rows["ELF"].upper() or "AARCH64" in rows["ELF"].upper()
    for word in rows.values():
        assert word in str(program)
    assert "<table>" in program._repr_html_()


def test_the_same_program_is_built_once_and_other_settings_give_another(cache):
    first = build(NOTHING)
    built = first.path.stat().st_mtime_ns
    assert build(NOTHING).path == first.path
    assert first.path.stat().st_mtime_ns == built
    others = [build(NOTHING, ldflags="-s -w"), build(NOTHING, GOARM64="v8.1")]
    assert len({first.path, *(each.path for each in others)}) == 3
    assert others[0].size < first.size
    assert others[1].settings["GOARM64"] == "v8.1"
    assert len(left(cache)) == 3


def test_two_places_of_one_go_share_what_names_no_place_and_only_that(cache, tmp_path, monkeypatch):
    here = toolchain()
    first = {trimmed: build(NOTHING, trimpath=trimmed) for trimmed in (True, False)}
    moved = tmp_path / "another-clone" / "go"
    shutil.copytree(here.root, moved, symlinks=True)
    module = sys.modules["labkit.golang.program.build"]
    monkeypatch.setattr(module, "toolchain", lambda _: replace(here, root=moved))
    assert build(NOTHING, trimpath=True).path == first[True].path
    assert build(NOTHING, trimpath=False).path != first[False].path


def test_a_program_that_does_not_compile_says_where_and_leaves_nothing(cache):
    with pytest.raises(BuildFailed, match=r"main\.go:4:6: .*\(and 2 more\)") as failed:
        build(BROKEN)
    assert "\n" not in str(failed.value)
    assert [line.split(": ")[0] for line in failed.value.output.splitlines()] == [
        "./main.go:4:6",
        "./main.go:4:14",
        "./main.go:5:2",
    ]
    assert failed.value.output.splitlines()[1] in failed.value._render_traceback_()
    assert left(cache) == []


def test_text_that_is_no_go_at_all_is_refused(cache):
    for text in ("", "hello, world\n", "package other\n\nfunc f() {}\n"):
        with pytest.raises(GoError) as failed:
            build(text)
        assert "\n" not in str(failed.value)
        assert left(cache) == []


def test_a_dir_is_built_where_it_stands_and_again_when_it_changed(cache, tmp_path):
    directory = write(tmp_path / "mine", go_mod="module mine\n\ngo 1.21\n", main_go=NOTHING)
    before = sorted(directory.iterdir())
    first = build(directory)
    assert sorted(directory.iterdir()) == before
    assert build(directory).path == first.path
    (directory / "main.go").write_text('package main\n\nfunc main() { println("x") }\n')
    assert build(directory).path != first.path


def test_a_dir_that_needs_a_newer_go_is_refused_with_the_words(cache, tmp_path):
    directory = write(tmp_path / "newer", go_mod="module newer\n\ngo 1.99\n", main_go=NOTHING)
    with pytest.raises(BuildFailed, match=r"requires go >= 1\.99") as failed:
        build(directory)
    assert "\n" not in str(failed.value)
    assert 'version="1.99"' in failed.value.hint
    assert f"program for Go {toolchain().language_version}" in failed.value.expected
    assert left(cache) == []


def test_a_dir_that_is_not_there_or_has_no_go_in_it(cache, tmp_path):
    with pytest.raises(GoError, match="there is no folder .*none"):
        build(tmp_path / "none")
    directory = write(tmp_path / "empty", go_mod="module empty\n")
    with pytest.raises(BuildFailed, match="no Go files"):
        build(directory)
    assert left(cache) == []


def test_several_files_with_one_in_assembly(cache):
    assert build(ADD).settings["GOARCH"] == "arm64"
    with pytest.raises(BuildFailed, match=r"add_arm64\.s:1"):
        build(ADD | {"add_arm64.s": "TEXT nonsense\n"})


def test_files_may_lie_in_dirs(cache):
    files = {
        "main.go": 'package main\n\nimport "program/inner"\n\nfunc main() { inner.Hello() }\n',
        "inner/hello.go": "package inner\n\nfunc Hello() {}\n",
    }
    assert build(files).size > 0


def test_the_users_own_settings_change_nothing(cache, monkeypatch):
    plain = build(NOTHING)
    settings, digest = plain.settings, plain.sha256
    plain.path.unlink()
    leaks = {"GOFLAGS": "-tags=x", "GOARCH": "mips", "GOROOT": "/none", "GOTOOLCHAIN": "go1.99.0"}
    for name, value in leaks.items():
        monkeypatch.setenv(name, value)
    again = build(NOTHING)
    assert (again.settings, again.sha256) == (settings, digest)


def test_a_c_compiler_that_is_not_there(cache):
    with pytest.raises(GoError, match="no C compiler 'nonsense-gcc -O2'.*zig-musl"):
        build(NOTHING, cc="nonsense-gcc -O2")
    assert left(cache) == []


def test_vet_tells_what_it_finds_a_line_each(cache):
    calls = ['fmt.Printf("%d\\n")', 'fmt.Printf("%d\\n", "three")']
    body = "".join(f"\t{call}\n" for call in calls)
    text = f'package main\n\nimport "fmt"\n\nfunc main() {{\n{body}}}\n'
    found = vet(text)
    assert [line.split(" ")[0] for line in found] == ["main.go:6:14:", "main.go:7:14:"]
    assert vet(NOTHING) == []
    assert left(cache) == []


def test_vet_is_silent_where_it_does_not_compile(cache):
    for text in (BROKEN, "package main\n\nfunc main() {\n"):
        assert vet(text) == []
    assert left(cache) == []


def test_an_older_go_builds_and_says_so(cache, monkeypatch):
    kept = cache_dir() / "toolchains"
    monkeypatch.undo()
    if not list((cache_dir() / "toolchains").glob("go1.21.13.*")):
        pytest.skip("Go 1.21.13 has not been fetched: labkit go fetch 1.21.13")
    assert not kept.exists()
    assert build(NOTHING, version="1.21.13").go_version == "go1.21.13"
    loop = "package main\n\nfunc main() {\n\tfor range 3 {\n\t}\n}\n"
    with pytest.raises(BuildFailed, match=r"Go 1\.21\.13 does not compile this: .*main\.go:4"):
        build(loop, version="1.21.13")


def test_only_programs_for_arm_are_shipped(cache, here, tmp_path):
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\necho hello\n")
    (tmp_path / "empty").touch()
    wrong = {
        build(NOTHING, name="app", GOARCH="amd64"): 'for amd64.*GOARCH="arm64"',
        text: "is no ELF file",
        tmp_path / "empty": "is no ELF file",
        tmp_path / "none": "No such file",
        tmp_path: "Is a directory",
    }
    for program, said in wrong.items():
        with pytest.raises(BinaryError, match=said) as error:
            run_on(here, program)
        assert "\n" not in str(error.value)


def test_a_file_that_go_did_not_build_has_no_go_version(tmp_path):
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(BinaryError, match="is not built by Go"):
        _ = Binary(tmp_path / "text").go_version
