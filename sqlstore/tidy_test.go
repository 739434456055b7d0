package sqlstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// TestWALIsCutOff: some time after a bulk load the WAL takes no room any more, and rows are read as before.
func TestWALIsCutOff(t *testing.T) {
	dir := t.TempDir()
	n := openDir(t, dir)
	p := n.MustCreate(keyless)
	loadMany(n, p, 60_000, note)
	size := func() int64 {
		wal, err := os.Stat(filepath.Join(dir, "layercake.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		return wal.Size()
	}
	if size() < 1<<20 {
		t.Errorf("the WAL has %d bytes after a load", size())
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(time.Minute); size() > 0; {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("the WAL still has %d bytes", size())
		}
	}
	if err := n.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	n.Insert(p, note(-1)...)
	if d := n.Digest(p); d.Rows != 60_001 {
		t.Errorf("%d rows", d.Rows)
	}
}

// killLoadEnv names the folder in which a copy of the test binary is to load rows until it is killed.
const killLoadEnv = "LAYERCAKE_TEST_LOAD_UNTIL_KILLED"

const loadRows = 20_000

// loadUntilKilled loads rows into two tables in one transaction, again and again, and prints how far it has got.
func loadUntilKilled(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	s, err := sqlstore.Open(context.Background(), sqlstore.Config{Dir: dir})
	fail(err)
	a, changes := storetest.CreateTable(s.NewID, keyless)
	b, more := storetest.CreateTable(s.NewID, people)
	_, err = s.Write(context.Background(), func(tx *sqlstore.Tx) error { return tx.Alter(append(changes, more...)) })
	fail(err)
	for k := 0; ; k++ {
		_, err := s.Write(context.Background(), func(tx *sqlstore.Tx) error {
			if _, err := tx.InsertMany(storetest.Table(tx.Schema(), a), rowsOf(loadRows, note)); err != nil {
				return err
			}
			_, err := tx.InsertMany(storetest.Table(tx.Schema(), b), rowsOf(loadRows, func(i int) []catalog.Value {
				if i == loadRows/2 {
					fmt.Println("half", k)
				}
				return person(k*loadRows + i)
			}))
			return err
		})
		fail(err)
		fmt.Println("done", k)
	}
}

// TestKilledLoad: a process that is killed while it loads leaves whole loads behind, all that it has acknowledged, and
// nothing else.
func TestKilledLoad(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killLoadEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked, half := int64(0), 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
		case "error":
			t.Fatal(rest)
		case "done":
			acked++
		case "half":
			if half++; half == 4 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	cmd.Wait() // "killed": nothing to learn from it
	if half < 4 || acked < 3 {
		t.Fatalf("it came to %d loads", half)
	}
	n := openDir(t, dir)
	tables := 0
	for _, rel := range n.Schema().Relations {
		if rel.Name != keyless.Name && rel.Name != people.Name {
			continue
		}
		tables++
		if d := n.Digest(rel.ID); d.Rows < acked*loadRows || d.Rows > (acked+1)*loadRows || d.Rows%loadRows != 0 {
			t.Errorf("%s: %d rows of %d loads that were acknowledged", rel.Name, d.Rows, acked)
		}
	}
	if tables != 2 {
		t.Errorf("%d tables", tables)
	}
	if err := n.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	other := open(t)
	other.Clock.T = time.Now() // the stamps are of the wall clock
	other.Pull(n)
	storetest.Same(t, n, other)
}
