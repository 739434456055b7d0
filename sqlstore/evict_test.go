package sqlstore_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"layercake/pgerror"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// TestSnapshotsDoNotHoldTheWAL: a snapshot that lies idle and a query that does not end keep the WAL from starting anew
// only until it has its greatest size, or twice that if they are young. Both are told so, and a new snapshot reads on.
func TestSnapshotsDoNotHoldTheWAL(t *testing.T) {
	t.Run("old", func(t *testing.T) { snapshotsDoNotHoldTheWAL(t, time.Nanosecond) })
	t.Run("young", func(t *testing.T) { snapshotsDoNotHoldTheWAL(t, time.Hour) })
}

func snapshotsDoNotHoldTheWAL(t *testing.T, age time.Duration) {
	const limit = 4 << 20
	ctx := context.Background()
	dir := t.TempDir()
	s, err := sqlstore.Open(ctx, sqlstore.Config{Dir: dir, MaxWAL: limit, SnapshotAge: age, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id, changes := storetest.CreateTable(s.NewID, people)
	if _, err := s.Write(ctx, func(tx *sqlstore.Tx) error { return tx.Alter(changes) }); err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	grow := func(bytes int) {
		t.Helper()
		for ; bytes > 0; bytes -= 64 << 10 {
			next++
			if _, err := s.Write(ctx, func(tx *sqlstore.Tx) error {
				_, err := tx.Insert(storetest.Table(tx.Schema(), id), vals(integer(next), text(strings.Repeat("x", 32<<10)), null))
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	wal := func() int64 {
		st, err := os.Stat(filepath.Join(dir, "layercake.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	grow(1 << 20)
	look := func(r *sqlstore.Reader) error {
		_, err := storetest.Select(r, storetest.Table(r.Schema(), id))
		return err
	}
	idle, err := s.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := idle.Use(look); err != nil {
		t.Fatal(err)
	}
	busy := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		busy <- s.Read(ctx, func(r *sqlstore.Reader) error {
			if err := look(r); err != nil {
				return err
			}
			close(begun)
			rows, err := r.Query(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n", nil)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		})
	}()
	<-begun

	// At the limit only old ones are ended.
	grow(limit + limit/4)
	want := ""
	if age < time.Second {
		want = pgerror.SerializationFailure
	}
	if err := idle.Use(look); pgerror.Code(err) != want {
		t.Errorf("an idle snapshot at the limit got %v, want %q", err, want)
	}
	grow(limit)
	if err := <-busy; pgerror.Code(err) != pgerror.SerializationFailure {
		t.Errorf("a query without end got %v, want 40001", err)
	}
	if err := idle.Use(look); pgerror.Code(err) != pgerror.SerializationFailure {
		t.Errorf("an idle snapshot got %v, want 40001", err)
	}
	if err := idle.Close(); err != nil {
		t.Error(err)
	}
	grow(8 * limit)
	if size := wal(); size > 5*limit {
		t.Errorf("the WAL has grown to %d MiB; its limit is %d", size>>20, limit>>20)
	}
	if err := s.Read(ctx, look); err != nil {
		t.Errorf("a new snapshot: %v", err)
	}
	if err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
}
