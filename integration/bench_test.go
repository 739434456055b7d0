package integration

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestBenchCommand: the built-in load generator reports both kinds of statements, ends early on Ctrl-C with what it has,
// and leaves no table behind.
func TestBenchCommand(t *testing.T) {
	nodes := processes(t, 3)
	const tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'layercake_bench%'"
	conn := dialNode(t, nodes[0], "consistency=quorum")
	out, code := run(t, nil, "bench", "--url", nodes[0].url(), "--url", nodes[2].url(), "--clients", "3", "--seconds", "1", "--rows", "500", "--consistency", "quorum")
	row := regexp.MustCompile(`(?m)^ *(reads|writes) +[1-9][0-9]* +[1-9][0-9]*( +[0-9]+\.[0-9]{2}){5}$`)
	if code != 0 || len(row.FindAllString(out, -1)) != 2 || !strings.Contains(out, "quorum/quorum") || !strings.Contains(out, "2 node(s)") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	wantOne(t, conn, "0", tables)

	p := launch(t, []string{"LAYERCAKE_URL=" + nodes[1].url()}, "bench", "--seconds", "600", "--reads", "0", "--clients", "2", "--rows", "10")
	eventually(t, dialNode(t, nodes[1], ""), "t", "SELECT count(*) >= 2 FROM pg_stat_activity WHERE query LIKE 'UPDATE layercake_bench%'")
	code, took := p.stop(os.Interrupt)
	if code != 0 || took > 5*time.Second || !regexp.MustCompile(`writes +[1-9]`).MatchString(p.out.String()) || !regexp.MustCompile(`reads +0 `).MatchString(p.out.String()) {
		t.Errorf("after Ctrl-C: exit code %d after %v:\n%s", code, took, p.out)
	}
	wantOne(t, conn, "0", tables)

	for _, tc := range []struct{ args, want string }{
		{"--url postgres://postgres@127.0.0.1:1/postgres", "127.0.0.1"},
		{"--clients 0", "--clients"},
		{"--seconds x", "--seconds"},
		{"--reads 101", "--reads"},
		{"--url " + nodes[0].url() + " --consistency most", "most"},
	} {
		if out, code := run(t, nil, append([]string{"bench"}, strings.Fields(tc.args)...)...); code != 2 || !strings.Contains(out, tc.want) {
			t.Errorf("bench %s: exit code %d, want 2 and %q:\n%s", tc.args, code, tc.want, out)
		}
	}
	// A level that can't be met: the statements fail, and are counted.
	sigkill(nodes[2])
	detected(t, nodes[0], nodes[2])
	if out, code := run(t, nil, "bench", "--url", nodes[0].url(), "--clients", "1", "--seconds", "1", "--rows", "10", "--consistency", "quorum"); code != 0 {
		t.Errorf("one of three gone, at quorum: exit code %d:\n%s", code, out)
	}
	if out, code := run(t, nil, "bench", "--url", nodes[0].url(), "--clients", "1", "--seconds", "1", "--rows", "10", "--consistency", "all"); code != 2 || !strings.Contains(out, "53000") {
		t.Errorf("one of three gone, at all: exit code %d, want 2 and 53000:\n%s", code, out)
	}
}
