package sqlfunc

import (
	"time"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

// Session is what a connection's Session must offer for all functions to work. A function asks only for the part that
// it needs; a connection whose Session lacks the part answers 55000.
type Session interface {
	Sequences
	Settings
	AdvisoryLocks
	Backend
	Transactions
	Cluster
}

// Sequences are nextval and its kin. Sequences are named by OID; errors are as PostgreSQL's (42P01, 2200H, 55000).
type Sequences interface {
	NextVal(sequence uint32) (int64, error)
	CurrVal(sequence uint32) (int64, error)
	LastVal() (int64, error)
	SetVal(sequence uint32, value int64, called bool) error
	// SequenceLastValue is pg_sequence_last_value: ok false before the first nextval.
	SequenceLastValue(sequence uint32) (value int64, ok bool, err error)
}

// Settings are current_setting and set_config.
type Settings interface {
	// Setting returns a setting's value as SHOW shows it; ok false for one that nobody knows.
	Setting(name string) (value string, ok bool)
	// SetConfig sets and returns the new value as SHOW shows it.
	SetConfig(name, value string, local bool) (string, error)
}

// LockKey names an advisory lock: one int8 (Two false, Key), or two int4.
type LockKey struct {
	Two           bool
	Key           int64 // the int8, or the first int4
	Key2          int32
	Shared        bool
	Transactional bool // held until the transaction ends
}

// AdvisoryLocks are the pg_advisory functions. The locks are this node's alone.
type AdvisoryLocks interface {
	// AdvisoryLock takes a lock; wait false returns false where it would have to wait.
	AdvisoryLock(k LockKey, wait bool) (bool, error)
	// AdvisoryUnlock gives back a session lock, false if it was not held.
	AdvisoryUnlock(k LockKey) (bool, error)
	AdvisoryUnlockAll() error
}

// Backend is what concerns the client's connection.
type Backend interface {
	PID() uint32
	// Signal is pg_cancel_backend, and pg_terminate_backend with terminate; false if there is no such session.
	Signal(pid uint32, terminate bool) (bool, error)
	Notify(channel, payload string) error
	Listening() []string
	// Sleep waits, and returns early with 57014 when the statement is cancelled.
	Sleep(time.Duration) error
}

// Transactions are the transaction's own matters.
type Transactions interface {
	// TransactionID is txid_current: assign says whether to give the transaction one; 0 for none.
	TransactionID(assign bool) (int64, error)
	// Remember returns what make returned when this place of the transaction was first run, or calls make: random
	// values, generated ids and the clock must come out equal when a transaction is run again.
	Remember(make func() (catalog.Value, error)) (catalog.Value, error)
}

// Cluster is what concerns the node and the cluster: the functions of schema layercake.
type Cluster interface {
	NodeName() string
	// StartTime is when the node started, in microseconds since 2000-01-01 UTC.
	StartTime() int64
	// UniqueID returns a number that no other call on any node returns, without asking anybody.
	UniqueID() (int64, error)
	SessionToken() (string, error)
	WaitFor(token string) error
	TransactionStatus(id string) (string, error)
	Verify() ([]VerifyRow, error)
	// Repair returns how many rows it mended.
	Repair(table uint32) (int64, error)
	// RemoveNode takes a member out of the cluster for good, and Leave this node; both say what happened.
	RemoveNode(name string) (string, error)
	Leave() (string, error)
}

// VerifyRow is one member's digest of one relation. OK says whether it equals the others'.
type VerifyRow struct {
	Node, Relation string
	Rows           int64
	Digest         string
	OK             bool
	Detail         string // what is wrong, for a reader
}

// part returns the connection's Session as T.
func part[T any](ctx *sqlite.Context, what string) (T, error) {
	s, ok := ctx.Session().(T)
	if !ok {
		return s, errf("55000", "%s is not available here", what)
	}
	return s, nil
}
