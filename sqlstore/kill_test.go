package sqlstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// killEnv names the folder in which a copy of the test binary is to write until it is killed.
const killEnv = "LAYERCAKE_TEST_WRITE_UNTIL_KILLED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		writeUntilKilled(dir)
	}
	if dir := os.Getenv(killLoadEnv); dir != "" {
		loadUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// writeUntilKilled commits rows from several goroutines and prints each once its commit is acknowledged.
func writeUntilKilled(dir string) {
	s, err := sqlstore.Open(context.Background(), sqlstore.Config{Dir: dir})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	id, changes := storetest.CreateTable(s.NewID, people)
	if _, err := s.Write(context.Background(), func(tx *sqlstore.Tx) error { return tx.Alter(changes) }); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Printf("table %d %d\n", id.HLC, id.Node)
	for g := range 4 {
		go func() {
			for i := 0; ; i++ {
				k := int64(i*4 + g)
				_, err := s.Write(context.Background(), func(tx *sqlstore.Tx) error {
					_, err := tx.Insert(storetest.Table(tx.Schema(), id), vals(integer(k), text("x"), null))
					return err
				})
				if err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				fmt.Println("row", k)
			}
		}()
	}
	select {}
}

func TestKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := make(map[string]bool)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "error":
			t.Fatal(lines.Text())
		case "row":
			acked[rest] = true
		}
		if len(acked) == 200 {
			// A second process must not open the folder meanwhile.
			if _, err := sqlstore.Open(context.Background(), sqlstore.Config{Dir: dir}); err == nil {
				t.Error("a folder in use was opened")
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Wait() // "killed": nothing to learn from it
	if len(acked) < 200 {
		t.Fatalf("%d rows were acknowledged", len(acked))
	}

	n := openDir(t, dir)
	var rows []string
	var before = n.Vector()
	for _, rel := range n.Schema().Relations {
		if rel.Name == people.Name {
			rows = n.Rows(rel.ID)
			if d := n.Digest(rel.ID); d.Rows != int64(len(rows)) {
				t.Errorf("%d rows, recorded are %d", len(rows), d.Rows)
			}
			for _, r := range rows {
				k, _, _ := strings.Cut(r, " ")
				delete(acked, k)
			}
			c := n.Insert(rel.ID, integer(-1), null, null)
			if before[c.Origin] != 0 || c.Seq != 1 {
				t.Errorf("rule E2: the new epoch begins with %+v", c)
			}
		}
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged rows are lost, %d are there", len(acked), len(rows))
	}
	if err := n.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	// What is in the log makes the same store elsewhere.
	m := open(t)
	m.Clock.T = n.Store.Clock().Time()
	m.Pull(n)
	storetest.Same(t, n, m)
}
