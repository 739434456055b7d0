package integration

import "testing"

// TestPrivileges: roles are managed by superusers and roles with CREATEROLE, objects by their owners.
func TestPrivileges(t *testing.T) {
	c := start(t, "dc1")
	root := c.conn(0)
	exec(t, root, "CREATE TABLE owned (id int PRIMARY KEY)")
	exec(t, root, "CREATE VIEW seen AS SELECT id FROM owned")
	exec(t, root, "CREATE ROLE joe LOGIN")
	exec(t, root, "CREATE ROLE keeper LOGIN CREATEROLE")
	exec(t, root, "CREATE ROLE team")
	exec(t, root, "CREATE TABLE shared (id int)")
	exec(t, root, "ALTER TABLE shared OWNER TO team")

	joe := c.connAs(0, "joe")
	for _, sql := range []string{
		"CREATE ROLE other", "ALTER ROLE joe SUPERUSER", "ALTER ROLE joe CREATEROLE", "ALTER ROLE postgres PASSWORD 'x'", "DROP ROLE keeper",
		"ALTER ROLE postgres SET consistency = 'none'", "SET ROLE postgres", "SET ROLE team",
		"DROP TABLE owned CASCADE", "ALTER TABLE owned ADD COLUMN x int", "ALTER TABLE owned RENAME TO mine", "CREATE INDEX ON owned (id)", "TRUNCATE owned",
		"DROP VIEW seen", "DROP TABLE shared", "GRANT team TO joe",
	} {
		fails(t, joe, "42501", sql)
	}
	fails(t, joe, "42501", "CREATE TABLE his (id int)")
	exec(t, root, "GRANT CREATE ON SCHEMA public TO joe")
	exec(t, joe, "ALTER ROLE joe PASSWORD 'own'")
	exec(t, joe, "ALTER ROLE joe SET consistency = 'one'")
	exec(t, joe, "CREATE TABLE his (id int)")
	exec(t, joe, "DROP TABLE his")

	keeper := c.connAs(0, "keeper")
	exec(t, keeper, "CREATE ROLE made LOGIN")
	exec(t, keeper, "ALTER ROLE made CREATEDB")
	fails(t, keeper, "42501", "CREATE ROLE boss SUPERUSER")
	fails(t, keeper, "42501", "ALTER ROLE postgres NOLOGIN")
	exec(t, keeper, "DROP ROLE made")

	exec(t, root, "GRANT team TO joe")
	exec(t, joe, "ALTER TABLE shared ADD COLUMN x int")
	exec(t, joe, "SET ROLE team")
	exec(t, joe, "DROP TABLE shared")
}

// TestGrants: what each role may do with rows is what was granted, as in PostgreSQL, on every node alike; a plan made
// before a GRANT or REVOKE does not outlive it.
func TestGrants(t *testing.T) {
	c := three(t)
	root := c.conn(0, "consistency=all")
	for _, sql := range []string{
		"CREATE ROLE joe LOGIN", "CREATE ROLE ann LOGIN", "CREATE ROLE team", "GRANT team TO ann",
		"CREATE TABLE t (id serial PRIMARY KEY, v text)", "CREATE TABLE u (id int)", "CREATE VIEW vt AS SELECT * FROM t", "CREATE SEQUENCE sq",
		"CREATE SCHEMA s2", "CREATE TABLE s2.x (a int)", "INSERT INTO t (v) VALUES ('a')",
		"CREATE TABLE ident (id int GENERATED ALWAYS AS IDENTITY, v text)",
	} {
		exec(t, root, sql)
	}
	joe, ann := c.connAs(1, "joe", "consistency=quorum"), c.connAs(2, "ann", "consistency=quorum")
	for _, sql := range []string{
		"SELECT * FROM t", "SELECT count(*) FROM t", "INSERT INTO t (v) VALUES ('x')", "UPDATE t SET v = 'z'", "DELETE FROM t", "SELECT * FROM vt", "SELECT nextval('sq')",
		"TRUNCATE t", "CREATE TABLE mine (a int)", "SELECT * FROM s2.x", "COPY t TO STDOUT", "SELECT 1 FROM u FOR UPDATE", "CREATE SCHEMA js",
		"GRANT SELECT ON t TO joe", "SELECT rolpassword FROM pg_authid", "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", "EXPLAIN SELECT * FROM t",
		"INSERT INTO s2.x SELECT id FROM t", "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t", "CREATE TABLE f (id int REFERENCES t (id))",
	} {
		fails(t, joe, "42501", sql)
	}
	// What psql asks to show the schema is open to everybody.
	for _, cmd := range []string{`\d`, `\d+ t`, `\dp`, `\du`, `\dn+`, `\l`, `\df lower`} {
		c.client(0, []string{"PGUSER=joe"}, "psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", cmd)
	}
	exec(t, root, "GRANT SELECT, INSERT ON t TO joe")
	exec(t, root, "GRANT USAGE ON SEQUENCE t_id_seq TO joe")
	exec(t, root, "GRANT INSERT ON ident TO joe")
	exec(t, joe, "INSERT INTO t (v) VALUES ('x')")
	exec(t, joe, "INSERT INTO t (id, v) VALUES (1, 'y') ON CONFLICT (id) DO NOTHING")
	exec(t, joe, "INSERT INTO ident (v) VALUES ('an identity needs no right to its sequence')")
	fails(t, joe, "42501", "INSERT INTO t (id, v) VALUES (1, 'y') ON CONFLICT (id) DO UPDATE SET v = 'z'")
	fails(t, joe, "42501", "INSERT INTO ident (v) VALUES ('x') RETURNING id")
	exec(t, joe, "PREPARE p AS SELECT count(*) FROM t")
	exec(t, joe, "EXECUTE p")

	exec(t, root, "REVOKE SELECT ON t FROM joe")
	exec(t, root, "GRANT UPDATE ON t TO joe")
	exec(t, root, "GRANT DELETE ON t TO team")
	exec(t, root, "GRANT SELECT ON vt TO PUBLIC")
	fails(t, joe, "42501", "EXECUTE p")
	fails(t, joe, "42501", "SELECT * FROM t")
	exec(t, joe, "UPDATE t SET v = 'k'")
	fails(t, joe, "42501", "UPDATE t SET v = 'k' WHERE id = 1")
	fails(t, joe, "42501", "UPDATE t SET v = v || '!'")
	if got := one(t, joe, "SELECT count(*) FROM vt WHERE v = 'k'"); got == "0" {
		t.Error("a view that everybody may read shows nothing: its owner's rights count for what is under it")
	}
	fails(t, ann, "42501", "DELETE FROM t WHERE id = 1")
	exec(t, ann, "DELETE FROM t")
	if got := query(t, joe, "SELECT has_table_privilege('t', 'SELECT'), has_table_privilege('t', 'UPDATE'), has_table_privilege('ann', 't', 'DELETE')")[0]; got[0] != "f" || got[1] != "t" || got[2] != "t" {
		t.Errorf("has_table_privilege: got %v, want f t t", got)
	}

	// Grants on both sides of a cut are rows of their own: both stay.
	c.net.split([]int{0}, []int{1, 2})
	exec(t, c.conn(0, "consistency=none"), "GRANT SELECT ON u TO joe")
	exec(t, c.conn(1, "consistency=one"), "GRANT INSERT ON u TO joe")
	c.net.heal()
	c.settle()
	for n := range c.nodes {
		eventually(t, c.conn(n), "{postgres=arwdDxt/postgres,joe=ar/postgres}", "SELECT relacl FROM pg_class WHERE relname = 'u'")
	}

	// Given on, and taken back with what hangs on it.
	exec(t, root, "GRANT SELECT ON s2.x TO joe WITH GRANT OPTION")
	exec(t, root, "GRANT USAGE ON SCHEMA s2 TO joe, ann")
	exec(t, joe, "GRANT SELECT ON s2.x TO ann")
	exec(t, ann, "SELECT * FROM s2.x")
	fails(t, root, "2B000", "REVOKE SELECT ON s2.x FROM joe")
	exec(t, root, "REVOKE SELECT ON s2.x FROM joe CASCADE")
	fails(t, ann, "42501", "SELECT * FROM s2.x")
	fails(t, root, "2BP01", "DROP ROLE joe")

	// Grants pass to a new owner with the object: who owns it takes them back.
	exec(t, root, "CREATE ROLE oa LOGIN")
	exec(t, root, "CREATE TABLE ow (x int)")
	exec(t, root, "GRANT SELECT, INSERT ON ow TO ann")
	exec(t, root, "ALTER TABLE ow OWNER TO oa")
	if got := one(t, root, "SELECT relacl FROM pg_class WHERE relname = 'ow'"); got != "{oa=arwdDxt/oa,ann=ar/oa}" {
		t.Errorf("relacl under a new owner: got %s", got)
	}
	exec(t, ann, "SELECT * FROM ow")
	exec(t, c.connAs(0, "oa", "consistency=all"), "REVOKE SELECT ON ow FROM ann")
	fails(t, ann, "42501", "SELECT * FROM ow")
	exec(t, root, "REVOKE ALL ON ow FROM ann")
	fails(t, ann, "42501", "INSERT INTO ow VALUES (1)")
	fails(t, root, "0LP01", "GRANT USAGE ON t TO joe")
	fails(t, root, "42601", "GRANT nosuch ON t TO joe")
	fails(t, root, "42704", "GRANT SELECT ON t TO nosuch")
	exec(t, root, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
	fails(t, ann, "42501", "SELECT * FROM vt")
	exec(t, root, "GRANT USAGE ON SCHEMA public TO PUBLIC")
	exec(t, ann, "SELECT * FROM vt")
	c.verify()
}

// TestPrivilegesOfCurrentUser: current_user may be asked for by name.
func TestPrivilegesOfCurrentUser(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE pt (a int); CREATE ROLE joe; GRANT SELECT ON pt TO joe")
	exec(t, conn, "PREPARE hp AS SELECT has_table_privilege(current_user, $1, 'insert')")
	wantOne(t, conn, "t", "EXECUTE hp('pt')")
	exec(t, conn, "SET ROLE joe")
	wantOne(t, conn, "f", "EXECUTE hp('pt')")
	wantOne(t, conn, "t", "SELECT has_table_privilege(current_role, 'pt', 'select')")
}
