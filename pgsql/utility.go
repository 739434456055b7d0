package pgsql

import (
	"layercake/catalog"
)

// Transaction is BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their kin.
type Transaction struct {
	Kind       TransactionKind
	Name       string // savepoint
	Isolation  string // "", "read committed", "repeatable read", "serializable" …
	ReadOnly   *bool
	Deferrable *bool
	Chain      bool
}

// TransactionKind is the verb of a Transaction.
type TransactionKind uint8

// The verbs.
const (
	Begin TransactionKind = iota + 1 // also START TRANSACTION
	Commit
	Rollback
	Savepoint
	Release
	RollbackTo
	SetTransaction        // SET TRANSACTION
	SetSessionTransaction // SET SESSION CHARACTERISTICS AS TRANSACTION
)

// Set is SET, SET LOCAL, RESET and SET … TO DEFAULT. Values nil: to its default. Name "" with Values nil: RESET ALL.
type Set struct {
	Name   string
	Values []string
	Local  bool
	Reset  bool
}

// Show is SHOW name or SHOW ALL (Name "all").
type Show struct{ Name string }

// Prepare is PREPARE.
type Prepare struct {
	Name  string
	Types []uint32
	Query *Statement
}

// Execute is EXECUTE of a prepared statement with NArgs arguments. Bind compiles a one-row Query that computes the
// arguments as the prepared statement's parameter types want them.
type Execute struct {
	Name  string
	NArgs int
	Bind  func(types []uint32) (*Query, error)
}

// Deallocate is DEALLOCATE name; "" is ALL.
type Deallocate struct{ Name string }

// DeclareCursor is DECLARE … CURSOR.
type DeclareCursor struct {
	Name                 string
	Hold, Scroll, Binary bool
	Query                Plan
}

// Fetch is FETCH and MOVE.
type Fetch struct {
	Name      string
	Direction string // "forward", "backward", "absolute", "relative"
	Count     int64  // math.MaxInt64: all
	Move      bool
}

// CloseCursor is CLOSE name; "" is ALL.
type CloseCursor struct{ Name string }

// Explain is EXPLAIN. Of is the plan explained.
type Explain struct {
	Of      Plan
	Analyze bool
	Format  string // "text", "json" …
}

// NoOp is a statement that is accepted and needs nothing done here (VACUUM, CHECKPOINT, REINDEX …). Tag is its command tag.
type NoOp struct{ Tag string }

// Analyze gathers statistics of tables for the planner. Tag is its command tag: VACUUM does it too.
type Analyze struct {
	Tables []*catalog.Table
	Tag    string
}

// Discard is DISCARD ALL / PLANS / SEQUENCES / TEMP.
type Discard struct{ What string }

// SetConstraints is SET CONSTRAINTS. Constraints nil: ALL.
type SetConstraints struct {
	Constraints []catalog.ID
	Deferred    bool
}

// LockTable is LOCK TABLE.
type LockTable struct {
	Tables []*catalog.Table
	Mode   string
	NoWait bool
}

// Copy is COPY. Exactly one of Insert and Query is set.
type Copy struct {
	Table   *catalog.Table
	Columns []int // indexes into Table.Columns of the columns that the data has
	// Fill says for each of Table.Columns where a new row's value comes from: >= 0 an index into Columns, -1 Defaults.
	Fill     []int
	Defaults []catalog.Value // constants; used where Fill is -1 and Computed is nil
	// Computed is set when a default or generated column is not constant, or the table has CHECKs: a query over ArgNew
	// (the row as Fill and Defaults leave it) that returns the whole new row, then checks.
	Computed *Query
	// Insert carries NotNull, Checks, Uniques and References for COPY FROM (its Source is nil).
	Insert *Modify
	Query  *Query // COPY TO: what to send (for a table, a SELECT of its columns)

	Stdin, Stdout bool   // else File or Program was named: refused by who runs it
	Format        string // "text", "csv", "binary"
	Delimiter     byte
	Null          string
	Header        bool
	HeaderMatch   bool
	Quote, Escape byte
	ForceQuote    []int // indexes into Columns; all when ForceQuoteAll
	ForceQuoteAll bool
	ForceNotNull  []int
	ForceNull     []int
	Encoding      string
}

// Notify, Listen and Unlisten are what they are called. Unlisten "" is *.
type (
	Notify   struct{ Channel, Payload string }
	Listen   struct{ Channel string }
	Unlisten struct{ Channel string }
)

func (*Transaction) plan()    {}
func (*Set) plan()            {}
func (*Show) plan()           {}
func (*Prepare) plan()        {}
func (*Execute) plan()        {}
func (*Deallocate) plan()     {}
func (*DeclareCursor) plan()  {}
func (*Fetch) plan()          {}
func (*CloseCursor) plan()    {}
func (*Explain) plan()        {}
func (*NoOp) plan()           {}
func (*Analyze) plan()        {}
func (*Discard) plan()        {}
func (*LockTable) plan()      {}
func (*SetConstraints) plan() {}
func (*Copy) plan()           {}
func (*Notify) plan()         {}
func (*Listen) plan()         {}
func (*Unlisten) plan()       {}
