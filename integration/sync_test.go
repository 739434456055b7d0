package integration

import (
	"bufio"
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAcknowledgedIsSynced watches a node's system calls: between each INSERT and its answer the write-ahead log is synced.
func TestAcknowledgedIsSynced(t *testing.T) {
	t.Parallel()
	if _, err := osexec.LookPath("strace"); err != nil {
		t.Skipf("system calls are watched by strace: %v", err)
	}
	n := processes(t, 1)[0]
	conn := dialNode(t, n, "")
	exec(t, conn, "CREATE TABLE synced (k serial PRIMARY KEY)")
	out := filepath.Join(t.TempDir(), "calls")
	trace := osexec.Command("strace", "-f", "-q", "-ttt", "-p", fmt.Sprint(n.cmd.Process.Pid), "-e", "trace=fdatasync", "-o", out)
	var said strings.Builder
	trace.Stderr = &said
	if err := trace.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = trace.Wait(); close(ended) }()
	for end := time.Now().Add(patience); ; { // until it has attached
		exec(t, conn, "INSERT INTO synced DEFAULT VALUES")
		if info, err := os.Stat(out); err == nil && info.Size() > 0 {
			break
		}
		select {
		case <-ended:
			t.Skipf("strace can't be used: %s", said.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatal("the log is never synced by fdatasync")
		}
	}
	type span struct{ from, to float64 }
	now := func() float64 { return float64(time.Now().UnixNano()) / 1e9 }
	var inserts []span
	for range 30 {
		from := now()
		if _, err := conn.Exec(context.Background(), "INSERT INTO synced DEFAULT VALUES"); err != nil {
			t.Fatal(err)
		}
		inserts = append(inserts, span{from, now()})
	}
	_ = trace.Process.Signal(syscall.SIGTERM)
	<-ended
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var calls []float64 // when they ended well
	for lines := bufio.NewScanner(f); lines.Scan(); {
		word := strings.Fields(lines.Text()) // thread, time, call
		if len(word) < 3 || !strings.Contains(lines.Text(), "= 0") {
			continue
		}
		at, err := strconv.ParseFloat(word[1], 64)
		if err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		calls = append(calls, at)
	}
	for i, s := range inserts {
		synced := false
		for _, at := range calls {
			synced = synced || at >= s.from && at <= s.to
		}
		if !synced {
			t.Fatalf("INSERT %d of %d was acknowledged without a sync of the log (%d syncs in all)", i+1, len(inserts), len(calls))
		}
	}
}
