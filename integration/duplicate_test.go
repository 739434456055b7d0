package integration

import "testing"

// TestDuplicateNamesItsKey: 23505 names the constraint that PostgreSQL names, and shows the key as it does: in statements by
// themselves, in a transaction, and in what is added to a table of rows.
func TestDuplicateNamesItsKey(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE u (id int PRIMARY KEY, email text, code char(4) UNIQUE, ok bool, b int, UNIQUE (b, ok))")
	exec(t, conn, "CREATE UNIQUE INDEX u_email ON u (lower(email))")
	exec(t, conn, "CREATE UNIQUE INDEX u_some ON u ((b * 2), ok) WHERE b > 100")
	exec(t, conn, "INSERT INTO u VALUES (1, 'Ann@x', 'a', true, 1), (2, 'Bob@x', 'b', false, 200), (3, 'Cy@x', 'c', true, 300)")
	type duplicate struct{ sql, constraint, detail string }
	refused := func(cases []duplicate) {
		t.Helper()
		for _, tt := range cases {
			for _, in := range []string{"alone", "in a transaction"} {
				if in != "alone" {
					exec(t, conn, "BEGIN")
				}
				e := fails(t, conn, "23505", tt.sql)
				if e.ConstraintName != tt.constraint || e.Detail != tt.detail {
					t.Errorf("%s, %s: %s, %q; want %s, %q", tt.sql, in, e.ConstraintName, e.Detail, tt.constraint, tt.detail)
				}
				if in != "alone" {
					exec(t, conn, "ROLLBACK")
				}
			}
		}
	}
	refused([]duplicate{
		{"INSERT INTO u VALUES (1, 'ann@x', 'a', true, 1)", "u_pkey", "Key (id)=(1) already exists."},
		{"INSERT INTO u VALUES (9, 'ann@x', 'a', true, 1)", "u_code_key", "Key (code)=(a   ) already exists."},
		{"INSERT INTO u VALUES (9, 'ann@x', 'z', true, 1)", "u_b_ok_key", "Key (b, ok)=(1, t) already exists."},
		{"INSERT INTO u VALUES (9, 'ANN@X', 'z', true, 7)", "u_email", "Key (lower(email))=(ann@x) already exists."},
		{"INSERT INTO u VALUES (9, 'new', 'z', false, 7), (10, 'NEW', 'y', false, 8)", "u_email", "Key (lower(email))=(new) already exists."},
		{"UPDATE u SET code = 'a', email = 'ANN@X' WHERE id = 2", "u_code_key", "Key (code)=(a   ) already exists."},
		{"UPDATE u SET b = 300, ok = true, email = 'cy@x' WHERE id = 2", "u_b_ok_key", "Key (b, ok)=(300, t) already exists."},
		{"UPDATE u SET email = 'CY@X' WHERE id = 2", "u_email", "Key (lower(email))=(cy@x) already exists."},
		{"UPDATE u SET id = 3, email = 'CY@X' WHERE id = 2", "u_pkey", "Key (id)=(3) already exists."},
	})

	// The first row at fault ends a statement, whatever its fault.
	refused([]duplicate{
		{"INSERT INTO u VALUES (9, 'n', 'z', true, 9), (1, 'm', 'y', true, 8), (NULL, 'l', 'x', true, 7)", "u_pkey", "Key (id)=(1) already exists."},
		{"INSERT INTO u VALUES (9, 'n', 'z', true, 9), (9, 'm', 'y', true, 8), (NULL, 'l', 'x', true, 7)", "u_pkey", "Key (id)=(9) already exists."},
		{"WITH i AS (INSERT INTO u VALUES (9, 'n', 'z', true, 9), (1, 'm', 'y', true, 8), (NULL, 'l', 'x', true, 7) RETURNING *) SELECT * FROM i", "u_pkey", "Key (id)=(1) already exists."},
	})
	fails(t, conn, "23502", "INSERT INTO u VALUES (9, 'n', 'z', true, 9), (NULL, 'l', 'x', true, 7), (1, 'm', 'y', true, 8)")
	wantOne(t, conn, "3", "SELECT count(*) FROM u")

	// A primary key that is newer than another index comes after it. Values are shown by the session's settings.
	exec(t, conn, "CREATE TABLE late (id int NOT NULL, b bytea, at timestamptz UNIQUE)")
	exec(t, conn, "INSERT INTO late VALUES (1, '\\x01', '2024-01-01Z'), (2, '\\x02', '2025-01-01Z')")
	exec(t, conn, "ALTER TABLE late ADD PRIMARY KEY (id)")
	exec(t, conn, "CREATE UNIQUE INDEX late_b ON late (b)")
	exec(t, conn, "SET TimeZone = 'America/New_York'; SET bytea_output = escape")
	refused([]duplicate{
		{"INSERT INTO late VALUES (1, '\\x01', '2024-01-01Z')", "late_at_key", "Key (at)=(2023-12-31 19:00:00-05) already exists."},
		{"UPDATE late SET id = 1, at = '2024-01-01Z' WHERE id = 2", "late_at_key", "Key (at)=(2023-12-31 19:00:00-05) already exists."},
		{"INSERT INTO late VALUES (1, '\\x01', now())", "late_pkey", "Key (id)=(1) already exists."},
		{"INSERT INTO late VALUES (3, '\\x01', now())", "late_b", `Key (b)=(\001) already exists.`},
	})

	exec(t, conn, "CREATE TABLE d (ok bool, code char(4), n numeric(6,2), at timestamptz)")
	exec(t, conn, "INSERT INTO d SELECT true, 'a', 1.5, '2026-01-02 03:04:05+00' FROM generate_series(1, 2)")
	exec(t, conn, "SET TimeZone = 'UTC'")
	for _, tt := range []struct{ sql, detail string }{
		{"ALTER TABLE d ADD UNIQUE (ok)", "Key (ok)=(t) is duplicated."},
		{"ALTER TABLE d ADD PRIMARY KEY (code, n)", "Key (code, n)=(a   , 1.50) is duplicated."},
		{"CREATE UNIQUE INDEX ON d (at)", "Key (at)=(2026-01-02 03:04:05+00) is duplicated."},
		{"CREATE UNIQUE INDEX ON d ((NOT ok))", "Key ((NOT ok))=(f) is duplicated."},
	} {
		if e := fails(t, conn, "23505", tt.sql); e.Detail != tt.detail {
			t.Errorf("%s: %q, want %q", tt.sql, e.Detail, tt.detail)
		}
	}
	exec(t, conn, "ALTER TABLE d ADD COLUMN b int DEFAULT 77")
	e := fails(t, conn, "23503", "ALTER TABLE d ADD FOREIGN KEY (b, ok) REFERENCES u (b, ok)")
	if want := `Key (b, ok)=(77, t) is not present in table "u".`; e.Detail != want {
		t.Errorf("%q, want %q", e.Detail, want)
	}
}
