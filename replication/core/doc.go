// Package core is the part of replication that decides: who is sent what, when an entry may be applied, when a level is
// reached, how a barrier passes, how registers (the member list among them) are agreed on. It is a plain state machine:
// messages, ticks, link changes and durable progress of the store go in; messages, reads of the log, batches to apply,
// values to make durable and decisions come out. It has no goroutines, sockets, files or clock, so a simulator can run
// whole clusters of it in virtual time from one seed. Package replication is the runtime around it.
//
// A Node is not safe for concurrent use: its owner serialises the calls. The rules M, E and Q and C that comments name
// are those of DESIGN.md beside package replication.
package core
