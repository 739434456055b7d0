// Package layercake_test holds the rules that span packages.
package layercake_test

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers is the design's table of arrows: which folders of ours each folder may import (its own sub-folders always).
var layers = map[string][]string{
	"pgerror":       {},
	"catalog":       {"pgerror"},
	"crdt":          {"pgerror"},
	"cluster":       {"pgerror"},
	"pgwire":        {"pgerror", "catalog", "crdt", "cluster"},
	"pgsql":         {"pgerror", "catalog", "crdt", "cluster"},
	"sqlstore":      {"pgerror", "catalog", "crdt", "cluster"},
	"replication":   {"pgerror", "catalog", "crdt", "cluster"},
	"server":        {"pgerror", "catalog", "crdt", "cluster", "pgwire", "pgsql", "sqlstore", "replication"},
	"cmd/layercake": {"server"},
	"integration":   {"server", "cmd/layercake", "crdt", "catalog", "pgerror"},
	"bench":         {"server"},
}

// alone lists libraries that only one folder may import (in tests, others may use them as clients).
var alone = map[string]string{
	"github.com/hashicorp/memberlist":     "cluster",
	"github.com/jackc/pgx/v5/pgproto3":    "pgwire",
	"github.com/pganalyze/pg_query_go/v6": "pgsql",
	"github.com/klauspost/compress/s2":    "crdt",
	"github.com/mattn/go-sqlite3":         "sqlstore",
	"google.golang.org/grpc":              "replication",
	"gonum.org/v1/plot":                   "bench",
	"github.com/google/pprof":             "bench",
}

func TestArrows(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "dist") {
			return filepath.SkipDir
		}
		pkg, err := build.ImportDir(path, 0)
		if err != nil || path == "." {
			return nil // no Go files
		}
		folder := folderOf(filepath.ToSlash(path))
		allowed, ok := layers[folder]
		if !ok {
			t.Errorf("%s is in no layer: add it to the design and to this test", path)
			return nil
		}
		seen[folder] = true
		for _, imp := range pkg.Imports {
			if ours, ok := strings.CutPrefix(imp, "layercake/"); ok {
				if to := folderOf(ours); to != folder && !slices.Contains(allowed, to) {
					t.Errorf("%s imports %s: the design has no such arrow", path, imp)
				}
			}
			for lib, owner := range alone {
				if (imp == lib || strings.HasPrefix(imp, lib+"/")) && folder != owner {
					t.Errorf("%s imports %s, which only %s may", path, imp, owner)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder := range layers {
		if folder != "integration" && folder != "bench" && !seen[folder] {
			t.Errorf("%s has no Go files", folder)
		}
	}
}

func folderOf(path string) string {
	if strings.HasPrefix(path, "cmd/") {
		return "cmd/layercake"
	}
	first, _, _ := strings.Cut(path, "/")
	return first
}
