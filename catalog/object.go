package catalog

// The schema is replicated as data: one keyspace, ObjectKeyspace, holds one row for each object, and merges as every
// keyspace does. DDL is a list of Changes to it. BuildSchema makes the Schema of its rows; sqlstore then brings the
// SQLite tables into line. A row has these columns (ObjectColumns), each a cell of its own, so that two nodes that
// change different attributes of one object both keep their change.

// ObjectKind says what an object row describes.
type ObjectKind string

// The kinds of object row.
const (
	ObjectNamespace  ObjectKind = "namespace"
	ObjectTable      ObjectKind = "table"
	ObjectView       ObjectKind = "view"
	ObjectSequence   ObjectKind = "sequence"
	ObjectColumn     ObjectKind = "column"
	ObjectConstraint ObjectKind = "constraint"
	ObjectIndex      ObjectKind = "index"
	ObjectRole       ObjectKind = "role"
	ObjectSetting    ObjectKind = "setting"
	ObjectGrant      ObjectKind = "grant"
)

// Attr is a column of the object keyspace.
type Attr uint8

// The columns of an object row after its key (the ID, 16 bytes big-endian: HLC, node). Attributes that a kind does not
// use are NULL.
const (
	AttrKind    Attr = iota // TEXT, an ObjectKind
	AttrParent              // BLOB: the 16-byte ID of the table of a column, constraint or index; of the namespace of a table, view or sequence; of a grant's object
	AttrName                // TEXT
	AttrOwner               // TEXT, role name
	AttrOrder               // INTEGER: a column's wanted attnum (ties and gaps are settled by ID when the Schema is built)
	AttrType                // INTEGER: type OID
	AttrTypmod              // INTEGER
	AttrNotNull             // INTEGER 0/1
	AttrDefault             // TEXT: default expression
	AttrDef                 // TEXT: the rest, JSON, one documented struct for each kind (defs.go)
	AttrComment             // TEXT
	AttrCount
)

// ObjectKeyspace is the ID of the keyspace that holds the object rows, the same in every cluster.
var ObjectKeyspace = ID{HLC: 1, Node: 0}

// Op is what a Change does to its object row.
type Op uint8

// The operations.
const (
	Create Op = iota + 1 // a new row: every attribute is set, those absent from Attrs to NULL
	Alter                // the attributes in Attrs are set
	Drop
)

// Change is one change of one object row.
type Change struct {
	Op    Op
	ID    ID
	Attrs map[Attr]Value
}

// Object is an object row as read back.
type Object struct {
	ID    ID
	Attrs [AttrCount]Value
}
