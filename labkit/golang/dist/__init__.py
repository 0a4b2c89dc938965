"""Go distributions: which Go can build which, the build itself, and a comparison of two."""
