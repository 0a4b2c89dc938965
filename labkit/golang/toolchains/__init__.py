"""Go toolchains: on this machine, and on a board."""
