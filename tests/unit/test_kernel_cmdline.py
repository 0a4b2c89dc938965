"""The kernel's command line, split as the kernel splits it."""

from labkit.boards import Board
from labkit.boards.local import LocalTransport
from labkit.kernel import read_cmdline
from labkit.kernel.cmdline import parse_cmdline

# From https://github.com/raspberrypi/linux/issues/6980, shortened.
PI = (
    "reboot=w coherent_pool=1M cgroup_disable=memory numa_policy=interleave "
    "smsc95xx.macaddr=2C:CF:67:FB:89:3C  cgroup_memory=1 cgroup_enable=memory "
    "console=ttyAMA10,115200 console=tty1 root=PARTUUID=4d8097e2-02 rootfstype=ext4 rootwait\n"
)


def test_values_flags_and_repeated_keys():
    line = parse_cmdline(PI)
    assert line.get("root") == "PARTUUID=4d8097e2-02"
    assert line.getall("console") == ["ttyAMA10,115200", "tty1"]
    assert line.get("console") == "tty1"
    assert "rootwait" in line
    assert line.get("rootwait") == ""
    assert str(line) == PI.strip()


def test_what_is_not_there():
    line = parse_cmdline(PI)
    assert "quiet" not in line
    assert line.get("quiet") is None
    assert line.get("quiet", "loud") == "loud"
    assert line.getall("quiet") == []


def test_an_empty_value_is_no_flag():
    assert parse_cmdline("a= b").parameters == (("a", ""), ("b", None))


def test_quotes_keep_spaces_together():
    line = parse_cmdline('dyndbg="file a.c +p; file b.c +p" "title=two words" quiet')
    assert line.get("dyndbg") == "file a.c +p; file b.c +p"
    assert line.get("title") == "two words"
    assert "quiet" in line


def test_a_quote_that_never_ends_takes_the_rest():
    assert parse_cmdline('a=1 b="two words').parameters == (("a", "1"), ("b", "two words"))


def test_the_kernel_takes_a_dash_for_an_underscore():
    line = parse_cmdline("kvm-arm.mode=none log_buf_len=1M")
    assert line.get("kvm_arm.mode") == "none"
    assert "log-buf-len" in line


def test_what_follows_two_dashes_is_for_init():
    line = parse_cmdline("quiet -- single quiet2=1 -- last")
    assert line.init_args == ("single", "quiet2=1", "--", "last")
    assert "single" not in line
    assert "quiet" in line


def test_an_empty_line():
    line = parse_cmdline("\n")
    assert line.parameters == ()
    assert "" not in line


def test_from_a_board():
    line = read_cmdline(Board("here", LocalTransport()))
    with open("/proc/cmdline") as file:
        assert line.text == file.read().strip()
