package catalog

import (
	"strings"

	"layercake/pgerror"
)

// Type is a row of pg_type.
type Type struct {
	OID       uint32
	Name      string
	Len       int16 // -1: variable, -2: C string
	ByVal     bool
	Kind      byte // typtype: 'b' base, 'p' pseudo, 'r' range, 'm' multirange, 'c' composite, 'e' enum
	Category  byte // typcategory
	Preferred bool
	Delim     byte   // between array elements; 0 stands for ','
	Elem      uint32 // element type of an array (and of what else can be subscripted), 0 for none
	Array     uint32 // the array type over it, 0 for none
	Align     byte
	Storage   byte
	Collation uint32
	// Supported says whether values of the type can be stored and computed with. Others are known by name only.
	Supported bool

	// The names of its input, output and modifier functions in PostgreSQL, "" for none.
	In, Out, Recv, Send, ModIn, ModOut string
}

var typesByOID, typesByName = indexTypes()

func indexTypes() (byOID map[uint32]*Type, byName map[string]*Type) {
	byOID, byName = make(map[uint32]*Type, len(builtinTypes)), make(map[string]*Type, len(builtinTypes))
	for i := range builtinTypes {
		t := &builtinTypes[i]
		if t.Delim == 0 {
			t.Delim = ','
		}
		byOID[t.OID], byName[t.Name] = t, t
	}
	return byOID, byName
}

// Types returns every built-in type by ascending OID. The slice is shared and read-only.
func Types() []Type { return builtinTypes }

// TypeByOID returns the type with the OID, nil if there is none.
func TypeByOID(oid uint32) *Type { return typesByOID[oid] }

// TypeByName returns the built-in type called name as pg_type has it ("int4", "_text"), nil if there is none.
func TypeByName(name string) *Type { return typesByName[name] }

// IsArray says whether t is a true array type: "_int4", and int2vector and oidvector, which behave as arrays too.
func (t *Type) IsArray() bool { return (t.Category == 'A' || t.OID == RecordArrayOID) && t.Elem != 0 }

// ArrayOf returns the OID of the array type over oid, 0 if there is none.
func ArrayOf(oid uint32) uint32 {
	if t := typesByOID[oid]; t != nil {
		return t.Array
	}
	return 0
}

// ElemOf returns the OID of the element type of the array type oid, 0 if it is not an array.
func ElemOf(oid uint32) uint32 {
	if t := typesByOID[oid]; t != nil && t.IsArray() {
		return t.Elem
	}
	return 0
}

// IsPseudo says whether oid is a pseudo-type that no value has (any, anyelement, internal …); unknown, record and void
// are not counted.
func IsPseudo(oid uint32) bool {
	t := typesByOID[oid]
	return t != nil && t.Kind == 'p' && oid != UnknownOID && oid != RecordOID && oid != VoidOID
}

// IsReg says whether oid is one of the types that show an OID as a name.
func IsReg(oid uint32) bool {
	switch oid {
	case RegprocOID, RegprocedureOID, RegoperOID, RegoperatorOID, RegclassOID, RegtypeOID, RegconfigOID,
		RegdictionaryOID, RegnamespaceOID, RegroleOID, RegcollationOID:
		return true
	}
	return false
}

// Collation returns the SQLite collation that comparisons of values of type oid must name: "RTRIM", "LCKEY", "LCJSON", or
// "" for none.
func Collation(oid uint32) string {
	switch oid {
	case NumericOID:
		return "RTRIM"
	case IntervalOID, TimetzOID:
		return "LCKEY"
	case JSONBOID:
		return "LCJSON"
	}
	return ""
}

// IsCollatable says whether values of type oid are text under some PostgreSQL collation.
func IsCollatable(oid uint32) bool {
	t := typesByOID[oid]
	if t == nil {
		return false
	}
	if t.IsArray() {
		t = typesByOID[t.Elem]
	}
	return t != nil && t.Collation != 0
}

// CheckSupported returns nil for a supported type, else 0A000 (or 42704 for an OID that no type has).
func CheckSupported(oid uint32) error {
	t := typesByOID[oid]
	if t == nil {
		return pgerror.New(pgerror.UndefinedObject, "type with OID %d does not exist", oid)
	}
	if !t.Supported {
		return pgerror.New(pgerror.FeatureNotSupported, "type %s is not supported", FormatType(oid, -1))
	}
	return nil
}

// sqlTypeNames are the spellings that SQL's grammar, not pg_type, knows.
var sqlTypeNames = map[string]uint32{
	"int":                         Int4OID,
	"integer":                     Int4OID,
	"smallint":                    Int2OID,
	"bigint":                      Int8OID,
	"real":                        Float4OID,
	"float":                       Float8OID,
	"double precision":            Float8OID,
	"decimal":                     NumericOID,
	"dec":                         NumericOID,
	"boolean":                     BoolOID,
	"character":                   BpcharOID,
	"char":                        BpcharOID,
	"nchar":                       BpcharOID,
	"national character":          BpcharOID,
	"national char":               BpcharOID,
	"character varying":           VarcharOID,
	"char varying":                VarcharOID,
	"nchar varying":               VarcharOID,
	"national character varying":  VarcharOID,
	"national char varying":       VarcharOID,
	"bit varying":                 VarbitOID,
	"time without time zone":      TimeOID,
	"time with time zone":         TimetzOID,
	"timestamp without time zone": TimestampOID,
	"timestamp with time zone":    TimestamptzOID,
}

// LookupType returns the OID and typmod (-1: none) of the type that text spells, in any of the ways PostgreSQL
// accepts: int, integer, int4, "char", character varying(10), timestamp(3) with time zone, pg_catalog.int4, float(20),
// interval day to second(3), text[], int ARRAY[4]. It gives 42704 for a type that does not exist, 42601 for text that
// is no type name.
func LookupType(text string) (oid uint32, typmod int32, err error) {
	p := typeNameParser{text: text, rest: text}
	return p.parse()
}

// typeNameParser takes a type name apart.
type typeNameParser struct {
	text string // whole
	rest string
}

func (p *typeNameParser) fail() error {
	return pgerror.New(pgerror.SyntaxError, "invalid type name \"%s\"", p.text)
}

func (p *typeNameParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n\r\f\v") }

// ident takes an identifier: unquoted (folded to lower case) or quoted.
func (p *typeNameParser) ident() (name string, quoted, ok bool) {
	p.space()
	if strings.HasPrefix(p.rest, `"`) {
		var b strings.Builder
		for i := 1; i < len(p.rest); i++ {
			if p.rest[i] != '"' {
				b.WriteByte(p.rest[i])
				continue
			}
			if i+1 < len(p.rest) && p.rest[i+1] == '"' {
				b.WriteByte('"')
				i++
				continue
			}
			p.rest = p.rest[i+1:]
			return b.String(), true, b.Len() > 0
		}
		return "", true, false
	}
	n := 0
	for n < len(p.rest) {
		c := p.rest[n]
		if c == '_' || c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || n > 0 && (c == '$' || c >= '0' && c <= '9') {
			n++
			continue
		}
		break
	}
	if n == 0 {
		return "", false, false
	}
	name = asciiLower(p.rest[:n])
	p.rest = p.rest[n:]
	return name, false, true
}

// word takes the unquoted word w if it comes next.
func (p *typeNameParser) word(w string) bool {
	save := p.rest
	if name, quoted, ok := p.ident(); ok && !quoted && name == w {
		return true
	}
	p.rest = save
	return false
}

// byte takes the byte c if it comes next.
func (p *typeNameParser) byte(c byte) bool {
	p.space()
	if p.rest != "" && p.rest[0] == c {
		p.rest = p.rest[1:]
		return true
	}
	return false
}

func (p *typeNameParser) integer() (int64, bool) {
	p.space()
	neg := p.byte('-')
	n, v := 0, int64(0)
	for n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9' && v < 1<<40 {
		v = v*10 + int64(p.rest[n]-'0')
		n++
	}
	p.rest = p.rest[n:]
	if neg {
		v = -v
	}
	return v, n > 0
}

// mods takes an optional parenthesised list of integers.
func (p *typeNameParser) mods() (mods []int64, err error) {
	if !p.byte('(') {
		return nil, nil
	}
	for {
		v, ok := p.integer()
		if !ok {
			return nil, p.fail()
		}
		mods = append(mods, v)
		if p.byte(')') {
			return mods, nil
		}
		if !p.byte(',') {
			return nil, p.fail()
		}
	}
}

func (p *typeNameParser) parse() (uint32, int32, error) {
	oid, mods, typmod, err := p.base()
	if err != nil {
		return 0, 0, err
	}
	if mods != nil {
		if typmod, err = EncodeTypmod(oid, mods); err != nil {
			return 0, 0, err
		}
	}
	array := false
	if p.word("array") {
		array = true
	}
	for p.byte('[') {
		array = true
		p.integer()
		if !p.byte(']') {
			return 0, 0, p.fail()
		}
	}
	if p.space(); p.rest != "" {
		return 0, 0, p.fail()
	}
	if array {
		elem := oid
		if oid = ArrayOf(elem); oid == 0 {
			return 0, 0, pgerror.New(pgerror.UndefinedObject, "could not find array type for data type %s", FormatType(elem, -1))
		}
	}
	return oid, typmod, nil
}

// base takes the name with its modifiers, without array bounds. mods nil: typmod holds.
func (p *typeNameParser) base() (oid uint32, mods []int64, typmod int32, err error) {
	name, quoted, ok := p.ident()
	if !ok {
		return 0, nil, 0, p.fail()
	}
	if p.byte('.') {
		schema := name
		if name, _, ok = p.ident(); !ok {
			return 0, nil, 0, p.fail()
		}
		t := typesByName[name]
		if schema != "pg_catalog" || t == nil {
			return 0, nil, 0, pgerror.New(pgerror.UndefinedObject, "type \"%s.%s\" does not exist", schema, name)
		}
		mods, err = p.mods()
		return t.OID, mods, -1, err
	}
	if quoted {
		t := typesByName[name]
		if t == nil {
			return 0, nil, 0, pgerror.New(pgerror.UndefinedObject, "type \"%s\" does not exist", name)
		}
		mods, err = p.mods()
		return t.OID, mods, -1, err
	}
	switch name {
	case "national":
		if !p.word("character") && !p.word("char") {
			return 0, nil, 0, p.fail()
		}
		name = "character"
	case "double":
		if !p.word("precision") {
			return 0, nil, 0, pgerror.New(pgerror.UndefinedObject, "type \"double\" does not exist")
		}
		return Float8OID, nil, -1, nil
	case "interval":
		return p.interval()
	}
	if (name == "character" || name == "char" || name == "nchar") && p.word("varying") {
		name = "character varying"
	}
	if name == "bit" && p.word("varying") {
		name = "bit varying"
	}
	if mods, err = p.mods(); err != nil {
		return 0, nil, 0, err
	}
	if name == "time" || name == "timestamp" {
		switch {
		case p.word("with"):
			name += " with time zone"
		case p.word("without"):
			name += " without time zone"
		}
		if strings.Contains(name, " ") && !(p.word("time") && p.word("zone")) {
			return 0, nil, 0, p.fail()
		}
	}
	oid, ok = sqlTypeNames[name]
	if !ok {
		t := typesByName[name]
		if t == nil {
			return 0, nil, 0, pgerror.New(pgerror.UndefinedObject, "type \"%s\" does not exist", name)
		}
		oid = t.OID
	}
	switch {
	case name == "float" && len(mods) == 1:
		switch {
		case mods[0] < 1:
			return 0, nil, 0, pgerror.New(pgerror.InvalidParameterValue, "precision for type float must be at least 1 bit")
		case mods[0] > 53:
			return 0, nil, 0, pgerror.New(pgerror.InvalidParameterValue, "precision for type float must be less than 54 bits")
		case mods[0] <= 24:
			oid = Float4OID
		}
		return oid, nil, -1, nil
	case mods == nil && (name == "character" || name == "char" || name == "nchar" || name == "bit"):
		mods = []int64{1} // the grammar's default length
	}
	return oid, mods, -1, nil
}

// interval takes what follows the word interval.
func (p *typeNameParser) interval() (uint32, []int64, int32, error) {
	mods, err := p.mods()
	if err != nil {
		return 0, nil, 0, err
	}
	if mods != nil {
		if len(mods) != 1 {
			return 0, nil, 0, pgerror.New(pgerror.InvalidParameterValue, "invalid INTERVAL type modifier")
		}
		return IntervalOID, []int64{intervalFullRange, mods[0]}, -1, nil
	}
	fields := []struct {
		word string
		mask int64
	}{{"year", intervalYear}, {"month", intervalMonth}, {"day", intervalDay}, {"hour", intervalHour}, {"minute", intervalMinute}, {"second", intervalSecond}}
	take := func() int {
		for i, f := range fields {
			if p.word(f.word) {
				return i
			}
		}
		return -1
	}
	from := take()
	if from < 0 {
		return IntervalOID, nil, -1, nil
	}
	to := from
	if p.word("to") {
		if to = take(); to <= from || from < 2 && to > 1 {
			return 0, nil, 0, p.fail()
		}
	}
	var mask int64
	for i := from; i <= to; i++ {
		mask |= fields[i].mask
	}
	if to == 5 {
		if mods, err = p.mods(); err != nil {
			return 0, nil, 0, err
		}
		if mods != nil {
			return IntervalOID, append([]int64{mask}, mods...), -1, nil
		}
	}
	return IntervalOID, []int64{mask}, -1, nil
}

func asciiLower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
