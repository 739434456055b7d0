package catalog

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// What an object row's AttrDef holds: one struct for each kind, as JSON. A zero value is left out, and so is the whole
// text ("") where a kind needs nothing. Names are stable: rows written by one version are read by others.

// PublicID names the schema public, the same in every cluster.
var PublicID = ID{HLC: 2, Node: 0}

// NamespaceDef is the AttrDef of ObjectNamespace.
type NamespaceDef struct {
	// Dropped marks the schema public, which is there without a row, as dropped.
	Dropped bool `json:"dropped,omitempty"`
}

// TableDef is the AttrDef of ObjectTable.
type TableDef struct {
	Options []string `json:"options,omitempty"` // storage parameters, "name=value"
}

// ViewDef is the AttrDef of ObjectView. Its columns are rows of their own.
type ViewDef struct {
	Query   string   `json:"query"` // PostgreSQL text: names qualified, stars expanded
	Options []string `json:"options,omitempty"`
}

// SequenceDef is the AttrDef of ObjectSequence; AttrType is its data type.
type SequenceDef struct {
	Start       int64 `json:"start"`
	Increment   int64 `json:"increment"`
	Min         int64 `json:"min"`
	Max         int64 `json:"max"`
	Cache       int64 `json:"cache"`
	Cycle       bool  `json:"cycle,omitempty"`
	OwnerTable  ID    `json:"ownerTable,omitzero"`
	OwnerColumn ID    `json:"ownerColumn,omitzero"`
}

// ColumnDef is the AttrDef of ObjectColumn; name, order, type, typmod, not null and default are attributes.
type ColumnDef struct {
	Identity  string   `json:"identity,omitempty"` // "a" always, "d" by default
	Generated bool     `json:"generated,omitempty"`
	Sequence  ID       `json:"sequence,omitzero"`
	Missing   []byte   `json:"missing,omitempty"` // an encoded value (AppendValue)
	Retyped   []Retype `json:"retyped,omitempty"`
}

// Retype is one ALTER COLUMN TYPE that put a column in the place of another, of a value that depends on the other one alone.
type Retype struct {
	From     ID     `json:"from"` // the column that there was; it is dropped
	Name     string `json:"name"` // and what it was called, had for a type
	Type     uint32 `json:"type"`
	Typmod   int32  `json:"typmod"`
	Using    string `json:"using"`    // its value in the new column, as PostgreSQL text
	Settings string `json:"settings"` // of the session that changed it (OutputSettings.String)
}

// ConstraintDef is the AttrDef of ObjectConstraint.
type ConstraintDef struct {
	Kind              string `json:"kind"` // ConstraintKind's letter
	Columns           []ID   `json:"columns,omitempty"`
	Expr              string `json:"expr,omitempty"`
	Index             ID     `json:"index,omitzero"` // PRIMARY KEY and UNIQUE
	RefTable          ID     `json:"refTable,omitzero"`
	RefColumns        []ID   `json:"refColumns,omitempty"`
	OnUpdate          string `json:"onUpdate,omitempty"` // "" is "a"
	OnDelete          string `json:"onDelete,omitempty"`
	Match             string `json:"match,omitempty"` // "" is "s"
	Deferrable        bool   `json:"deferrable,omitempty"`
	InitiallyDeferred bool   `json:"initiallyDeferred,omitempty"`
	NotValid          bool   `json:"notValid,omitempty"`
}

// IndexDef is the AttrDef of ObjectIndex.
type IndexDef struct {
	Unique           bool          `json:"unique,omitempty"`
	Primary          bool          `json:"primary,omitempty"`
	NullsNotDistinct bool          `json:"nullsNotDistinct,omitempty"`
	Keys             []IndexKeyDef `json:"keys"`
	Include          []ID          `json:"include,omitempty"`
	Where            string        `json:"where,omitempty"`
	Method           string        `json:"method,omitempty"` // "" is btree
}

// IndexKeyDef is one key of an IndexDef.
type IndexKeyDef struct {
	Column     ID     `json:"column,omitzero"`
	Expr       string `json:"expr,omitempty"`
	Desc       bool   `json:"desc,omitempty"`
	NullsFirst bool   `json:"nullsFirst,omitempty"`
	OpClass    string `json:"opclass,omitempty"`
	Collation  string `json:"collation,omitempty"`
	Type       uint32 `json:"type,omitempty"` // of an expression
}

// RoleDef is the AttrDef of ObjectRole.
type RoleDef struct {
	Superuser   bool   `json:"superuser,omitempty"`
	Login       bool   `json:"login,omitempty"`
	CreateDB    bool   `json:"createDB,omitempty"`
	CreateRole  bool   `json:"createRole,omitempty"`
	NoInherit   bool   `json:"noInherit,omitempty"`
	Replication bool   `json:"replication,omitempty"`
	BypassRLS   bool   `json:"bypassRLS,omitempty"`
	ConnLimit   *int   `json:"connLimit,omitempty"` // absent: -1, none
	Verifier    string `json:"verifier,omitempty"`
	ValidUntil  string `json:"validUntil,omitempty"`
	MemberOf    []ID   `json:"memberOf,omitempty"`
}

// SettingDef is the AttrDef of ObjectSetting; AttrName is the setting's name.
type SettingDef struct {
	Role     string `json:"role,omitempty"`     // "": every role
	Database string `json:"database,omitempty"` // "": every database
	Value    string `json:"value"`
}

// GrantDef is the AttrDef of ObjectGrant; AttrParent is the object.
type GrantDef struct {
	Role      ID     `json:"role,omitzero"` // zero: PUBLIC
	Privilege string `json:"privilege"`     // aclitem's letter
	Grantable bool   `json:"grantable,omitempty"`
	Grantor   string `json:"grantor,omitempty"` // role name
	Revoked   bool   `json:"revoked,omitempty"` // takes away what PUBLIC has by default
}

// EncodeDef returns def (one of the structs above) as an AttrDef.
func EncodeDef(def any) Value {
	b, err := json.Marshal(def)
	if err != nil {
		panic("catalog: a definition that JSON cannot hold: " + err.Error()) // the structs above always can
	}
	return TextBytes(b)
}

// DecodeDef reads an AttrDef into def; NULL and "" leave it as it is.
func DecodeDef(v Value, def any) error {
	if v.Kind != Text || len(v.Bytes) == 0 {
		return nil
	}
	return json.Unmarshal(v.Bytes, def)
}

// Bytes returns the 16-byte form of id, as the object keyspace's key and AttrParent have it.
func (id ID) Bytes() []byte {
	b := make([]byte, 0, 16)
	b = binary.BigEndian.AppendUint64(b, id.HLC)
	return binary.BigEndian.AppendUint64(b, id.Node)
}

// Value returns the BLOB of Bytes.
func (id ID) Value() Value { return BlobBytes(id.Bytes()) }

// IsZero says whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// IDFromBytes reads what Bytes wrote.
func IDFromBytes(b []byte) (ID, bool) {
	if len(b) != 16 {
		return ID{}, false
	}
	return ID{HLC: binary.BigEndian.Uint64(b), Node: binary.BigEndian.Uint64(b[8:])}, true
}

// MarshalText writes id as 32 hex digits.
func (id ID) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, id.Bytes()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("catalog: object id: %w", err)
	}
	v, ok := IDFromBytes(b)
	if !ok {
		return fmt.Errorf("catalog: object id of %d bytes", len(b))
	}
	*id = v
	return nil
}
