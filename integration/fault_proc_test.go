package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// processState is the state letter of a process ("T" is stopped).
func processState(pid int) (string, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(string(b), ") ")
	if !ok || rest == "" {
		return "", fmt.Errorf("/proc/%d/stat: %q", pid, b)
	}
	return rest[:1], nil
}

// resident is how much memory a process holds, in bytes.
func resident(t *testing.T, n *node) int64 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(n.cmd.Process.Pid), "statm"))
	if err != nil {
		t.Error(err)
		return 0
	}
	f := strings.Fields(string(b))
	pages, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		t.Error(err)
	}
	return pages * int64(os.Getpagesize())
}

// folder is the node's data folder.
func (n *node) folder() string {
	for i, a := range n.args {
		if a == "--data" {
			return n.args[i+1]
		}
	}
	return ""
}

// fileSize is the size of one of the node's files, 0 if there is none.
func (n *node) fileSize(name string) int64 {
	st, err := os.Stat(filepath.Join(n.folder(), name))
	if err != nil {
		return 0
	}
	return st.Size()
}
