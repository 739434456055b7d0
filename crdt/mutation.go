package crdt

import (
	"encoding/binary"
	"slices"
)

// ID names a keyspace or a column: the stamp of its creation (catalog.ID has the same fields).
type ID struct {
	HLC  uint64
	Node uint64
}

const idSize = 16

func appendID(dst []byte, id ID) []byte {
	dst = binary.BigEndian.AppendUint64(dst, id.HLC)
	return binary.BigEndian.AppendUint64(dst, id.Node)
}

// Op is what a mutation does.
type Op uint8

// The operations.
const (
	Insert   Op = iota + 1 // the whole row
	Update                 // cells of the row whose INSERT it names (rule M1)
	Delete                 // the row
	Truncate               // every row of the keyspace with a lesser stamp
)

// Group is mutations of one kind on one keyspace that name the same columns.
type Group struct {
	Op       Op
	Keyspace ID
	KeyID    ID   // the primary key that rows go by; zero: they go by their hidden key, one BLOB
	Key      []ID // its columns
	Columns  []ID // the other columns of INSERT; the cells that UPDATE sets
	Rows     int
	First    []byte // INSERT under numbered hidden keys: the first row's (see EncodeInserts); else nil

	data    []byte // the rows, packed if packed is not 0
	packed  int    // the length of the rows once unpacked
	origins []Origin
}

// Row is one mutation of a Group. Its slices alias the entry's bytes, or what was unpacked of them.
type Row struct {
	Seen   Stamp  // UPDATE: the stamp of the INSERT that it saw
	Key    []byte // encoded values of the key columns, or of the hidden key
	Values []byte // encoded values of Group.Columns
}

// KeyLen is the number of values in a row's Key.
func (g *Group) KeyLen() int { return max(1, len(g.Key)) }

// Each calls fn for each row in the order written, until fn fails.
func (g *Group) Each(fn func(Row) error) error {
	b, err := g.Encoded(nil)
	if err != nil {
		return err
	}
	for i := range g.Rows {
		r, rest, err := g.Row(i, b)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// Row decodes row number i of the group, which is at the front of encoded rows (see Encoded), and returns what follows.
func (g *Group) Row(i int, encoded []byte) (Row, []byte, error) {
	r, rest, err := g.next(encoded)
	if err == nil && g.First != nil {
		r.Key = g.numberedKey(i)
	}
	return r, rest, err
}

func (g *Group) next(b []byte) (Row, []byte, error) {
	var r Row
	if g.Op == Update {
		i, rest, err := uvarint(b)
		if err != nil {
			return Row{}, nil, err
		}
		if i >= uint64(len(g.origins)) || len(rest) < 8 {
			return Row{}, nil, malformed("stamp of the row updated")
		}
		r.Seen = Stamp{HLC: HLC(binary.BigEndian.Uint64(rest)), Origin: g.origins[i]}
		b = rest[8:]
	}
	if g.First == nil {
		n, err := valuesSize(b, g.KeyLen())
		if err != nil {
			return Row{}, nil, err
		}
		r.Key, b = b[:n:n], b[n:]
	}
	if g.Op == Delete {
		return r, b, nil
	}
	n, err := valuesSize(b, len(g.Columns))
	if err != nil {
		return Row{}, nil, err
	}
	r.Values = b[:n:n]
	return r, b[n:], nil
}

// Body collects the mutations of one transaction in their encoded form:
//
//	origins: uvarint count, 20 bytes each (those that UPDATEs name, by number) | group…
//
// A group is
//
//	op 1 | keyspace 16 | key columns: uvarint count, 16 each; if there are any, the key's ID 16 |
//	columns: uvarint count, 16 each | uvarint rows | uvarint length | rows
//
// and a row is, for UPDATE, the origin's number (uvarint) and clock (8 bytes) of the INSERT seen; then the key's values;
// then, except for DELETE, the columns' values. TRUNCATE has neither columns nor rows. EncodeInserts tells of two further
// forms. The zero Body is empty.
type Body struct {
	origins []Origin
	numbers map[Origin]uint64
	groups  []*GroupWriter
}

// GroupWriter collects the rows of one group.
type GroupWriter struct {
	head []byte
	body *Body
	rows int
	data []byte
}

// Group starts a group; key is empty (and keyID zero) for rows that go by their hidden key. Groups stand in the entry in
// the order in which they were started; one without rows is left out unless it is a TRUNCATE.
func (b *Body) Group(op Op, keyspace, keyID ID, key, columns []ID) *GroupWriter {
	g := &GroupWriter{head: appendGroupHead(nil, byte(op), keyspace, keyID, key, columns), body: b}
	b.groups = append(b.groups, g)
	return g
}

func appendGroupHead(dst []byte, op byte, keyspace, keyID ID, key, columns []ID) []byte {
	dst = slices.Grow(dst, 1+idSize*(2+len(key)+len(columns))+8)
	dst = appendID(append(dst, op), keyspace)
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	for _, id := range key {
		dst = appendID(dst, id)
	}
	if len(key) > 0 {
		dst = appendID(dst, keyID)
	}
	dst = binary.AppendUvarint(dst, uint64(len(columns)))
	for _, id := range columns {
		dst = appendID(dst, id)
	}
	return dst
}

// Insert adds an INSERT: the encoded values of the key and of the columns.
func (g *GroupWriter) Insert(key, values []byte) {
	g.rows++
	g.data = append(append(g.data, key...), values...)
}

// InsertEncoded adds n INSERTs (key, then columns) that are encoded already, one after the other. The group keeps rows.
func (g *GroupWriter) InsertEncoded(n int, rows []byte) {
	g.rows += n
	if g.data == nil {
		g.data = rows[:len(rows):len(rows)]
		return
	}
	g.data = append(g.data, rows...)
}

// Update adds an UPDATE of the row whose INSERT had the stamp seen.
func (g *GroupWriter) Update(seen Stamp, key, values []byte) {
	g.rows++
	g.data = binary.AppendUvarint(g.data, g.body.origin(seen.Origin))
	g.data = binary.BigEndian.AppendUint64(g.data, uint64(seen.HLC))
	g.data = append(append(g.data, key...), values...)
}

// Delete adds a DELETE.
func (g *GroupWriter) Delete(key []byte) {
	g.rows++
	g.data = append(g.data, key...)
}

func (b *Body) origin(o Origin) uint64 {
	n, ok := b.numbers[o]
	if !ok {
		if b.numbers == nil {
			b.numbers = make(map[Origin]uint64)
		}
		n = uint64(len(b.origins))
		b.numbers[o] = n
		b.origins = append(b.origins, o)
	}
	return n
}

// Size is an upper bound of the length of the encoded body, close to it.
func (b *Body) Size() int {
	size := 10 + len(b.origins)*OriginSize
	for _, g := range b.groups {
		size += len(g.head) + 20 + len(g.data)
	}
	return size
}

// Encode returns the body's bytes.
func (b *Body) Encode() []byte { return b.append(make([]byte, 0, b.Size())) }

func (b *Body) append(out []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(b.origins)))
	for _, o := range b.origins {
		out = AppendOrigin(out, o)
	}
	for _, g := range b.groups {
		if g.rows == 0 && Op(g.head[0]) != Truncate {
			continue
		}
		out = append(out, g.head...)
		out = binary.AppendUvarint(out, uint64(g.rows))
		out = binary.AppendUvarint(out, uint64(len(g.data)))
		out = append(out, g.data...)
	}
	return out
}

// Groups reads the mutations of e; a marker has none. Everything is checked, to the last row: what Each meets later is well formed. The
// groups alias e.Bytes.
func (e *Entry) Groups() ([]Group, error) {
	head, b, err := decodeHead(e.Bytes)
	if err != nil {
		return nil, err
	}
	if head.Marker {
		_, err := DecodeMarker(b)
		return nil, err
	}
	return decodeBody(b)
}

func decodeBody(b []byte) ([]Group, error) {
	n, b, err := uvarint(b)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(b)/OriginSize) {
		return nil, malformed("more origins than bytes")
	}
	origins := make([]Origin, n)
	for i := range origins {
		if origins[i], b, err = DecodeOrigin(b); err != nil {
			return nil, err
		}
	}
	var groups []Group
	var room unpackRoom
	for len(b) > 0 {
		g := Group{origins: origins}
		if b, err = g.decode(b, &room); err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func (g *Group) decode(b []byte, room *unpackRoom) ([]byte, error) {
	if len(b) < 1+idSize {
		return nil, malformed("group")
	}
	form := b[0]
	g.Op = Op(form &^ (formNumbered | formPacked))
	if g.Op < Insert || g.Op > Truncate || g.Op != Insert && Op(form) != g.Op {
		return nil, malformed("operation")
	}
	g.Keyspace = decodeID(b[1:])
	b, err := g.decodeColumns(b[1+idSize:])
	if err != nil {
		return nil, err
	}
	if form&formNumbered != 0 {
		if b, err = g.decodeFirst(b); err != nil {
			return nil, err
		}
	}
	rows, b, err := uvarint(b)
	if err != nil {
		return nil, err
	}
	if form&formPacked != 0 {
		if b, err = g.decodePacked(b, room); err != nil {
			return nil, err
		}
	}
	size, b, err := uvarint(b)
	if err != nil {
		return nil, err
	}
	if size > uint64(len(b)) {
		return nil, malformed("group is longer than its bytes")
	}
	g.data = b[:size:size]
	rest, err := g.Encoded(room.take(g.packed))
	if err != nil {
		return nil, err
	}
	// Every row has at least one byte, so that a count beyond the bytes is a lie.
	if rows > uint64(len(rest)) {
		return nil, malformed("more rows than bytes")
	}
	if g.First != nil && rows > 1<<32-uint64(binary.BigEndian.Uint32(g.First[len(g.First)-4:])) {
		return nil, malformed("numbered keys")
	}
	g.Rows = int(rows)
	for range g.Rows {
		if _, rest, err = g.next(rest); err != nil {
			return nil, err
		}
	}
	if len(rest) > 0 {
		return nil, malformed("bytes after a group's rows")
	}
	return b[size:], nil
}

func (g *Group) decodeColumns(b []byte) (rest []byte, err error) {
	if g.Key, b, err = decodeIDs(b); err != nil {
		return nil, err
	}
	if len(g.Key) > 0 {
		if len(b) < idSize {
			return nil, malformed("key")
		}
		g.KeyID, b = decodeID(b), b[idSize:]
	}
	if g.Columns, b, err = decodeIDs(b); err != nil {
		return nil, err
	}
	switch {
	case g.Op == Truncate && len(g.Key)+len(g.Columns) > 0, g.Op == Delete && len(g.Columns) > 0:
		return nil, malformed("columns of an operation that has none")
	case g.Op == Update && len(g.Columns) == 0:
		return nil, malformed("update of no column")
	}
	if g.Op == Insert && g.namesTwice() {
		return nil, malformed("a column named twice")
	}
	return b, nil
}

// namesTwice says whether a column stands twice among the key's and the others.
func (g *Group) namesTwice() bool {
	if len(g.Key)+len(g.Columns) <= 16 { // as nearly always: a map costs more than to compare each with each
		for i, id := range g.Key {
			if slices.Contains(g.Key[:i], id) {
				return true
			}
		}
		for i, id := range g.Columns {
			if slices.Contains(g.Key, id) || slices.Contains(g.Columns[:i], id) {
				return true
			}
		}
		return false
	}
	seen := make(map[ID]bool, len(g.Key)+len(g.Columns))
	for _, ids := range [][]ID{g.Key, g.Columns} {
		for _, id := range ids {
			if seen[id] {
				return true
			}
			seen[id] = true
		}
	}
	return false
}

func decodeIDs(b []byte) ([]ID, []byte, error) {
	n, b, err := uvarint(b)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(b)/idSize) {
		return nil, nil, malformed("more columns than bytes")
	}
	if n == 0 {
		return nil, b, nil
	}
	ids := make([]ID, n)
	for i := range ids {
		ids[i], b = decodeID(b), b[idSize:]
	}
	return ids, b, nil
}

func decodeID(b []byte) ID {
	return ID{HLC: binary.BigEndian.Uint64(b), Node: binary.BigEndian.Uint64(b[8:])}
}
