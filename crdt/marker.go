package crdt

import "encoding/binary"

// Marker is what a node says of itself in an entry of its own stream: purge of tombstones and trimming of the log rest
// on it. An entry that holds a marker holds nothing else.
type Marker struct {
	List   uint64 // version of the member list that was in force
	Vector Vector // what was applied and durable at the node before the entry, but for retired epochs
	// Retired are ended epochs that every member has, and their last entries (rule S2): vectors and dependencies that come
	// after the marker leave them out. The marker's own dependencies name them.
	Retired Vector
}

// A marker's body is
//
//	list version uvarint | vector | retired: a vector, or nothing
//
// AppendMarker encodes it.
func AppendMarker(dst []byte, m Marker) []byte {
	dst = AppendVector(binary.AppendUvarint(dst, m.List), m.Vector)
	if len(m.Retired) > 0 {
		dst = AppendVector(dst, m.Retired)
	}
	return dst
}

// DecodeMarker reads what AppendMarker wrote.
func DecodeMarker(b []byte) (m Marker, err error) {
	if m.List, b, err = uvarint(b); err != nil {
		return Marker{}, err
	}
	if m.Vector, b, err = DecodeVector(b); err != nil {
		return Marker{}, err
	}
	if len(b) > 0 {
		if m.Retired, b, err = DecodeVector(b); err != nil {
			return Marker{}, err
		}
	}
	if len(b) > 0 {
		return Marker{}, malformed("bytes after a marker")
	}
	return m, nil
}

// MarkerBody reads what an entry with Marker set says.
func (e *Entry) MarkerBody() (Marker, error) {
	head, body, err := decodeHead(e.Bytes)
	if err != nil {
		return Marker{}, err
	}
	if !head.Marker {
		return Marker{}, malformed("not a marker")
	}
	return DecodeMarker(body)
}

// Marked is a marker and where it stands.
type Marked struct {
	Marker
	Origin Origin
	Seq    uint64
}

// After says whether m is the later of two markers of one node.
func (m Marked) After(o Marked) bool {
	if c := m.Origin.Compare(o.Origin); c != 0 {
		return c > 0
	}
	return m.Seq > o.Seq
}

// At is how much of o the node had when it wrote the marker, the marker itself counted.
func (m Marked) At(o Origin) uint64 {
	if o == m.Origin {
		return m.Seq
	}
	return m.Vector[o]
}
