package crdt

// Entry is the head of a log entry (a changeset): one committed transaction. The whole entry travels and is stored as
// bytes that are never decoded and encoded again; see EncodeEntry and DecodeEntry for their form.
type Entry struct {
	Origin Origin
	Seq    uint64 // from 1, gap-free within the origin
	HLC    HLC    // the stamp of all its mutations is (HLC, Origin)
	Schema uint64 // reserved for the schema version at the origin

	// Deps is what the origin had applied when it committed, as the difference to its previous entry's: only the
	// origins whose count rose. The full dependencies are the previous entry's, raised by Deps; the previous entry
	// itself is always one.
	Deps Vector

	Prev [32]byte // hash of the origin's previous entry, zeros for the first
	Hash [32]byte // hash of this entry's bytes

	Bytes []byte // the encoded entry
}
