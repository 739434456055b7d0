package server

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
)

var tableA = catalog.ID{HLC: 1, Node: 1}

func TestRowLockExcludes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lt := newLockTable()
		a, b := newLockOwner(1), newLockOwner(2)
		if lt.try(a, []lockKey{rowKey(tableA, 1)}, true) != nil {
			t.Fatal("a free row was refused")
		}
		if lt.try(b, []lockKey{rowKey(tableA, 2)}, true) != nil {
			t.Fatal("another row was refused")
		}
		if lt.try(b, []lockKey{rowKey(tableA, 1)}, true) == nil {
			t.Fatal("a held row was given twice")
		}
		got := make(chan bool)
		go func() {
			waited, err := lt.acquire(context.Background(), b, rowKey(tableA, 1), true, 0)
			if err != nil {
				t.Error(err)
			}
			got <- waited
		}()
		synctest.Wait()
		lt.releaseFrom(a, 0)
		if !<-got {
			t.Error("the second owner did not wait")
		}
		lt.releaseFrom(b, 0)
		if len(lt.locks) != 0 || len(lt.tables) != 0 {
			t.Errorf("left over: %d locks, %d tables", len(lt.locks), len(lt.tables))
		}
	})
}

func TestTableLockCoversRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lt := newLockTable()
		a, b := newLockOwner(1), newLockOwner(2)
		lt.try(a, []lockKey{rowKey(tableA, 1)}, true)
		if lt.try(b, []lockKey{tableKey(tableA)}, true) == nil {
			t.Fatal("a table was locked over another's row")
		}
		done := make(chan error)
		go func() {
			_, err := lt.acquire(context.Background(), b, tableKey(tableA), true, 0)
			done <- err
		}()
		synctest.Wait()
		lt.releaseFrom(a, 0)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if lt.try(a, []lockKey{rowKey(tableA, 7)}, true) == nil {
			t.Error("a row of a locked table was given")
		}
		if lt.try(b, []lockKey{rowKey(tableA, 7)}, true) != nil {
			t.Error("the table's owner was refused its own row")
		}
	})
}

func TestSharedLocks(t *testing.T) {
	lt := newLockTable()
	a, b := newLockOwner(1), newLockOwner(2)
	k := []lockKey{rowKey(tableA, 1)}
	if lt.try(a, k, false) != nil || lt.try(b, k, false) != nil {
		t.Fatal("two sharers were not let in")
	}
	if lt.try(a, k, true) == nil {
		t.Error("a lock shared with another became exclusive")
	}
	lt.releaseFrom(b, 0)
	if lt.try(a, k, true) != nil {
		t.Error("the only sharer was refused the exclusive lock")
	}
}

func TestDeadlockIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lt := newLockTable()
		a, b := newLockOwner(1), newLockOwner(2)
		one, two := rowKey(tableA, 1), rowKey(tableA, 2)
		lt.try(a, []lockKey{one}, true)
		lt.try(b, []lockKey{two}, true)
		done := make(chan error)
		go func() {
			_, err := lt.acquire(context.Background(), a, two, true, 0)
			done <- err
		}()
		synctest.Wait()
		_, err := lt.acquire(context.Background(), b, one, true, 0)
		if pgerror.Code(err) != pgerror.DeadlockDetected {
			t.Errorf("closing the circle: got %v, want 40P01", err)
		}
		lt.releaseFrom(b, 0)
		if err := <-done; err != nil {
			t.Errorf("the survivor: %v", err)
		}
	})
}

func TestLockTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lt := newLockTable()
		a, b := newLockOwner(1), newLockOwner(2)
		k := rowKey(tableA, 1)
		lt.try(a, []lockKey{k}, true)
		began := time.Now()
		_, err := lt.acquire(context.Background(), b, k, true, time.Second)
		if pgerror.Code(err) != pgerror.LockNotAvailable || time.Since(began) != time.Second {
			t.Errorf("got %v after %v, want 55P03 after 1s", err, time.Since(began))
		}
	})
}

func TestReleaseFromKeepsEarlier(t *testing.T) {
	lt := newLockTable()
	a, b := newLockOwner(1), newLockOwner(2)
	one, two := rowKey(tableA, 1), rowKey(tableA, 2)
	lt.try(a, []lockKey{one}, true)
	mark := len(a.order)
	lt.try(a, []lockKey{two}, true)
	lt.releaseFrom(a, mark)
	if lt.try(b, []lockKey{two}, true) != nil {
		t.Error("a lock taken after the savepoint was kept")
	}
	if lt.try(b, []lockKey{one}, true) == nil {
		t.Error("a lock taken before the savepoint was given up")
	}
}

func TestSettings(t *testing.T) {
	s := newSettings()
	if err := s.derive(); err != nil {
		t.Fatal(err)
	}
	str := func(v string) *string { return &v }
	for _, c := range []struct{ name, in, want, code string }{
		{"TimeZone", "europe/berlin", "Europe/Berlin", ""},
		{"timezone", "nowhere", "", "22023"},
		{"DateStyle", "german", "German, DMY", ""},
		{"statement_timeout", "1500", "1500ms", ""},
		{"statement_timeout", "2min", "2min", ""},
		{"statement_timeout", "-1", "", "22023"},
		{"consistency", "quorum", "quorum", ""},
		{"consistency", "most", "", "22023"},
		{"write_consistency", "LOCAL", "none", ""},
		{"extra_float_digits", "9", "", "22023"},
		{"client_encoding", "utf-8", "UTF8", ""},
		{"client_encoding", "'utf-8'", "UTF8", ""}, // what asyncpg sends
		{"client_encoding", "LATIN1", "", "0A000"},
		{"server_version", "16", "", "55P02"},
		{"no_such", "1", "", "42704"},
		{"my.own", "x y", "x y", ""},
		{"standard_conforming_strings", "off", "", "0A000"},
	} {
		err := s.set(c.name, str(c.in), false)
		if pgerror.Code(err) != c.code {
			t.Errorf("SET %s = %q: got %v, want SQLSTATE %q", c.name, c.in, err, c.code)
			continue
		}
		if got, _ := s.get(c.name); c.code == "" && got != c.want {
			t.Errorf("SET %s = %q shows %q, want %q", c.name, c.in, got, c.want)
		}
	}
	if err := s.set("consistency", str("all"), false); err != nil {
		t.Fatal(err)
	}
	if s.read.String() != "all" || s.write.String() != "all" {
		t.Errorf("consistency sets read %s, write %s", s.read, s.write)
	}
	if err := s.set("consistency", nil, false); err != nil {
		t.Fatal(err)
	}
	if s.read.String() != "none" || s.write.String() != "quorum" {
		t.Errorf("the default is read %s, write %s; want none, quorum", s.read, s.write)
	}
}
