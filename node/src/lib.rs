//! Node executor trait, chain on disk and the weft command line.
