package pgsql

import (
	"layercake/catalog"
	"layercake/pgerror"
)

// Plan is a compiled statement: *Query, *Modify, *DDL, *Copy or one of the utility statements of utility.go. Plans are
// immutable and may be run by many sessions at once; they hold for the schema version and the environment they were
// compiled with (see Env).
type Plan interface{ plan() }

// Column describes a result column.
type Column struct {
	Name     string
	TableOID uint32 // 0 unless it is a plain column of a table
	AttNum   int16
	Type     uint32
	Typmod   int32
}

// ArgKind says where the value of an SQLite parameter comes from.
type ArgKind uint8

// The kinds of Arg.
const (
	ArgConst    ArgKind = iota // Value
	ArgParam                   // the statement's parameter $Index+1, already in stored form for Type/Typmod
	ArgSession                 // a value of the session, by Name: "now" (transaction start, µs since 2000-01-01 UTC), "statement_now", "TimeZone", "env", "user", "session_user", "database", "search_path" (current_schemas as array), "pid", "setting:NAME" …
	ArgProvided                // the rows of the provided relation Name, as a row set (see RowSet)
	ArgNew                     // column Index of the new row at hand (constraint look-ups, RETURNING, ON CONFLICT's excluded)
	ArgOld                     // column Index of the old row at hand (referential actions)
	ArgRowID                   // rowid of the existing row at hand (ON CONFLICT's target)
	ArgPack                    // Pack's values, as one row in catalog's row encoding (BLOB)
	ArgCTE                     // the RETURNING rows of Modify.With[Index] (or Query.With[Index]), as a row set
	ArgHidden                  // rowids of Table's rows that the open transaction has changed, for lc_holds (see Query.Overlaid)
	ArgOwn                     // the transaction's own rows of Table, each after its version, as a row set
	ArgLoop                    // Loop's rows, as a row set; Index tells the loops of a plan apart
	ArgWork                    // the rows of the last step of the loop at hand, as a row set
	ArgNextVal                 // the next value of the sequence whose OID is Index (Modify.Values only)
	ArgUUID                    // a new gen_random_uuid() (Modify.Values only)
)

// Arg is the source of one SQLite parameter.
type Arg struct {
	Kind  ArgKind
	Index int
	Name  string
	Value catalog.Value
	Pack  []Arg
	Table catalog.ID // ArgHidden, ArgOwn
	Loop  *Loop      // ArgLoop
}

// fresh says whether the value is another one each time that it is asked for.
func (a *Arg) fresh() bool { return a.Kind == ArgNextVal || a.Kind == ArgUUID }

// Loop is a recursive WITH query of which SQLite does not have the form: First's rows, then again and again those that
// Step makes of the last ones (ArgWork), until it makes none.
type Loop struct {
	First, Step *Query
	All         bool     // UNION ALL; else rows that were there before are left out, and are no part of the next step
	Types       []uint32 // of the columns
}

// Query is a statement that returns rows: compiled SQLite SQL whose parameters ?1, ?2 … are Args[0], Args[1] …
//
// A row set, bound for ArgProvided, ArgCTE and others, is a BLOB of rows in catalog's row encoding, which the SQL reads through
// the table-valued function lc_rows(blob, ncols).
type Query struct {
	SQL     string
	Args    []Arg
	Params  []uint32 // types of $1 …
	Columns []Column // the SQL's first columns
	Tag     string   // "SELECT", "SHOW" …; the row count is added by who runs it

	// With holds data-modifying WITH queries. Those whose rows SQL takes (ArgCTE) are worked out before it, the others after
	// it, all on the same snapshot: no effect is applied before everything is worked out.
	With []*Modify
	// Asked lists those that SQL reads, of With or of the statement that this is a part of, in the order in which PostgreSQL
	// would ask for their rows: FROM first, then WHERE, then what is selected. Where two of them change one row it counts.
	Asked []int

	Reads    []catalog.ID // replicated tables whose rows it reads (views expanded); system tables do not count
	System   bool         // reads system tables
	Volatile bool         // calls nextval, setval, set_config and the like: not to be run twice unseen
	Point    bool         // reads one table, with WHERE holding equality on every primary key column: at most one row
	Stable   bool         // its result depends on nothing but constants: needs no barrier
	Overlay  catalog.ID   // the table that Overlaid may be asked for: SQLite goes on using its indexes; zero: none

	Ranges []Range // what the SQL's table aliases stand for, for EXPLAIN

	// Locks is set by FOR UPDATE / SHARE: after Columns, the SQL returns for each Lock rowid, _h, _o, _c of the row.
	Locks []RowLock
}

// Range is what an alias of a Query's SQL stands for.
type Range struct {
	Alias string         // as the SQL has it
	Name  string         // as the statement calls it
	Table *catalog.Table // nil: a subquery, function or WITH query
}

// RowLock is a table locked by FOR [NO KEY] UPDATE / [KEY] SHARE.
type RowLock struct {
	Table      *catalog.Table
	Column     int  // where its rowid, _h, _o, _c stand among the SQL's columns
	Share      bool // SHARE, KEY SHARE
	NoWait     bool
	SkipLocked bool
}

// ModifyOp is what a Modify does.
type ModifyOp uint8

// The operations.
const (
	Insert ModifyOp = iota + 1
	Update
	Delete
)

// Modify is INSERT, UPDATE or DELETE. It is worked out by running Source, which changes nothing and tells for each
// affected row what is to become of it; whoever runs the plan then applies the rows (sqlstore's Tx), so that the same
// plan serves the writer, a reader within an open transaction, and a replay.
//
// Source's columns, in order:
//
//	INSERT: the new row (all of Table.Columns, in order, defaults filled in), checks…
//	UPDATE: rowid, _h, _o, _c, the new row, [the old row, if NeedOld], checks…, returning…
//	DELETE: rowid, _h, _o, _c, the old row, returning…
//
// rowid, _h, _o and _c (INSERT stamp's clock and local origin number, and the cell clocks) together are the version of
// the row that was seen. Checks are the results of the table's CHECK constraints over the new row: 0 is a violation.
// Returning columns are RETURNING's for UPDATE and DELETE.
type Modify struct {
	Op     ModifyOp
	Table  *catalog.Table
	Source *Query
	// Values gives the new rows of an INSERT directly when every value is a constant, a parameter, a value of the session,
	// nextval or gen_random_uuid, and there are no CHECKs: Source, which says the same, need not be run then. Row by row,
	// the values are to be worked out in the order in which they stand.
	Values [][]Arg
	Tag    string // "INSERT 0", "UPDATE", "DELETE"; the row count is added by who runs it

	SetColumns []int // UPDATE: indexes into Table.Columns of the cells that SET names (generated columns included)
	KeyChange  bool  // UPDATE: SetColumns touches the primary key
	NeedOld    bool
	NotNull    []int // indexes into Table.Columns that must not be NULL in the new row: 23502
	Checks     []*catalog.Constraint

	// Uniques: one for each unique index (the primary key first), to find a row that stands in the way.
	Uniques []UniqueCheck

	// References: FOREIGN KEYs of this table, to be checked for the new row once the statement's changes are made.
	References []ReferenceCheck
	// Referenced: FOREIGN KEYs of other tables (or this) that refer to this table: for a row deleted, or updated in a
	// referenced column.
	Referenced []ReferencedCheck

	OnConflict *OnConflict // INSERT

	// RETURNING: Columns describe it (nil: none). For INSERT either ReturnCols gives it as indexes into the new row, or
	// ReturnQuery is run for each row with ArgNew. For UPDATE and DELETE it stands in Source from column ReturnAt.
	Returning   []Column
	ReturnCols  []int
	ReturnQuery *Query
	ReturnAt    int

	Params []uint32
}

// UniqueCheck finds the row that has the new row's key in a unique index.
type UniqueCheck struct {
	Index      *catalog.Index
	Constraint string // name for the error
	Columns    []int  // indexes into Table.Columns of the keys; -1 for an expression
	// Lookup returns rowid, _h, _o, _c of the row with the key of the new row (ArgNew), no row if there is none or a
	// key is NULL; then, for the message, nothing. It finds only rows that hold the key by right (_u… = 0).
	Lookup *Query
	// Keys returns the key values of the new row (ArgNew), for a lock on the key and for the error's detail. nil when
	// every key is a plain column and there is no WHERE: take them from the row.
	Keys *Query
	// Detail is the key's text for "Key (%s)=(…) already exists."
	Detail string
}

// ReferenceCheck looks for the parent of a row.
type ReferenceCheck struct {
	Constraint *catalog.Constraint
	Columns    []int // indexes into Table.Columns
	Parent     *catalog.Table
	// Lookup returns rowid, _h, _o, _c of the parent of the new row (ArgNew).
	Lookup *Query
}

// ReferencedCheck finds the children of a row that goes or changes its key.
type ReferencedCheck struct {
	Constraint *catalog.Constraint
	Child      *catalog.Table
	Columns    []int // indexes into this Table.Columns of the referenced columns
	// Find returns one row if a child of the old row (ArgOld) exists.
	Find *Query
	// OnDelete and OnUpdate carry out CASCADE, SET NULL and SET DEFAULT: they compile the statement on the child, whose
	// Source takes ArgOld (this table's old row) and ArgNew (its new row). nil: NO ACTION or RESTRICT.
	OnDelete, OnUpdate func() (*Modify, error)
}

// OnConflict is an INSERT's ON CONFLICT.
type OnConflict struct {
	Arbiters []int // indexes into Modify.Uniques that count; any other unique index raises 23505
	// Action is run for a row in conflict with ArgNew (the row proposed: excluded) and ArgRowID (the existing row); nil:
	// DO NOTHING. It returns no row if WHERE is not true, else: rowid, _h, _o, _c, the new row, the old row, checks…
	Action     *Query
	SetColumns []int
	KeyChange  bool
	NotNull    []int             // as Modify.NotNull, for the row as updated
	Referenced []ReferencedCheck // as Modify.Referenced, for the row updated
}

// DDL is a statement that changes the schema: changes of object rows, made against exactly the Schema it was compiled
// for. What follows from them physically (tables, columns, indexes, re-keying) is sqlstore's work.
type DDL struct {
	Tag     string
	Changes []catalog.Change
	Notices []*pgerror.Error
	// Truncate lists tables to empty (TRUNCATE; also the tables that are dropped).
	Truncate []*catalog.Table
	// Validate are queries run after the changes, on the writer: a row returned means the error (whose %v verbs, if
	// any, take the row's columns).
	Validate []Validation
	// Then are statements to compile against the new schema and run in the same transaction (CREATE TABLE AS's INSERT,
	// a volatile default's UPDATE), as PostgreSQL text.
	Then []string
	// Finish gives changes to make once Then has run, against the schema as it is by then (ALTER COLUMN TYPE puts the
	// new column in the old one's place). nil: none. Validate runs after them.
	Finish func(*catalog.Schema) []catalog.Change
	// Alone names a statement that may not run in a transaction block (CREATE INDEX CONCURRENTLY), "" else.
	Alone string
	// Setting is the setting that ALTER ROLE or ALTER DATABASE … SET keeps, for its value to be checked.
	Setting *Set
	// Restart lists sequences to reset (TRUNCATE … RESTART IDENTITY, ALTER SEQUENCE RESTART).
	Restart []SequenceRestart
}

// SequenceRestart resets a sequence.
type SequenceRestart struct {
	Sequence catalog.ID
	Value    int64
}

// Validation is a query that must find nothing.
type Validation struct {
	Compile func(*catalog.Schema) (*Query, error) // compiled against the schema after the changes
	// Why: to be compiled against the schema before the changes, and run only if the store has refused these: it has less to
	// say (a unique index over equal keys).
	Why   bool
	Error func(row []catalog.Value) *pgerror.Error
}

func (*Query) plan()  {}
func (*Modify) plan() {}
func (*DDL) plan()    {}
