"""Which of QEMU's cores can run which kernel."""

from __future__ import annotations

from labkit.errors import VirtualError
from labkit.platforms import VirtualSpec

__all__ = ["require_pages"]

# Seen with QEMU 7.2: on these a kernel with pages of 16 KiB ends before its first word. The
# architecture leaves that page size to the maker, and ID_AA64MMFR0_EL1.TGran16 is 0 in them.
_WITHOUT_16_KIB = {"a64fx", "cortex-a53", "cortex-a57", "cortex-a72"}


def require_pages(recipe: VirtualSpec) -> None:
    """Raise :class:`VirtualError` where the core lacks the page size of the recipe's kernel."""
    core = recipe.cpu.partition(",")[0]
    if recipe.kernel.endswith("-16k") and core in _WITHOUT_16_KIB:
        raise VirtualError(
            f"{core} has no pages of 16 KiB, and {recipe.kernel} has no others",
            expected="a core that has them, such as cortex-a76",
            todo='borrow one of another platform, as in borrowed_board("debian-12", cpu=...)',
        )
