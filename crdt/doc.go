// Package crdt holds the pure part of replication: hybrid logical clocks, stamps, version vectors, log entries,
// mutations and the rules by which rows merge. It does no I/O, starts no goroutine and never reads the time: the
// caller passes it in.
package crdt
