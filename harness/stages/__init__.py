"""The stage graph: fingerprints, snapshots and forks."""
