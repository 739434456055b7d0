package figures

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Commit is the commit that this is run from, "" where git knows none.
func Commit() string {
	rev, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	commit := strings.TrimSpace(string(rev))
	if s, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err == nil && len(s) > 0 {
		commit += " with changes"
	}
	return commit
}

// Machine describes where a benchmark runs.
func Machine() []string {
	var out []string
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		n, model := 0, ""
		for _, l := range strings.Split(string(data), "\n") {
			if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
				n, model = n+1, strings.TrimSpace(v)
			}
		}
		out = append(out, fmt.Sprintf("%d × %s", n, model))
	}
	if n, err := ProcField("/proc/meminfo", "MemTotal:"); err == nil {
		out = append(out, fmt.Sprintf("%d GiB of memory", n>>30))
	}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		out = append(out, "load average at the start "+strings.Fields(string(data))[0])
	}
	return out
}

// ProcField reads a size in kB.
func ProcField(file, name string) (int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), name); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}
