package integration

import (
	"fmt"
	"strings"
	"testing"
)

// TestChangesFromManyTables: UPDATE and DELETE join more tables than SQLite takes into one join.
func TestChangesFromManyTables(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE u (id int PRIMARY KEY, v int)")
	exec(t, conn, "INSERT INTO u SELECT g, 0 FROM generate_series(1, 9) g")
	var from, where []string
	for i := range 100 {
		from = append(from, fmt.Sprintf("u x%d", i))
		where = append(where, fmt.Sprintf("x%d.id = x%d.id", i, max(i-1, 0)))
	}
	from[70] = "u x70 LEFT JOIN u y ON y.id = x70.id + 1"
	chain := strings.Join(from, ", ") + " WHERE x0.id = u.id AND " + strings.Join(where[1:], " AND ")
	if got := exec(t, conn, "UPDATE u SET v = x99.id * 10 + y.id FROM "+chain+" AND u.id > 4").RowsAffected(); got != 5 {
		t.Errorf("%d rows changed, want 5", got)
	}
	if got := exec(t, conn, "DELETE FROM u USING "+chain+" AND x50.v = 67").RowsAffected(); got != 1 {
		t.Errorf("%d rows deleted, want 1", got)
	}
	if got := one(t, conn, "SELECT string_agg(id || ':' || coalesce(v::text, '-'), ' ' ORDER BY id) FROM u"); got != "1:0 2:0 3:0 4:0 5:56 7:78 8:89 9:-" {
		t.Error("got", got)
	}
	fails(t, conn, "42712", "UPDATE u SET v = 1 FROM u")
	fails(t, conn, "42P01", "UPDATE u SET v = 1 FROM u a JOIN u b ON a.id = u.id")
}
