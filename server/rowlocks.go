package server

import (
	"context"
	"errors"
	"slices"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore"
)

// unchanged answers 40001 if one of the rows that a snapshot showed is no longer what it was.
func (s *session) unchanged(ctx context.Context, rows []op) error {
	if len(rows) == 0 {
		return nil
	}
	return s.storeError(s.node.store.Try(ctx, func(tx *sqlstore.Tx) error {
		for i := range rows {
			v, found, err := tx.Version(rows[i].table, rows[i].rowid)
			if err != nil {
				return err
			}
			if !found || !v.Equal(rows[i].seen) {
				return errSerialization()
			}
		}
		return nil
	}))
}

func lockWord(locks []pgsql.RowLock) string {
	for _, l := range locks {
		if !l.Share {
			return "UPDATE"
		}
	}
	return "SHARE"
}

// runLocking runs SELECT … FOR UPDATE or SHARE.
func (s *session) runLocking(ctx context.Context, c *compiled, q *pgsql.Query, params []catalog.Value, out sink) (int64, error) {
	if s.readOnly() {
		return 0, pgerror.New(pgerror.ReadOnlySQLTransaction, "cannot execute SELECT FOR %s in a read-only transaction", lockWord(q.Locks))
	}
	t := s.tran
	if t == nil {
		t = s.newTransaction(false) // its reservations end with the statement
		defer s.node.locks.releaseFrom(s.owner, 0)
	}
	var buf *rowBuffer
	var locked []op // rows as they were seen
	var missed bool // a row was taken by somebody else after the query had found it free
	find := func(w *worker) error {
		missed, locked = false, nil
		all, err := w.collect(q, nil)
		if err != nil {
			return err
		}
		buf = &rowBuffer{cols: all.cols}
		return all.each(func(_ int, v []catalog.Value) error {
			for _, l := range q.Locks {
				if v[l.Column].IsNull() {
					continue // the row of an outer join that is not there
				}
				rowid, seen := version(v[l.Column:])
				if t.ownAt(l.Table.ID, seen) != nil {
					continue
				}
				k := rowKey(l.Table.ID, rowid)
				if t.snapshotIsolated() {
					locked = append(locked, op{table: l.Table, rowid: rowid, seen: seen})
				}
				switch {
				case l.NoWait || l.SkipLocked:
					w.took = w.took || !s.owner.holds(k)
					if blocked := s.node.locks.try(s.owner, []lockKey{k}, !l.Share); blocked != nil {
						if l.SkipLocked {
							missed = true
							return nil
						}
						return pgerror.New(pgerror.LockNotAvailable, "could not obtain lock on row in relation \"%s\"", l.Table.Name)
					}
				case l.Share:
					w.share = append(w.share, k)
				default:
					w.want = append(w.want, k)
				}
			}
			buf.add(v)
			return nil
		})
	}
	// SKIP LOCKED asks SQLite for who holds a rowid: the transaction's own rows have none on a reader.
	skips := slices.ContainsFunc(q.Locks, func(l pgsql.RowLock) bool { return l.SkipLocked })
	onWriter := !t.sees(q) || skips && t.written.len() > 0
	for try := 0; !onWriter; try++ {
		again, _, err := s.workOnReader(ctx, c, t, params, find)
		if errors.Is(err, errNeedsWriter) {
			onWriter = true
			break
		}
		if err != nil {
			return 0, err
		}
		if !again && (!missed || try > 10) {
			break
		}
	}
	if onWriter {
		_, err := s.try(ctx, t, params, t.only(idSet(q.Reads)), func(w *worker) error {
			if err := s.current(w.q, c); err != nil {
				return err
			}
			if err := find(w); err != nil {
				return err
			}
			return w.reserve()
		})
		if err != nil {
			return 0, err
		}
	} else if err := s.unchanged(ctx, locked); err != nil {
		return 0, err
	}
	return int64(buf.n), s.emit(buf, q.Columns, out)
}
