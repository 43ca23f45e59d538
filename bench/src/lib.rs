//! Criterion benches, and the rungs: what the machine can do at most.
