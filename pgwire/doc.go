// Package pgwire speaks the PostgreSQL frontend/backend protocol, version 3.0 to 3.2, on the server's side
// (https://www.postgresql.org/docs/current/protocol.html). It knows nothing of SQL: what a message means is answered by a
// Session, which a Backend makes once a client has proved who it is.
//
// # Goroutines
//
// A Server has one goroutine for each connection, which alone reads from it, writes to it and calls its Session, and one
// that looks after clients that vanished while their statement runs. Other goroutines reach a connection only under
// its mutex: they leave a message for it or cancel its context, and wake it by an expired read deadline. Close and
// Shutdown return when all of them have ended.
package pgwire
