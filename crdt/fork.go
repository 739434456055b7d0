package crdt

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// A Fork says that an origin's chain of entries has two ends: a machine was rolled back while it ran, and used sequence
// numbers twice (rule E5). What followed entry After in one of the branches, the one whose first entry bears Hash, is kept
// under another origin, Branch, from 1 on; the other one keeps the name. It is a fact that all nodes get to know and
// never forget: what depends on an entry after After may mean either.
type Fork struct {
	Origin Origin
	After  uint64
	Hash   uint64 // Short of the branch's first entry
	// Loose says that the last common entry was not found, as a log was trimmed: the branch begins with entries that may
	// have the old name too, and only who says so has moved it.
	Loose bool
}

// Short is the part of an entry's hash that nodes compare.
func Short(hash [32]byte) uint64 { return binary.BigEndian.Uint64(hash[:]) }

// Branch is the origin of the entries that followed.
func (f Fork) Branch() Origin {
	o := f.Origin
	if r := uint32(f.Hash >> 32); r != o.Epoch.Random {
		o.Epoch.Random = r
	} else {
		o.Epoch.Random++
	}
	return o
}

// Begins says whether e, under its old name, is the first entry of the branch: it has another name for good.
func (f Fork) Begins(e *Entry) bool {
	return f.Origin == e.Origin && f.After+1 == e.Seq && !f.Loose && f.Hash == Short(e.Hash)
}

// Refile makes of e the entry that it is in the branch. Its stamp stays, and so do all rows; a marker says nothing any more.
// Its hash stays too: a chain is known under its new name as far back as it was under the old one, with or without the
// entries. All who have e make the same of it.
func (f Fork) Refile(e Entry) (Entry, error) {
	_, body, err := decodeHead(e.Bytes)
	if err != nil {
		return Entry{}, err
	}
	next := Entry{Origin: f.Branch(), Seq: e.Seq - f.After, HLC: e.HLC, Schema: e.Schema, Deps: e.Deps, Prev: e.Prev, Hash: e.Hash,
		Was: e.Was, WasSeq: e.WasSeq}
	if next.WasSeq == 0 {
		next.Was, next.WasSeq = e.Origin, e.Seq
	}
	if e.Marker {
		body = []byte{0} // no origins, no groups
	}
	if next.Seq == 1 {
		next.Prev = [32]byte{}
	}
	if next.Seq == 1 && f.After > 0 {
		next.Deps = e.Deps.Clone()
		if next.Deps == nil {
			next.Deps = Vector{}
		}
		next.Deps[f.Origin] = f.After
	}
	EncodeEntry(&next, body)
	return next, nil
}

// Empty says whether a refiled entry is what is left of a marker.
func (e *Entry) Empty() bool {
	if e.WasSeq == 0 {
		return false
	}
	_, body, err := decodeHead(e.Bytes)
	return err == nil && len(body) == 1 && body[0] == 0
}

// Forks are all that are known, in order.
type Forks []Fork

// Compare orders forks.
func (f Fork) Compare(g Fork) int {
	return cmp.Or(f.Origin.Compare(g.Origin), cmp.Compare(f.After, g.After), cmp.Compare(f.Hash, g.Hash))
}

// Has says whether f is known.
func (fs Forks) Has(f Fork) bool {
	_, found := slices.BinarySearchFunc(fs, f, Fork.Compare)
	return found
}

// With returns fs and f, which must not be known.
func (fs Forks) With(f Fork) Forks {
	i, _ := slices.BinarySearchFunc(fs, f, Fork.Compare)
	return slices.Insert(slices.Clone(fs), i, f)
}

// Equal says whether the same are known.
func (fs Forks) Equal(gs Forks) bool {
	return slices.EqualFunc(fs, gs, func(f, g Fork) bool { return f.Compare(g) == 0 })
}

// IsBranch says whether o holds a branch.
func (fs Forks) IsBranch(o Origin) bool {
	return slices.ContainsFunc(fs, func(f Fork) bool { return f.Branch() == o })
}

// Forked says whether o has had branches.
func (fs Forks) Forked(o Origin) bool {
	return slices.ContainsFunc(fs, func(f Fork) bool { return f.Origin == o })
}

// Met says whether at has an entry (o, seq) in one of its branches.
func (fs Forks) Met(o Origin, seq uint64, at func(Origin) uint64) bool {
	if at(o) >= seq {
		return true
	}
	for _, f := range fs {
		if f.Origin == o && seq > f.After && fs.Met(f.Branch(), seq-f.After, at) {
			return true
		}
	}
	return false
}

// MetAll says whether at has an entry (o, seq) in one of its branches, and in each of the others all up to there that most
// tells of: whichever is meant is there.
func (fs Forks) MetAll(o Origin, seq uint64, at, most func(Origin) uint64) bool {
	return fs.Met(o, seq, at) && fs.rest(o, seq, at, most)
}

func (fs Forks) rest(o Origin, seq uint64, at, most func(Origin) uint64) bool {
	if at(o) < seq && at(o) < min(seq, most(o)) {
		return false
	}
	for _, f := range fs {
		if f.Origin == o && seq > f.After && !fs.rest(f.Branch(), seq-f.After, at, most) {
			return false
		}
	}
	return true
}

// Covers says whether v has everything that w has, in some branch.
func (fs Forks) Covers(v, w Vector) bool {
	if len(fs) == 0 {
		return v.Covers(w)
	}
	for o, seq := range w {
		if !fs.Met(o, seq, func(p Origin) uint64 { return v[p] }) {
			return false
		}
	}
	return true
}

// AppendFork encodes f: origin, then After and Hash as varints, then Loose.
func AppendFork(dst []byte, f Fork) []byte {
	dst = binary.AppendUvarint(AppendOrigin(dst, f.Origin), f.After)
	dst = binary.BigEndian.AppendUint64(dst, f.Hash)
	if f.Loose {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// DecodeFork reads what AppendFork wrote and returns the bytes after it.
func DecodeFork(b []byte) (f Fork, rest []byte, err error) {
	if f.Origin, b, err = DecodeOrigin(b); err != nil {
		return f, nil, err
	}
	if f.After, b, err = uvarint(b); err != nil {
		return f, nil, err
	}
	if f.After > MaxSeq || len(b) < 9 {
		return f, nil, malformed("fork")
	}
	f.Hash = binary.BigEndian.Uint64(b)
	f.Loose = b[8] != 0
	return f, b[9:], nil
}
