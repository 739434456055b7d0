package integration

import "testing"

// TestVolatileColumnsThatNobodyReads: functions with effects are called once a row, though nobody reads what they give.
func TestVolatileColumnsThatNobodyReads(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE SEQUENCE s")
	exec(t, conn, "CREATE VIEW v AS SELECT nextval('s') AS n, g FROM generate_series(1, 2) g")
	for _, tc := range [][2]string{
		{"SELECT count(*) FROM (SELECT nextval('s') FROM generate_series(1, 3)) x", "3"},
		{"SELECT nextval('s')", "4"},
		{"SELECT count(*) FROM v", "2"},
		{"SELECT nextval('s')", "7"},
		{"WITH w AS (SELECT nextval('s') AS n) SELECT count(*) FROM w", "1"}, // a WITH query that is read is worked out whole
		{"SELECT nextval('s')", "9"},
		{"SELECT count(*) FROM (SELECT pg_advisory_lock(11)) x", "1"},
		{"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "1"},
	} {
		if got := one(t, conn, tc[0]); got != tc[1] {
			t.Errorf("%s: got %s, want %s", tc[0], got, tc[1])
		}
	}
}
