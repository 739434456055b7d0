// Package sqlstore keeps one node's data in one SQLite database: it records every change that a transaction makes as an
// entry of this node's log, in the same commit as the rows, and applies other nodes' entries by the merge rules of
// package crdt. It knows nothing of statements, sessions or the network.
//
// A Store owns three kinds of goroutine, all joined by Close: the writer, which alone changes the database and commits
// for everybody who is waiting at once; the checkpointer; and, for the length of a call, whoever watches its context.
// DESIGN.md gives the reasons.
package sqlstore
