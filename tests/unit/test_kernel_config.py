"""The configuration of a kernel: read, and refused where it is something else."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.boards import Board, Facts
from labkit.boards.local import LocalTransport
from labkit.errors import KernelConfigError
from labkit.kernel import load_config, parse_config, read_config

EXCERPT = Path(__file__).parent / "data" / "config-6.1.0-56-arm64.excerpt"
TEXT = EXCERPT.read_text()

SOMEBODY = Facts(
    os="Debian",
    os_id="debian",
    kernel="6.1.0-56-arm64",
    machine="aarch64",
    model="",
    cpu="QEMU max",
    cpus=2,
    features=frozenset(),
    long_bit=64,
    page_size=4096,
    memory=2**30,
    cgroup_controllers=(),
    uid=0,
    cache_dir="/home/somebody/.cache/labkit-board",
    emulated=True,
)


class Elsewhere(LocalTransport):
    """This machine's own shell and tools, with the kernel's files under another directory.

    That directory's ``bin`` comes first in the PATH, so a test can replace modprobe.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.trips = 0
        for directory in ("bin", "proc", "boot"):
            (root / directory).mkdir()

    def run(self, request, *, on_output=None):
        self.trips += 1
        command = request.command
        for path in ("/proc/config.gz", "/boot/config-", "/usr/lib/modules/"):
            command = command.replace(path, f"{self.root}{path}")
        command = f"PATH={self.root}/bin:$PATH; {command}"
        return super().run(replace(request, command=command), on_output=on_output)

    def program(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\nROOT={self.root}\n{body}\n")
        path.chmod(0o755)


@pytest.fixture
def elsewhere(tmp_path):
    transport = Elsewhere(tmp_path)
    transport.program("uname", "echo 6.1.0-56-arm64")
    transport.program("modprobe", "exit 1")
    return transport


@pytest.fixture
def board(elsewhere):
    board = Board("pi", elsewhere)
    board.facts = SOMEBODY
    return board


def compressed(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(EXCERPT.read_bytes()))


# -- what a configuration says ---------------------------------------------------------------


def test_a_name_is_taken_with_and_without_its_prefix():
    config = parse_config(TEXT, "here")
    assert config["KVM"] == config["CONFIG_KVM"] == "y"
    assert "KVM" in config
    assert "CONFIG_KVM" in config


def test_yes_module_no_and_values():
    config = parse_config(TEXT, "here")
    assert config["BLK_DEV_NVME"] == "m"
    assert config["IKCONFIG"] == "n"
    assert config["HZ"] == "250"
    assert config["CC_VERSION_TEXT"] == "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"
    assert config["LOCALVERSION"] == ""


@pytest.mark.parametrize("name", ["ARM64_VHE", "KVM_ARM_HOST"])
def test_an_option_the_kernel_dropped_is_unknown_and_not_off(name):
    config = parse_config(TEXT, "here")
    assert config[name] is None
    assert config.get(name, "gone") == "gone"
    assert name not in config
    assert "IKCONFIG" in config


def test_it_says_where_it_was_read_and_for_which_kernel():
    config = parse_config(TEXT, "/boot/config-6.1.0-56-arm64")
    assert config.source == "/boot/config-6.1.0-56-arm64"
    assert config.version == "6.1.192"
    assert "6.1.192 from /boot/config-6.1.0-56-arm64" in repr(config)
    assert len(list(config)) == len(config)


def test_escaped_quotes_are_part_of_a_value():
    config = parse_config(TEXT.replace('CMDLINE=""', r'CMDLINE="dyndbg=\"file a +p\""'), "here")
    assert config["CMDLINE"] == 'dyndbg="file a +p"'


def test_windows_line_ends_do_no_harm():
    assert parse_config(TEXT.replace("\n", "\r\n"), "here")["HZ"] == "250"


def test_a_last_newline_is_not_needed():
    assert parse_config(TEXT.rstrip("\n"), "here")["KVM"] == "y"


# -- what is no configuration ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("\x7fELF\0\0CONFIG_ARM64=y", "is binary"),
        ("\ufffd\ufffd CONFIG_ARM64=y", "is binary"),
        ("<html>404 Not Found</html>", "no CONFIG_ line, it begins '<html>404"),
        ("Set CONFIG_KVM=y first.\nThen boot.\n", "line 1 of there reads 'Set CONFIG_KVM=y"),
    ],
)
def test_something_else_is_refused_with_what_it_looks_like(text, message):
    with pytest.raises(KernelConfigError) as refused:
        parse_config(text, "there")
    line = str(refused.value)
    assert message in line
    assert "there" in line
    assert "expected a kernel configuration" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "architecture"),
    [
        (TEXT.replace("Linux/arm64", "Linux/x86").replace("ARM64=y", "X86=y"), "x86"),
        (TEXT.replace("Linux/arm64", "Linux/arm").replace("CONFIG_ARM64=y\n", ""), "arm"),
        ("CONFIG_RISCV=y\nCONFIG_MODULES=y\nCONFIG_DEBUG_KERNEL=y\n", "riscv"),
    ],
)
def test_another_architecture_is_refused_by_its_name(text, architecture):
    with pytest.raises(KernelConfigError, match=f"architecture {architecture}; .*CONFIG_ARM64=y"):
        parse_config(text, "there")


@pytest.mark.parametrize("share", [0.02, 0.05, 0.3, 0.5, 0.8, 0.9, 0.97, 0.99])
def test_a_text_cut_off_anywhere_is_refused(share):
    with pytest.raises(KernelConfigError):
        parse_config(TEXT[: int(len(TEXT) * share)], "there")


def test_a_cut_at_every_position_is_noticed():
    text = TEXT.rstrip("\n")
    for end in range(len(text)):
        with pytest.raises(KernelConfigError):
            parse_config(text[:end], "there")


def test_a_cut_inside_a_line_shows_the_line():
    end = TEXT.index("CONFIG_VIRTUALIZATION") + len("CONFIG_VIRT")
    with pytest.raises(KernelConfigError, match=r"middle of a line: 'CONFIG_VIRT'.*copy it again"):
        parse_config(TEXT[:end], "there")


def test_a_cut_between_sections_names_the_last_one():
    end = TEXT.index("CONFIG_BLK_DEV_NVME")
    with pytest.raises(KernelConfigError, match="after the section 'Memory Management options'"):
        parse_config(TEXT[:end], "there")


def test_an_old_kernel_without_section_ends_is_judged_by_its_landmarks():
    old = "".join(line for line in TEXT.splitlines(True) if not line.startswith("# end of"))
    assert parse_config(old, "there")["KVM"] == "y"
    with pytest.raises(KernelConfigError, match="CONFIG_DEBUG_KERNEL is not among them"):
        parse_config(old[: old.index("CONFIG_DEBUG_KERNEL")], "there")


# -- a file here -----------------------------------------------------------------------------


def test_load_plain_and_compressed(tmp_path):
    packed = tmp_path / "config.gz"
    compressed(packed)
    assert load_config(packed).options == load_config(str(EXCERPT)).options
    assert load_config(packed).source == str(packed)


def test_a_gzip_file_that_ends_early(tmp_path):
    packed = tmp_path / "config.gz"
    packed.write_bytes(gzip.compress(EXCERPT.read_bytes())[:300])
    with pytest.raises(KernelConfigError, match=r"config\.gz is a gzip file that ends early"):
        load_config(packed)


def test_a_damaged_gzip_file(tmp_path):
    packed = tmp_path / "config.gz"
    packed.write_bytes(b"\x1f\x8b\x08\0" + b"\xff" * 200)
    with pytest.raises(KernelConfigError, match="damaged gzip file"):
        load_config(packed)


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read(tmp_path, name):
    with pytest.raises(KernelConfigError, match="cannot be read"):
        load_config(tmp_path / name)


# -- from a board ----------------------------------------------------------------------------


def test_proc_comes_first_and_takes_one_trip(board, elsewhere):
    compressed(elsewhere.root / "proc/config.gz")
    (elsewhere.root / "boot/config-6.1.0-56-arm64").write_text("CONFIG_ARM64=n\n")
    assert read_config(board).source.endswith("/proc/config.gz")
    assert elsewhere.trips == 1


def test_a_module_is_loaded_and_unloaded_again(board, elsewhere):
    compressed(elsewhere.root / "config.gz")
    elsewhere.program(
        "modprobe",
        'printf "%s\\n" "$*" >>$ROOT/calls\n'
        'case "$*" in "-n -q configs") ;; '
        "configs) cp $ROOT/config.gz $ROOT/proc/ ;; "
        '"-r configs") rm $ROOT/proc/config.gz ;; *) exit 1 ;; esac',
    )
    config = read_config(board)
    assert config["KVM"] == "y"
    assert "by way of the module configs" in config.source
    assert (elsewhere.root / "calls").read_text().splitlines() == [
        "-n -q configs",
        "configs",
        "-r configs",
    ]
    assert not (elsewhere.root / "proc/config.gz").exists()
    assert elsewhere.trips == 2


def test_a_module_that_was_loaded_before_stays(board, elsewhere):
    compressed(elsewhere.root / "proc/config.gz")
    elsewhere.program("modprobe", "touch $ROOT/calls")
    read_config(board)
    assert not (elsewhere.root / "calls").exists()


@pytest.mark.parametrize("sudo", ["echo 'sudo: a password is required' >&2; exit 1", "exit 127"])
def test_without_the_right_to_load_the_module_boot_serves(board, elsewhere, sudo):
    board.facts = replace(SOMEBODY, uid=1000)
    elsewhere.program("modprobe", '[ "$1" = -n ]')
    elsewhere.program("sudo", sudo)
    (elsewhere.root / "boot/config-6.1.0-56-arm64").write_text(TEXT)
    assert read_config(board).source.endswith("/boot/config-6.1.0-56-arm64")
    (elsewhere.root / "boot/config-6.1.0-56-arm64").unlink()
    with pytest.raises(KernelConfigError, match="sudo modprobe configs did not give it"):
        read_config(board)


def test_the_module_dir_comes_last(board, elsewhere):
    modules = elsewhere.root / "usr/lib/modules/6.1.0-56-arm64"
    modules.mkdir(parents=True)
    (modules / "config").write_text(TEXT)
    assert read_config(board).source.endswith("/6.1.0-56-arm64/config")


def test_none_at_all_lists_where_it_was_looked_for(board):
    with pytest.raises(KernelConfigError) as missing:
        read_config(board)
    line = str(missing.value)
    assert line.startswith("pi has no configuration of its kernel 6.1.0-56-arm64; expected")
    for part in ("/proc/config.gz", "/boot/config-6.1", "/usr/lib/modules/6.1", "load_config"):
        assert part in line


def test_a_cut_file_on_the_board_is_named(board, elsewhere):
    (elsewhere.root / "boot/config-6.1.0-56-arm64").write_text(TEXT[:900])
    with pytest.raises(KernelConfigError, match=r"/boot/config-6\.1\.0-56-arm64 "):
        read_config(board)
