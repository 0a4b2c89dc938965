"""Programs with C in them, compiled for a board by zig."""

import pytest

from labkit import golang


@pytest.mark.slow
def test_cgo_goes_through_zig_static_or_with_the_boards_own_library():
    text = "package main\n\n// static int two() { return 2; }\n"
    text += 'import "C"\n\nfunc main() { println(C.two()) }\n'
    static = golang.build(text, name="two", cc="zig-musl")
    assert static.elf.static
    assert static.elf.machine == "AArch64"
    linked = golang.build(text, name="two", cc="zig-glibc")
    assert "libc.so.6" in linked.elf.needed
    assert linked.elf.interpreter == "/lib/ld-linux-aarch64.so.1"
