// Package catalog holds what the SQL front knows by heart: types and their text and binary forms, functions, operators,
// casts, the schema as a value, and pg_catalog and information_schema as data. It does no I/O and keeps no state.
package catalog

import "time"

// ID names a schema object for ever, whatever it is called: the stamp of its creation (the creating node's clock
// reading, unique on that node, and the node's id). Greater ID: created later.
type ID struct {
	HLC  uint64
	Node uint64
}

// Schema is an immutable picture of everything that CREATE made, and of the system relations. A node has one current
// Schema; a transaction that ran DDL has one of its own. All pointers reachable from it are shared and read-only.
type Schema struct {
	// Version grows with each change on this node. Two nodes with the same objects may have different versions.
	Version uint64

	Namespaces []*Namespace
	Relations  []*Table // tables, views, sequences and system relations, in no particular order
	Roles      []*Role
	Settings   []*RoleSetting
	Grants     map[ID][]*Grant // by object
	// Bent are the relations and indexes that are shown under another name than theirs, which the object has that they
	// lead to.
	Bent map[ID]ID

	relByName map[relName]*Table
	relByOID  map[uint32]*Table
	relByID   map[ID]*Table
	idxByName map[relName]*Index
	idxByOID  map[uint32]*Index
	nsByName  map[string]*Namespace
	roles     map[string]*Role
	parents   map[ID]bool // tables that a foreign key refers to
}

type relName struct{ schema, name string }

// Namespace is what CREATE SCHEMA makes.
type Namespace struct {
	ID      ID
	OID     uint32
	Name    string
	Owner   string
	Comment string
}

// RelKind is a relation's kind, with pg_class.relkind's letters.
type RelKind byte

// The kinds of relation. Provided relations hold rows that the server makes up when a query runs (settings, nodes).
const (
	KindTable    RelKind = 'r'
	KindView     RelKind = 'v'
	KindSequence RelKind = 'S'
	KindProvided RelKind = 'p'
)

// Table is a relation. Constraints includes the primary key; Indexes includes those behind constraints.
type Table struct {
	ID      ID
	OID     uint32
	Schema  string
	Name    string
	Kind    RelKind
	Owner   string
	Comment string

	Columns     []*Column // live columns, ascending Num
	Constraints []*Constraint
	Indexes     []*Index

	Phys   string // name of the SQLite table ("t12"); for system tables their own name ("pg_class")
	System bool   // belongs to pg_catalog, information_schema or layercake: read-only, not replicated row by row

	View     string   // KindView: the query as PostgreSQL text, names qualified
	Sequence SeqDef   // KindSequence
	Options  []string // storage parameters as given, kept for display only
}

// Column is a column of a table or view.
type Column struct {
	ID        ID
	Num       int16 // pg_attribute.attnum, from 1; a dropped column leaves a gap
	Name      string
	Type      uint32 // OID
	Typmod    int32  // -1: none
	NotNull   bool
	Default   string // expression as PostgreSQL text, "" for none
	Identity  byte   // 'a' always, 'd' by default, 0 none
	Generated bool   // GENERATED ALWAYS AS (Default) STORED
	Sequence  ID     // the sequence that serial or identity made, owned by this column
	Comment   string
	Retyped   []Retype // what it has come from by ALTER COLUMN TYPE, the first first

	Phys    string // name of the SQLite column ("c3")
	Missing Value  // what rows from before ADD COLUMN read as (its constant default)
}

// ConstraintKind has pg_constraint.contype's letters.
type ConstraintKind byte

// The kinds of constraint.
const (
	PrimaryKey ConstraintKind = 'p'
	Unique     ConstraintKind = 'u'
	Check      ConstraintKind = 'c'
	ForeignKey ConstraintKind = 'f'
)

// Constraint is a table's constraint.
type Constraint struct {
	ID      ID
	OID     uint32
	Name    string
	Kind    ConstraintKind
	Columns []ID   // key columns, or those that a CHECK reads
	Expr    string // CHECK: expression as PostgreSQL text
	Index   *Index // PRIMARY KEY and UNIQUE
	Comment string

	RefTable                                ID // FOREIGN KEY
	RefColumns                              []ID
	OnUpdate, OnDelete                      byte // 'a' no action, 'r' restrict, 'c' cascade, 'n' set null, 'd' set default
	Match                                   byte // 's' simple, 'f' full
	Deferrable, InitiallyDeferred, NotValid bool
}

// Index is an index of a table.
type Index struct {
	ID               ID
	OID              uint32
	Name             string
	Table            ID
	Unique           bool
	Primary          bool
	NullsNotDistinct bool
	Keys             []IndexKey
	Include          []ID
	Where            string // partial: predicate as PostgreSQL text
	Method           string // "btree" unless said otherwise; others are accepted and built as btree
	Comment          string

	// The same in SQLite SQL over Phys names, as pgsql compiled them when the index was made: what sqlstore builds.
	// A primary key over one integer column has no SQLite index: its column is the rowid.
	Phys      string
	PhysKeys  []string // one term for each key, with COLLATE where its type needs it
	PhysWhere string
}

// IndexKey is one key of an index: a column, or an expression.
type IndexKey struct {
	Column     ID     // zero for an expression
	Expr       string // PostgreSQL text
	Desc       bool
	NullsFirst bool
	OpClass    string
	Collation  string
	Type       uint32 // of an expression; 0: not known
}

// SeqDef is a sequence's definition.
type SeqDef struct {
	Type                       uint32
	Start, Increment, Min, Max int64
	Cache                      int64
	Cycle                      bool
	OwnerTable, OwnerColumn    ID
}

// Role is a role that CREATE ROLE made.
type Role struct {
	ID                                         ID
	OID                                        uint32
	Name                                       string
	Superuser                                  bool
	Login                                      bool
	CreateDB, CreateRole, Inherit, Replication bool
	ConnLimit                                  int
	// Verifier is the SCRAM-SHA-256 verifier in PostgreSQL's form
	// (SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>), "" for no password.
	Verifier   string
	ValidUntil string
	BypassRLS  bool
	MemberOf   []ID
	Comment    string
}

// Expired says whether the role's password is no longer valid.
func (r *Role) Expired(now time.Time) bool {
	if r.ValidUntil == "" {
		return false
	}
	v, err := DecodeText(TimestamptzOID, -1, []byte(r.ValidUntil), nil)
	return err == nil && v.Int() <= TimestampFromTime(now)
}

// RoleSetting is one ALTER ROLE … SET or ALTER DATABASE … SET. Role "" stands for every role, Database "" for every
// database.
type RoleSetting struct {
	ID       ID
	Role     string
	Database string
	Name     string
	Value    string
}

// OutputSettings are the session settings that decide how values are read from and shown as text.
type OutputSettings struct {
	TimeZone         *time.Location
	TimeZoneName     string
	DateStyle        string // "ISO", "SQL", "Postgres" or "German"
	DateOrder        string // "MDY", "DMY" or "YMD"
	IntervalStyle    string // "postgres", "postgres_verbose", "sql_standard" or "iso_8601"
	ExtraFloatDigits int    // as PostgreSQL 12+: above 0 the shortest exact form
	ByteaOutput      string // "hex" or "escape"
	XMLBinary        string
	// Now is what 'now' and 'today' stand for: the transaction's start, µs since 2000-01-01 UTC. 0: ask the clock.
	Now int64
}
