package crdt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// Entry is the head of a log entry (a changeset): one committed transaction. The whole entry travels and is stored as
// bytes that are never decoded and encoded again; see EncodeEntry and DecodeHead for their form.
type Entry struct {
	Origin Origin
	Seq    uint64 // from 1, gap-free within the origin
	HLC    HLC    // the stamp of all its mutations is (HLC, Origin), or (HLC, Was)
	Schema uint64 // reserved for the schema version at the origin
	Marker bool   // it holds a marker instead of mutations

	// Deps is what the origin had applied when it committed, as the difference to its previous entry's: only the
	// origins whose count rose. The full dependencies are the previous entry's, raised by Deps; the previous entry
	// itself is always one.
	Deps Vector

	// Was and WasSeq are what the entry was written as, if it is one of a fork's branch (see Fork); else zero.
	Was    Origin
	WasSeq uint64

	Prev [32]byte // hash of the origin's previous entry, zeros for the first
	Hash [32]byte // hash of this entry's bytes, of one of a fork's branch that of the bytes that it was written as

	Bytes []byte // the encoded entry
	Keep  any    // if Bytes are not Go's memory: they are there for as long as this is referred to
}

// Stamp is the stamp of all the entry's mutations.
func (e *Entry) Stamp() Stamp {
	if e.WasSeq > 0 {
		return Stamp{HLC: e.HLC, Origin: e.Was}
	}
	return Stamp{HLC: e.HLC, Origin: e.Origin}
}

// MaxEntrySize is the longest entry that DecodeHead takes, in bytes.
const MaxEntrySize = 1 << 30

// The first byte of an entry is its form. Form 1 is
//
//	1 | origin 20 | seq uvarint | HLC 8 | schema uvarint | deps vector | prev 32 | body
//
// with the body as Body writes it. Form 2 is the same with a marker for its body. Form 3, an entry that was moved to the
// branch of a fork, has before the body
//
//	was 20 | was-seq uvarint | hash 32 | checksum 8
//
// the hash that it had when it was written, since what it follows may be gone, and the first bytes of the SHA-256 of all
// else. A node that meets a form that it does not know must not guess.
const (
	entryForm  = 1
	markerForm = 2
	branchForm = 3
)

// EncodeEntry fills in e's Bytes and Hash from its other fields and the encoded body of its mutations. The Hash of an entry
// that was moved (WasSeq) is one of these.
func EncodeEntry(e *Entry, body []byte) {
	e.Bytes = append(appendHead(make([]byte, 0, headSize(e)+len(body)), e), body...)
	if e.WasSeq > 0 {
		copy(checksum(e.Bytes, len(body)))
		return
	}
	e.Hash = sha256.Sum256(e.Bytes)
}

const checksumSize = 8

// checksum gives the place of an entry's checksum, before its body, and what it should be.
func checksum(b []byte, body int) (at, want []byte) {
	end := len(b) - body
	h := sha256.New()
	h.Write(b[:end-checksumSize])
	h.Write(b[end:])
	return b[end-checksumSize : end], h.Sum(nil)[:checksumSize]
}

// EncodeEntryOf is EncodeEntry of a body that is not encoded yet: a large one is copied once less.
func EncodeEntryOf(e *Entry, body *Body) {
	e.Bytes = body.append(appendHead(make([]byte, 0, headSize(e)+body.Size()), e))
	e.Hash = sha256.Sum256(e.Bytes)
}

func headSize(e *Entry) int { return 200 + len(e.Deps)*(OriginSize+10) }

func appendHead(b []byte, e *Entry) []byte {
	switch {
	case e.WasSeq > 0:
		b = append(b, branchForm)
	case e.Marker:
		b = append(b, markerForm)
	default:
		b = append(b, entryForm)
	}
	b = AppendOrigin(b, e.Origin)
	b = binary.AppendUvarint(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.HLC))
	b = binary.AppendUvarint(b, e.Schema)
	b = AppendVector(b, e.Deps)
	b = append(b, e.Prev[:]...)
	if e.WasSeq > 0 {
		b = binary.AppendUvarint(AppendOrigin(b, e.Was), e.WasSeq)
		b = append(b, e.Hash[:]...)
		b = append(b, make([]byte, checksumSize)...)
	}
	return b
}

// ErrLong reports an entry that is too long to be read like others: see sqlstore.Store.LongEntry.
var ErrLong = errors.New("the entry is too long to be read at once")

// DecodeHead reads the head of an encoded entry and works out its hash, or holds its bytes against its checksum. The entry
// keeps b. The mutations are read by Groups.
func DecodeHead(b []byte) (Entry, error) {
	e, body, err := decodeHead(b)
	if err != nil {
		return Entry{}, err
	}
	if e.WasSeq == 0 {
		e.Hash = sha256.Sum256(b)
	} else if sum, want := checksum(b, len(body)); !bytes.Equal(sum, want) {
		return Entry{}, malformed("checksum")
	}
	return e, nil
}

// HeadOf reads an entry's head from its first bytes, which must hold all of it. Bytes are left out, and Hash, but for that of
// an entry that was moved (WasSeq), whose checksum is not looked at.
func HeadOf(b []byte) (Entry, error) {
	e, _, err := decodeHead(b)
	e.Bytes = nil
	return e, err
}

func decodeHead(b []byte) (e Entry, body []byte, err error) {
	fail := func(err error) (Entry, []byte, error) { return Entry{}, nil, err }
	e.Bytes = b
	switch {
	case len(b) == 0:
		return fail(malformed("empty entry"))
	case len(b) > MaxEntrySize:
		return fail(malformed("entry is too long"))
	case b[0] < entryForm || b[0] > branchForm:
		return fail(malformed("unknown form of entry"))
	}
	form := b[0]
	e.Marker = form == markerForm
	b = b[1:]
	if e.Origin, b, err = DecodeOrigin(b); err != nil {
		return fail(err)
	}
	if e.Seq, b, err = uvarint(b); err != nil {
		return fail(err)
	}
	if e.Seq == 0 || e.Seq > MaxSeq {
		return fail(malformed("sequence number"))
	}
	if len(b) < 8 {
		return fail(malformed("stamp"))
	}
	e.HLC, b = HLC(binary.BigEndian.Uint64(b)), b[8:]
	if e.HLC == 0 || e.HLC > 1<<63-1 {
		return fail(malformed("stamp"))
	}
	if e.Schema, b, err = uvarint(b); err != nil {
		return fail(err)
	}
	if len(b) > 0 && b[0] == 0 { // no dependencies: nobody else has written since the entry before
		b = b[1:]
	} else if e.Deps, b, err = DecodeVector(b); err != nil {
		return fail(err)
	}
	if len(b) < len(e.Prev) {
		return fail(malformed("entry ends in its head"))
	}
	b = b[copy(e.Prev[:], b):]
	if first := e.Seq == 1; first != (e.Prev == [32]byte{}) {
		return fail(malformed("hash of the previous entry"))
	}
	if form == branchForm {
		if e.Was, b, err = DecodeOrigin(b); err != nil {
			return fail(err)
		}
		if e.WasSeq, b, err = uvarint(b); err != nil {
			return fail(err)
		}
		if e.WasSeq == 0 || e.WasSeq > MaxSeq {
			return fail(malformed("sequence number"))
		}
		if len(b) < len(e.Hash)+checksumSize {
			return fail(malformed("entry ends in its head"))
		}
		b = b[copy(e.Hash[:], b)+checksumSize:]
	}
	return e, b, nil
}

// MaxSeq is the greatest sequence number.
const MaxSeq = 1<<40 - 1
