//! Benchmarks and workload generators of weft.
