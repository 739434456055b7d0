// Package replication gets entries to enough peers: it streams every origin's log from the receiver's vector, counts
// acks, holds statements until their consistency level is met, relays what a member cannot get from its origin, joins
// new members, and keeps the registers (the member list, blocks of sequence numbers) that a majority decides.
//
// What it decides, it decides in package core, a state machine without goroutines or clock. This package runs that
// machine over gRPC, a Store and the time; DESIGN.md gives the reasons. It knows nothing of SQL: an entry is bytes with
// a head.
//
// A Replicator owns its goroutines: an acceptor, a dialer and two loops for each peer, one that applies, one that makes
// promises durable, one that watches the store, one that reads hashes of the log, one that looks after it, one that ticks and
// one that keeps gossip in touch. All have ended when Close returns.
package replication
