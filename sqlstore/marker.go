package sqlstore

import (
	"context"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// Mark writes a marker as this node's next entry, and returns when it is durable.
func (s *Store) Mark(ctx context.Context, m crdt.Marker) (crdt.Origin, uint64, error) {
	c, err := s.Write(ctx, func(tx *Tx) error {
		if err := tx.begin(); err != nil {
			return err
		}
		tx.marker = &m
		return nil
	})
	return c.Origin, c.Seq, err
}

func (tx *Tx) appendMarker() (Commit, error) {
	e := tx.nextEntry()
	e.Marker = true
	crdt.EncodeEntry(&e, crdt.AppendMarker(nil, *tx.marker))
	c, err := tx.appended(&e)
	if err != nil {
		return Commit{}, err
	}
	return c, tx.keepMarker(&e)
}

// keepMarker notes what a marker retires, and the marker itself if it is its node's latest: the log may be trimmed.
func (tx *Tx) keepMarker(e *crdt.Entry) error {
	m, err := e.MarkerBody()
	if err != nil {
		return err
	}
	if err := tx.retire(m.Retired); err != nil {
		return err
	}
	node := catalog.Int(int64(e.Origin.Node))
	var old crdt.Marked
	err = each(tx.w.conn, "SELECT origin,seq,marker FROM lc_markers WHERE node=?", []catalog.Value{node},
		func(v []catalog.Value) (err error) {
			old, err = decodeMarked(v)
			return err
		})
	if err != nil {
		return err
	}
	if next := (crdt.Marked{Marker: m, Origin: e.Origin, Seq: e.Seq}); old.Seq > 0 && !next.After(old) {
		return nil
	}
	return run(tx.w.conn, "INSERT OR REPLACE INTO lc_markers VALUES(?,?,?,?)", node,
		catalog.BlobBytes(crdt.AppendOrigin(nil, e.Origin)), catalog.Int(int64(e.Seq)), catalog.BlobBytes(crdt.AppendMarker(nil, m)))
}

func (tx *Tx) retire(v crdt.Vector) error {
	w := tx.w
	if w.retired.Covers(v) {
		return nil
	}
	w.retired = w.retired.Clone()
	w.retired.Merge(v)
	for o := range v {
		if err := run(w.conn, "INSERT OR REPLACE INTO lc_retired VALUES(?,?)", catalog.BlobBytes(crdt.AppendOrigin(nil, o)),
			catalog.Int(int64(w.retired[o]))); err != nil {
			return err
		}
	}
	return nil
}

func loadRetired(c *sqlite.Conn) (crdt.Vector, error) {
	retired := crdt.Vector{}
	return retired, each(c, "SELECT origin,seq FROM lc_retired", nil, func(v []catalog.Value) error {
		o, _, err := crdt.DecodeOrigin(v[0].Bytes)
		retired[o] = uint64(v[1].Int())
		return err
	})
}

// Retired returns the epochs that durable markers have retired, and their last entries. The caller owns the result.
func (s *Store) Retired() crdt.Vector {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.retired.Clone()
}

func decodeMarked(v []catalog.Value) (m crdt.Marked, err error) {
	if m.Origin, _, err = crdt.DecodeOrigin(v[0].Bytes); err != nil {
		return m, err
	}
	m.Seq = uint64(v[1].Int())
	m.Marker, err = crdt.DecodeMarker(v[2].Bytes)
	return m, err
}

// Markers returns the last marker of each node.
func (s *Store) Markers() (map[crdt.NodeID]crdt.Marked, error) {
	var out map[crdt.NodeID]crdt.Marked
	err := s.readLog(context.Background(), func(r *Reader) error {
		out = map[crdt.NodeID]crdt.Marked{}
		return each(r.conn, "SELECT origin,seq,marker FROM lc_markers", nil, func(v []catalog.Value) error {
			m, err := decodeMarked(v)
			out[m.Origin.Node] = m
			return err
		})
	})
	return out, err
}
