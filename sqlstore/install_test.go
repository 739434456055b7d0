package sqlstore_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// TestInstall: a joiner takes another's state; a node that was away keeps what only it has, schema changes too; both go
// on from there, and after a restart.
func TestInstall(t *testing.T) {
	a, b := open(t), open(t)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 50)
	for i := range 10 {
		a.Delete(table, catalog.Int(int64(i)))
	}
	b.Pull(a)
	rows(b, table, 100, 105) // a has them before it snapshots
	a.Pull(b)
	dir := t.TempDir()
	away := openDir(t, dir)
	away.Pull(a)
	if err := away.PutLocal("note", []byte("mine")); err != nil {
		t.Fatal(err)
	}
	self, number := away.Self(), 0
	// Apart from each other: a purges and trims what away does not have yet; away writes, and changes the schema.
	rows(a, table, 200, 230)
	a.Delete(table, catalog.Int(100))
	late := away.MustCreate(storetest.TableSpec{Name: "late", Columns: []storetest.Column{{Name: "id", Type: catalog.Int4OID}}})
	rows(away, table, 300, 310)
	away.Update(table, catalog.Int(101), map[int]catalog.Value{1: catalog.Str("changed while away")})
	away.Insert(late, catalog.Int(1))
	if _, _, err := a.Purge(context.Background(), a.Vector(), a.Clock0()+1); err != nil {
		t.Fatal(err)
	}
	if err := a.Trim(context.Background(), a.Vector()); err != nil {
		t.Fatal(err)
	}
	rows(a, table, 230, 232)
	index := away.Index()
	install(t, away, a)
	if away.Self() != self || !away.Vector().Covers(a.Vector()) || !away.Trimmed().Equal(a.Trimmed()) {
		t.Errorf("%v, trimmed %v; a has %v, trimmed %v", away.Vector(), away.Trimmed(), a.Vector(), a.Trimmed())
	}
	if note, err := away.GetLocal("note"); err != nil || string(note) != "mine" {
		t.Errorf("its own note is %q, %v", note, err)
	}
	if !away.ChangedSince(table, index) {
		t.Error("what was read before counts as unchanged")
	}
	for range 2 {
		rows(away, table, 400+number, 402+number)
		number += 2
		a.Pull(away)
		away.Pull(a)
		storetest.Same(t, a, away)
		if got := len(away.Rows(table)); got != 40+4+32+10+number {
			t.Errorf("%d rows", got)
		}
		away.Want(late, "1")
		if err := away.Close(); err != nil {
			t.Fatal(err)
		}
		away = openDir(t, dir)
	}
	if left, _ := os.ReadDir(dir); len(left) > 4 {
		t.Errorf("files are left behind: %v", left)
	}

	joiner := open(t)
	install(t, joiner, away)
	storetest.Same(t, a, joiner)
	rows(joiner, table, 500, 503)
	a.Pull(joiner)
	storetest.Same(t, a, joiner)
}

func install(t *testing.T, to, from *storetest.Node) {
	t.Helper()
	c, size, err := from.Copy(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if size < 4096 {
		t.Errorf("the copy is said to be %d bytes", size)
	}
	if err := to.Install(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}

// TestInstallRefuses what would lose something, or is nothing of ours. Nothing changes then.
func TestInstallRefuses(t *testing.T) {
	a, b := open(t), open(t)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 3)
	b.Pull(a)
	rows(b, table, 3, 5)
	if err := b.Trim(context.Background(), b.Vector()); err != nil {
		t.Fatal(err)
	}
	before := b.Vector()
	c, _, err := a.Copy(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	image, err := io.ReadAll(c)
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	if err := b.Install(context.Background(), strings.NewReader(string(image))); !errors.Is(err, sqlstore.ErrUncovered) {
		t.Errorf("a snapshot that lacks what was trimmed here: %v", err)
	}
	for name, bytes := range map[string]string{"nothing": "", "noise": strings.Repeat("noise ", 1000), "half of one": string(image[:len(image)/2])} {
		if err := b.Install(context.Background(), strings.NewReader(bytes)); err == nil {
			t.Errorf("%s is installed", name)
		}
	}
	old := open(t)
	old.Clock.T = old.Clock.T.Add(-3600e9)
	if err := old.Install(context.Background(), strings.NewReader(string(image))); !errors.Is(err, crdt.ErrAhead) {
		t.Errorf("a snapshot of an hour ahead (rule N2): %v", err)
	}
	if len(old.Vector()) > 0 || !b.Vector().Equal(before) {
		t.Errorf("something changed: %v, %v", old.Vector(), b.Vector())
	}
	rows(b, table, 5, 6)
	storetest.Same(t, b)
}

// TestE4: a DELETE by a clock that is ahead is purged and trimmed. Who takes a snapshot then, or starts again with a clock
// that is right, writes above it all the same: else those who still hold the tombstone would drop what it writes.
func TestE4(t *testing.T) {
	dir := t.TempDir()
	a, witness, joiner := openDir(t, dir), open(t), open(t)
	wall := a.Clock.T
	a.Clock.T = wall.Add(400 * time.Millisecond)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 2)
	a.Delete(table, catalog.Int(0))
	a.Delete(table, catalog.Int(1))
	witness.Pull(a)
	if _, _, err := a.Purge(context.Background(), a.Vector(), a.Clock0()+1); err != nil {
		t.Fatal(err)
	}
	if err := a.Trim(context.Background(), a.Vector()); err != nil {
		t.Fatal(err)
	}
	install(t, joiner, a)
	there := t.TempDir()
	ahead := openDir(t, there)
	ahead.Clock.T = wall.Add(450 * time.Millisecond)
	last := ahead.NewID() // a stamp that no entry bears
	install(t, ahead, a)
	if again := openCopy(t, there).NewID(); again.HLC <= last.HLC {
		t.Errorf("a node that took a snapshot gives id %x after %x", again.HLC, last.HLC)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = openDir(t, dir)
	a.Clock.T, joiner.Clock.T = wall, wall
	rows(a, table, 0, 1)
	rows(joiner, table, 1, 2)
	witness.Pull(a, joiner)
	witness.Want(table, "0 row 0", "1 row 1")
	a.Pull(joiner)
	joiner.Pull(a)
	storetest.Same(t, a, joiner, witness)
}

// TestInstallBesideReaders: who reads goes on with what it has begun to read, everybody else reads the one state or the
// other, and what is written afterwards is in a WAL that the end of an old reader leaves alone.
func TestInstallBesideReaders(t *testing.T) {
	dir := t.TempDir()
	donor, n := open(t), openDir(t, dir)
	table := donor.MustCreate(numbers)
	rows(donor, table, 0, 10)
	n.Pull(donor)
	old, err := n.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	look := func(r *sqlstore.Reader) (count int, err error) {
		got, err := storetest.Select(r, storetest.Table(r.Schema(), table))
		return len(got), err
	}
	if count, err := look(old); err != nil || count != 10 {
		t.Errorf("%d rows, %v", count, err)
	}
	// What they see only grows: 10, 20, …
	stop, busy := make(chan struct{}), sync.WaitGroup{}
	for range 3 {
		busy.Go(func() {
			for last, stopped := 0, false; !stopped; {
				select {
				case <-stop:
					last, stopped = 210, true
				default:
				}
				count := 0
				err := n.Read(context.Background(), func(r *sqlstore.Reader) (err error) {
					count, err = look(r)
					return err
				})
				if err != nil || count < last || count%10 != 0 {
					t.Errorf("%d rows after %d, %v", count, last, err)
					return
				}
				last = count
			}
		})
	}
	for i := 1; i <= 20; i++ {
		rows(donor, table, 10*i, 10*i+10)
		install(t, n, donor)
	}
	close(stop)
	busy.Wait()
	// One that has begun but not read anything yet begins again, with the new file.
	calls := 0
	err = n.Read(context.Background(), func(r *sqlstore.Reader) error {
		if calls++; calls == 1 {
			rows(donor, table, 210, 220)
			install(t, n, donor)
		}
		count, err := look(r)
		if err == nil && (count != 220 || calls != 2) {
			t.Errorf("%d rows at call %d", count, calls)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	rows(n, table, 1000, 1010)
	if count, err := look(old); err != nil || count != 10 {
		t.Errorf("what was read before shows %d rows, %v", count, err)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	rows(n, table, 1010, 1020)
	again := openCopy(t, dir)
	if got := len(again.Rows(table)); got != 240 {
		t.Errorf("a copy of the folder has %d rows, 240 were written", got)
	}
	if err := again.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	if open := filesOf(t, dir); open > 0 {
		t.Errorf("%d files that are gone are still open", open)
	}
}

// openCopy opens a copy of the folder of a store that runs, as a crash at this moment would leave it.
func openCopy(t *testing.T, dir string) *storetest.Node {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return openDir(t, to)
}

// filesOf counts this process's open files in a folder that have been deleted.
func filesOf(t *testing.T, dir string) (deleted int) {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Logf("which files are open cannot be seen here: %v", err)
	}
	for _, fd := range open {
		if name, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(name, dir) && strings.HasSuffix(name, " (deleted)") {
			deleted++
		}
	}
	return deleted
}

// TestInstallCrash: a crash while a snapshot is put in place leaves the old state, or the new one once it was complete,
// and never the old WAL over the new file.
func TestInstallCrash(t *testing.T) {
	running, dir := t.TempDir(), t.TempDir()
	donor, n := open(t), openDir(t, running)
	table := donor.MustCreate(numbers)
	rows(donor, table, 0, 10)
	n.Pull(donor)
	if err := os.CopyFS(dir, os.DirFS(running)); err != nil { // before the WAL is copied into the file
		t.Fatal(err)
	}
	rows(donor, table, 10, 2000)
	c, _, err := donor.Copy(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	image, err := io.ReadAll(c)
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(filepath.Join(dir, "layercake.db-wal"))
	if err != nil || len(wal) == 0 {
		t.Fatalf("the WAL has %d bytes, %v", len(wal), err)
	}
	for _, c := range []struct {
		moment string
		change func(dir string) error
		want   int
	}{
		{"it is coming in", func(dir string) error {
			in := filepath.Join(dir, "incoming-1")
			return errors.Join(os.Mkdir(in, 0o700), os.WriteFile(filepath.Join(in, "layercake.db"), image[:len(image)/2], 0o600))
		}, 10},
		{"it is complete", func(dir string) error {
			in := filepath.Join(dir, "incoming-1")
			return errors.Join(os.Mkdir(in, 0o700), os.WriteFile(filepath.Join(dir, "layercake.db.next"), image, 0o600))
		}, 2000},
		{"the old WAL is gone", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "layercake.db-wal")), os.WriteFile(filepath.Join(dir, "layercake.db.next"), image, 0o600))
		}, 2000},
		{"it has its name", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "layercake.db-wal")), os.WriteFile(filepath.Join(dir, "layercake.db"), image, 0o600))
		}, 2000},
	} {
		t.Run(c.moment, func(t *testing.T) {
			to := t.TempDir()
			if err := errors.Join(os.CopyFS(to, os.DirFS(dir)), c.change(to)); err != nil {
				t.Fatal(err)
			}
			after := openDir(t, to)
			if got := len(after.Rows(table)); got != c.want {
				t.Errorf("%d rows, want %d", got, c.want)
			}
			if err := after.Verify(context.Background()); err != nil {
				t.Error(err)
			}
			rows(after, table, 5000, 5003)
			if err := after.Close(); err != nil {
				t.Fatal(err)
			}
			names, err := os.ReadDir(to)
			if err != nil || len(names) > 2 {
				t.Errorf("files are left behind: %v, %v", names, err)
			}
			if got := len(openDir(t, to).Rows(table)); got != c.want+3 {
				t.Errorf("%d rows after another start, want %d", got, c.want+3)
			}
		})
	}
}
