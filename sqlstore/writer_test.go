package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/sqlstore"
	"layercake/sqlstore/sqlite"
	"layercake/sqlstore/storetest"
)

var errMine = errors.New("mine")

// TestGroup runs transactions at once, of which some fail after they have changed things: those that succeed are not
// touched by it, and the log has exactly them.
func TestGroup(t *testing.T) {
	n := open(t)
	p := n.MustCreate(people)
	var wg sync.WaitGroup
	const clients, each = 16, 30
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				k := int64(c*each + i)
				commit, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
					tab := storetest.Table(tx.Schema(), p)
					id, err := tx.Insert(tab, vals(integer(k), text("x"), null))
					if err != nil {
						return err
					}
					if err := tx.Update(tab, id, []int{1}, vals(text(fmt.Sprint("n", k)))); err != nil {
						return err
					}
					switch k % 5 {
					case 0:
						return errMine
					case 1:
						panic("mine")
					case 2:
						_, err := tx.Insert(tab, vals(integer(k), null, null))
						return err
					}
					return nil
				})
				var u *sqlstore.UniqueError
				ok := err == nil && commit.Seq > 1
				switch k % 5 {
				case 0:
					ok = errors.Is(err, errMine)
				case 1:
					ok = err != nil
				case 2:
					ok = errors.As(err, &u)
				}
				if !ok {
					t.Errorf("transaction %d: %+v, %v", k, commit, err)
				}
				if k%7 == 0 {
					if err := n.Try(context.Background(), func(tx *sqlstore.Tx) error {
						return tx.Truncate(storetest.Table(tx.Schema(), p))
					}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got, want := len(n.Rows(p)), clients*each*2/5; got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
	m := open(t)
	m.Pull(n)
	storetest.Same(t, n, m)
}

// TestReadersSeeWholeTransactions: no reader ever sees half of a transaction, and its schema is the snapshot's.
func TestReadersSeeWholeTransactions(t *testing.T) {
	n := open(t)
	p := n.MustCreate(storetest.TableSpec{Name: "t", Columns: []storetest.Column{{Name: "k", Type: catalog.Int4OID}}, Key: []string{"k"}})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := n.Read(context.Background(), func(r *sqlstore.Reader) error {
					tab := storetest.Table(r.Schema(), p)
					rows, err := storetest.Select(r, tab)
					if err != nil {
						return err
					}
					// Every transaction adds two rows; every second one a column as well.
					if len(rows)%2 != 0 || len(tab.Columns) != 1+len(rows)/4 {
						t.Errorf("%d rows, %d columns", len(rows), len(tab.Columns))
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range int64(40) {
		n.MustWrite(func(tx *sqlstore.Tx) error {
			for j := range int64(2) {
				tab := storetest.Table(tx.Schema(), p)
				row := make([]catalog.Value, len(tab.Columns))
				row[0] = integer(2*i + j)
				if _, err := tx.Insert(tab, row); err != nil {
					return err
				}
				if j == 0 && i%2 == 1 {
					if err := tx.Alter([]catalog.Change{storetest.AddColumn(n.NewID(), p, int(i)+2, storetest.Column{Name: fmt.Sprint("c", i), Type: catalog.Int4OID})}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	close(stop)
	wg.Wait()
	storetest.Same(t, n)
}

func TestSnapshotStays(t *testing.T) {
	for _, dir := range []string{t.TempDir(), ""} {
		n := storetest.OpenNode(t, sqlstore.Config{Dir: dir})
		p := n.MustCreate(people)
		n.Insert(p, integer(1), text("a"), null)
		r, err := n.Snapshot(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		index := n.Index()
		n.Update(p, integer(1), map[int]catalog.Value{1: text("b")})
		n.MustAlter(storetest.AddColumn(n.NewID(), p, 9, storetest.Column{Name: "x", Type: catalog.Int4OID}))
		if got, err := storetest.Select(r, storetest.Table(r.Schema(), p)); err != nil || len(got) != 1 || got[0] != "1 a -" {
			t.Errorf("snapshot shows %q, %v", got, err)
		}
		if i, err := r.Index(); i != index || err != nil {
			t.Errorf("snapshot is of %d, want %d, %v", i, index, err)
		}
		if !n.ChangedSince(p, index) || n.ChangedSince(p, n.Index()) {
			t.Error("ChangedSince is wrong")
		}
		r.Close()
		r.Close()
		n.Want(p, "1 b - -")
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCancel: a query on the writer ends with its context, and nobody else's transaction with it.
func TestCancel(t *testing.T) {
	n := open(t)
	p := n.MustCreate(people)
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"
	started := make(chan struct{})
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		_, err := n.Write(ctx, func(tx *sqlstore.Tx) error {
			if _, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(1), null, null)); err != nil {
				return err
			}
			close(started)
			_, err := tx.Query(ctx, endless, nil)
			if pgerror.Code(err) != pgerror.QueryCanceled {
				t.Errorf("query: %v", err)
			}
			// After an interrupt nothing may be changed: it might hit the change, and with it the whole group.
			var interrupted *sqlite.Error
			_, change := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(2), null, null))
			if errors.As(err, &interrupted) && change == nil {
				t.Error("a change after the interrupt")
			}
			return err
		})
		if pgerror.Code(err) != pgerror.QueryCanceled {
			t.Errorf("write: %v", err)
		}
	})
	<-started
	wg.Go(func() { n.Insert(p, integer(3), null, null) })
	cancel()
	wg.Wait()
	n.Want(p, "3 - -")
	err := n.Read(ctx, func(*sqlstore.Reader) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	err = n.Read(context.Background(), func(r *sqlstore.Reader) error {
		if _, err := storetest.Select(r, storetest.Table(r.Schema(), p)); err != nil {
			return err
		}
		cancel()
		_, err := r.Query(ctx, endless, nil)
		return err
	})
	if pgerror.Code(err) != pgerror.QueryCanceled {
		t.Errorf("read: %v", err)
	}
}

// TestCancelAtStart: a query whose context ends while it is about to begin ends too.
func TestCancelAtStart(t *testing.T) {
	n := open(t)
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"
	for i := range 3000 {
		ctx, cancel := context.WithCancel(context.Background())
		begin := make(chan struct{})
		go func() {
			<-begin
			for end := time.Now().Add(time.Duration(i%100) * 200 * time.Nanosecond); time.Now().Before(end); {
			}
			cancel()
		}()
		query := func(query func(context.Context, string, []catalog.Value) (*sqlite.Rows, error)) error {
			close(begin)
			rows, err := query(ctx, endless, nil)
			if err == nil {
				rows.Close()
			}
			return err
		}
		result := make(chan error, 1)
		go func() {
			if i%2 == 0 {
				result <- n.Read(context.Background(), func(r *sqlstore.Reader) error { return query(r.Query) })
				return
			}
			_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error { return query(tx.Query) })
			result <- err
		}()
		select {
		case err := <-result:
			if pgerror.Code(err) != pgerror.QueryCanceled && !errors.Is(err, context.Canceled) {
				t.Fatalf("round %d: %v", i, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("round %d: the query goes on 20 s after its context ended", i)
		}
	}
}

// TestFullDisk: what does not fit is refused with 53100, and writing goes on once there is room. The schema keeps its
// version meanwhile, so that statements stay compiled.
func TestFullDisk(t *testing.T) {
	n := open(t)
	p := n.MustCreate(people)
	n.Insert(p, integer(1), text("before"), null)
	limit := func(pages int) {
		t.Helper()
		n.MustWrite(func(tx *sqlstore.Tx) error {
			return tx.Conn().StoreExec(fmt.Sprintf("PRAGMA max_page_count=%d", pages))
		})
	}
	limit(1) // SQLite takes the present size
	version := n.Schema().Version
	big := catalog.BlobBytes(make([]byte, 1<<20))
	_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(2), big, null))
		return err
	})
	if pgerror.Code(err) != pgerror.DiskFull {
		t.Errorf("got %v", err)
	}
	n.Want(p, "1 before -")
	if now := n.Schema().Version; now != version {
		t.Errorf("the schema's version went from %d to %d", version, now)
	}
	limit(1 << 30)
	n.Insert(p, integer(3), text("after"), null)
	n.Want(p, "1 before -", "3 after -")
	storetest.Same(t, n)
}

// TestNothingIsToldBeforeTheCommit: a transaction whose COMMIT fails has never been in the vector, in the log or told of by
// Changed (rule E1).
func TestNothingIsToldBeforeTheCommit(t *testing.T) {
	n := open(t)
	p := n.MustCreate(people)
	n.MustWrite(func(tx *sqlstore.Tx) error { // a table by which a COMMIT can be made to fail
		return tx.Conn().StoreExec("COMMIT; PRAGMA foreign_keys=ON; BEGIN; CREATE TABLE parent (id INTEGER PRIMARY KEY);" +
			"CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED); COMMIT; BEGIN")
	})
	before, changed := n.Vector(), n.Changed()
	_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(1), null, null))
		return errors.Join(err, tx.Conn().StoreExec("INSERT INTO child VALUES (1)"))
	})
	if err == nil {
		t.Fatal("the COMMIT did not fail")
	}
	select {
	case <-changed:
		t.Error("a change is told of that is not on disk")
	default:
	}
	for o, seq := range n.Vector() {
		if es, err := n.Entries(context.Background(), o, before[o]+1, 1<<20); seq > before[o] || len(es) > 0 || err != nil {
			t.Errorf("the vector names entry %d of %d, %d more can be read, %v", seq, before[o], len(es), err)
		}
	}
	n.Insert(p, integer(3), null, null)
	n.Want(p, "3 - -")
}

func TestLogSurvivesFailedCommits(t *testing.T) {
	n, m := open(t), open(t)
	p := n.MustCreate(people)
	m.Pull(n)
	c := m.Insert(p, integer(7), null, null)
	n.Pull(m)
	if _, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
		if _, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(1), null, null)); err != nil {
			return err
		}
		return errMine
	}); !errors.Is(err, errMine) {
		t.Fatal(err)
	}
	// The dependency on m's entry is still to be told.
	own := n.Insert(p, integer(2), null, null)
	es, err := n.Entries(context.Background(), own.Origin, own.Seq, 1)
	if err != nil || len(es) != 1 || es[0].Deps[c.Origin] != c.Seq {
		t.Errorf("entries are %+v, %v", es, err)
	}
}

func TestStaleTable(t *testing.T) {
	n := open(t)
	p := n.MustCreate(people)
	old := storetest.Table(n.Schema(), p)
	other := n.MustCreate(loose)
	n.Insert(other, integer(1), null)
	if _, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(old, vals(integer(1), null, null)) // another table's DDL does not matter
		return err
	}); err != nil {
		t.Error(err)
	}
	n.MustAlter(storetest.AddColumn(n.NewID(), p, 4, storetest.Column{Name: "x", Type: catalog.Int4OID}))
	_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(old, vals(integer(2), null, null))
		return err
	})
	if !errors.Is(err, sqlstore.ErrSchemaChanged) {
		t.Errorf("got %v", err)
	}
	n.MustAlter(catalog.Change{Op: catalog.Drop, ID: p})
	_, err = n.Write(context.Background(), func(tx *sqlstore.Tx) error { return tx.Truncate(old) })
	if !errors.Is(err, sqlstore.ErrSchemaChanged) {
		t.Errorf("got %v", err)
	}
}

// TestPhysicalNumbers: an open transaction's DDL is tried, and tried again, and must give the same names each time.
func TestPhysicalNumbers(t *testing.T) {
	n := open(t)
	n.MustCreate(people)
	id, changes := storetest.CreateTable(n.NewID, storetest.TableSpec{Name: "x", Columns: people.Columns, Key: []string{"id"}, Unique: [][]string{{"mail"}}})
	var names []string
	describe := func(tx *sqlstore.Tx) error {
		if err := tx.Alter(changes); err != nil {
			return err
		}
		tab := storetest.Table(tx.Schema(), id)
		s := tab.Phys
		for _, c := range tab.Columns {
			s += " " + c.Phys
		}
		for _, ix := range tab.Indexes {
			s += " " + ix.Phys
		}
		names = append(names, s)
		return nil
	}
	for range 2 {
		if err := n.Try(context.Background(), describe); err != nil {
			t.Fatal(err)
		}
	}
	n.MustWrite(describe)
	if names[0] != names[1] || names[1] != names[2] || names[0] == "" {
		t.Errorf("names are %q", names)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	n := openDir(t, dir)
	if _, err := sqlstore.Open(context.Background(), sqlstore.Config{Dir: dir}); !errors.Is(err, sqlstore.ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if _, err := sqlstore.Open(context.Background(), sqlstore.Config{Readers: -1}); err == nil {
		t.Error("a negative setting was taken")
	}
	other := t.TempDir()
	c, err := sqlite.Open(filepath.Join(other, "layercake.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StoreExec("CREATE TABLE mine(a)"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := sqlstore.Open(context.Background(), sqlstore.Config{Dir: other}); err == nil {
		t.Error("another application's database was opened")
	}
	p := n.MustCreate(people)
	small := storetest.OpenNode(t, sqlstore.Config{MaxEntry: 1000, Logger: slog.New(slog.DiscardHandler)})
	defer small.Close()
	small.Clock.T = n.Clock.T
	small.Pull(n)
	_, err = small.Write(context.Background(), func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(1), catalog.BlobBytes(make([]byte, 2000)), null))
		return err
	})
	if pgerror.Code(err) != pgerror.ProgramLimitExceeded {
		t.Errorf("got %v", err)
	}
	small.Want(p)
	// Client SQL cannot reach the store's own tables.
	for _, sql := range []string{"SELECT * FROM lc_log", "SELECT * FROM lc_schema", "ATTACH 'x' AS y", "PRAGMA user_version"} {
		if err := n.Read(context.Background(), func(r *sqlstore.Reader) error {
			_, err := r.Query(context.Background(), sql, nil)
			return err
		}); err == nil {
			t.Errorf("%s was let through", sql)
		}
	}
}

// TestCollisions: a merge keeps both rows of one unique key, the older INSERT holds it, and when it goes the other takes
// its place.
func TestCollisions(t *testing.T) {
	a, b := open(t), open(t)
	p := a.MustCreate(people)
	b.Pull(a)
	a.Insert(p, integer(1), text("ann"), text("same"))
	b.Clock.T = a.Clock.T
	b.Insert(p, integer(2), text("bob"), text("same"))
	a.Pull(b)
	b.Pull(a)
	storetest.Same(t, a, b)
	for _, n := range []*storetest.Node{a, b} {
		n.Want(p, "1 ann same", "2 bob same")
		got, err := n.Collisions(context.Background())
		if err != nil || len(got) != 1 || got[0].Row[0].Int() != 2 || got[0].Other[0].Int() != 1 || got[0].Stamp.Compare(got[0].Held) <= 0 {
			t.Errorf("collisions are %+v, %v", got, err)
		}
		_, err = n.Write(context.Background(), func(tx *sqlstore.Tx) error {
			_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(3), null, text("same")))
			return err
		})
		var u *sqlstore.UniqueError
		if !errors.As(err, &u) || u.Index.Primary || u.RowID != 1 {
			t.Errorf("got %v", err)
		}
	}
	a.Delete(p, integer(1))
	b.Pull(a)
	for _, n := range []*storetest.Node{a, b} {
		if got, err := n.Collisions(context.Background()); err != nil || len(got) != 0 {
			t.Errorf("collisions are %+v, %v", got, err)
		}
		err := n.Try(context.Background(), func(tx *sqlstore.Tx) error {
			_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(3), null, text("same")))
			return err
		})
		var u *sqlstore.UniqueError
		if !errors.As(err, &u) || u.RowID != 2 {
			t.Errorf("got %v", err)
		}
	}
	storetest.Same(t, a, b)
}

// TestEntriesOfStrangers: what a receiver asks for may be unknown here.
func TestEntriesOfStrangers(t *testing.T) {
	n := open(t)
	p := n.MustCreate(people)
	c := n.Insert(p, integer(1), null, null)
	for _, from := range []uint64{c.Seq + 1, 1 << 39} {
		if es, err := n.Entries(context.Background(), c.Origin, from, 100); err != nil || len(es) != 0 {
			t.Errorf("from %d: %d, %v", from, len(es), err)
		}
	}
	es, err := n.Entries(context.Background(), c.Origin, 0, 1<<20)
	if err != nil || len(es) != int(c.Seq) {
		t.Errorf("%d entries, %v", len(es), err)
	}
	if one, err := n.Entries(context.Background(), c.Origin, 1, 1); err != nil || len(one) != 1 || one[0].Hash != es[0].Hash {
		t.Errorf("%d entries, %v", len(one), err)
	}
	if seq, hash := n.Head(c.Origin); seq != c.Seq || hash != es[len(es)-1].Hash {
		t.Errorf("head is %d", seq)
	}
	var zero crdt.Origin
	if seq, _ := n.Head(zero); seq != 0 {
		t.Errorf("head of a stranger is %d", seq)
	}
}
