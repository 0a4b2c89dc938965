"""Building Go programs: results, errors, and the files that remain."""

import os
import shlex
import shutil
import subprocess
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
def fetched():
    """Where the user's fetched toolchains are. Named before ``cache``, which hides them."""
    return cache_dir() / "toolchains"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own. The compiler's is shared: it holds the standard library."""
    compiled = os.environ.get("GOCACHE") or str(cache_dir() / "go-build")
    monkeypatch.setenv("GOCACHE", compiled)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "go"


@pytest.fixture
def here():
    with Board("here", LocalTransport()) as board:
        yield board


def left(cache):
    """What the cache of programs holds."""
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def write(directory, **texts):
    """A directory with files; ``go_mod=`` is the text of ``go.mod``."""
    directory.mkdir()
    for name, text in texts.items():
        (directory / name.replace("_", ".")).write_text(text)
    return directory


def test_a_program_is_for_arm64_linux_and_static(cache):
    program = build(NOTHING, name="nothing")
    assert program.name == "nothing"
    assert os.access(program, os.X_OK)
    assert program.go_version == f"go{toolchain().version}"
    settings = program.settings
    assert (settings["GOARCH"], settings["GOOS"], settings["CGO_ENABLED"]) == (
        "arm64",
        "linux",
        "0",
    )
    assert program.elf.static
    rows = program.rows()
    assert rows["size"] == f"{program.size:,} bytes"
    assert rows["ELF"] == "EXEC, AArch64"
    for value in rows.values():
        assert value in str(program)
    assert "<table>" in program._repr_html_()


def test_the_same_program_is_built_once_and_other_settings_give_another(cache):
    first = build(NOTHING)
    built_at = first.path.stat().st_mtime_ns
    assert build(NOTHING).path == first.path
    assert first.path.stat().st_mtime_ns == built_at
    others = [build(NOTHING, ldflags="-s -w"), build(NOTHING, GOARM64="v8.1")]
    assert len({first.path, *(other.path for other in others)}) == 3
    assert others[0].size < first.size
    assert others[1].settings["GOARM64"] == "v8.1"
    assert len(left(cache)) == 3


@pytest.mark.slow
def test_two_copies_of_one_go_share_only_programs_without_their_path(cache, tmp_path, monkeypatch):
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


def test_text_that_is_not_go_is_an_error(cache):
    for text in ("", "hello, world\n", "package other\n\nfunc f() {}\n"):
        with pytest.raises(GoError) as failed:
            build(text)
        assert "\n" not in str(failed.value)
        assert left(cache) == []


def test_a_directory_is_built_in_place_and_again_when_it_has_changed(cache, tmp_path):
    directory = write(tmp_path / "own", go_mod="module own\n\ngo 1.21\n", main_go=NOTHING)
    before = sorted(directory.iterdir())
    first = build(directory)
    assert sorted(directory.iterdir()) == before
    assert build(directory).path == first.path
    (directory / "main.go").write_text('package main\n\nfunc main() { println("x") }\n')
    assert build(directory).path != first.path


def test_a_directory_that_needs_a_newer_go_is_an_error_that_names_it(cache, tmp_path):
    directory = write(tmp_path / "newer", go_mod="module newer\n\ngo 1.99\n", main_go=NOTHING)
    with pytest.raises(BuildFailed, match=r"requires go >= 1\.99") as failed:
        build(directory)
    assert "\n" not in str(failed.value)
    assert 'version="1.99"' in failed.value.hint
    assert f"program for Go {toolchain().language_version}" in failed.value.expected
    assert left(cache) == []


def test_a_directory_that_is_missing_or_has_no_go_files_is_an_error(cache, tmp_path):
    with pytest.raises(GoError, match="there is no directory .*none"):
        build(tmp_path / "none")
    directory = write(tmp_path / "empty", go_mod="module empty\n")
    with pytest.raises(BuildFailed, match="no Go files"):
        build(directory)
    assert left(cache) == []


def test_several_files_with_one_in_assembly(cache):
    assert build(ADD).settings["GOARCH"] == "arm64"
    with pytest.raises(BuildFailed, match=r"add_arm64\.s:1"):
        build(ADD | {"add_arm64.s": "TEXT nonsense\n"})


def test_files_may_be_in_directories(cache):
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


@pytest.mark.slow
def test_another_go_first_on_path_and_the_variables_of_go_change_nothing(cache, tmp_path):
    """Run in new processes, as a toolchain is looked up once a process."""
    called = tmp_path / "called"
    fake = tmp_path / "bin" / "go"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$0 $*" >>{shlex.quote(str(called))}\nexit 1\n')
    fake.chmod(0o755)
    (tmp_path / "env").write_text("GOFLAGS=-tags=x\nGOARM64=v9.0\n")
    others = {
        "PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}",
        "GOROOT": "/usr/lib/go-1.19",
        "GOPATH": str(tmp_path / "gopath"),
        "GOFLAGS": "-tags=x -mod=vendor -ldflags=-s",
        "GOTOOLCHAIN": "go1.99.0",
        "GOENV": str(tmp_path / "env"),
        "GOARM64": "v8.1",
        "GOEXPERIMENT": "nonsense",
    }
    # A build tag shows in the program's output and bytes; x is set by nobody but GOFLAGS.
    tagged = "//go:build x\n\npackage main\n\nfunc init() { println(1) }\n"
    source = {"main.go": NOTHING, "tagged.go": tagged}
    code = f"""
from labkit import golang
binary = golang.build({source!r}, trimpath=False)
go = golang.toolchain()
print(binary.sha256, binary.go_version, sorted(binary.settings.items()), go.root)
print(golang.vet({source!r}), go.check("env", "GOROOT", "GOFLAGS", "GOTOOLCHAIN").lines)
"""
    outputs = []
    for extra in ({}, others):
        shutil.rmtree(cache, ignore_errors=True)  # so that it is built again
        process = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "GOPATH"} | extra,
            check=False,
            timeout=300,
        )
        assert process.returncode == 0, process.stderr
        outputs.append(process.stdout)
    assert outputs[0] == outputs[1]
    assert not called.exists()


def test_a_missing_c_compiler_is_an_error(cache):
    with pytest.raises(GoError, match="no C compiler 'nonsense-gcc -O2'.*zig-musl"):
        build(NOTHING, cc="nonsense-gcc -O2")
    with pytest.raises(GoError, match="cc='zig-musl' cannot build for riscv64; expected arm64"):
        build(NOTHING, cc="zig-musl", GOARCH="riscv64")
    assert left(cache) == []


@pytest.mark.slow
def test_cgo_goes_through_zig_static_or_with_the_boards_own_library():
    text = "package main\n\n// static int two() { return 2; }\n"
    text += 'import "C"\n\nfunc main() { println(C.two()) }\n'
    static = build(text, name="two", cc="zig-musl")
    assert static.elf.static
    assert static.elf.machine == "AArch64"
    linked = build(text, name="two", cc="zig-glibc")
    assert "libc.so.6" in linked.elf.needed
    assert linked.elf.interpreter == "/lib/ld-linux-aarch64.so.1"


def test_vet_returns_its_findings_a_line_each(cache):
    calls = ['fmt.Printf("%d\\n")', 'fmt.Printf("%d\\n", "three")']
    body = "".join(f"\t{call}\n" for call in calls)
    text = f'package main\n\nimport "fmt"\n\nfunc main() {{\n{body}}}\n'
    findings = vet(text)
    assert [line.split(" ")[0] for line in findings] == ["main.go:6:14:", "main.go:7:14:"]
    assert vet(NOTHING) == []
    assert left(cache) == []


def test_vet_is_silent_where_it_does_not_compile(cache):
    for text in (BROKEN, "package main\n\nfunc main() {\n"):
        assert vet(text) == []
    assert left(cache) == []


def test_an_older_go_builds_and_says_so(fetched, cache):
    if not list(fetched.glob("go1.21.13.*")):
        pytest.skip("Go 1.21.13 has not been fetched: labkit go fetch 1.21.13")
    cache.parent.mkdir()
    (cache.parent / "toolchains").symlink_to(fetched)
    assert build(NOTHING, version="1.21.13").go_version == "go1.21.13"
    built = left(cache)
    loop = "package main\n\nfunc main() {\n\tfor range 3 {\n\t}\n}\n"
    with pytest.raises(BuildFailed, match=r"Go 1\.21\.13 does not compile this: .*main\.go:4"):
        build(loop, version="1.21.13")
    assert left(cache) == built


def test_only_programs_for_arm_are_uploaded(cache, here, tmp_path):
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
    for program, message in wrong.items():
        with pytest.raises(BinaryError, match=message) as error:
            run_on(here, program)
        assert "\n" not in str(error.value)


def test_a_file_that_go_did_not_build_has_no_go_version(tmp_path):
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(BinaryError, match="is not built by Go"):
        _ = Binary(tmp_path / "text").go_version
