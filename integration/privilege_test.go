package integration

import "testing"

// TestPrivileges: roles are managed by superusers and roles with CREATEROLE, objects by their owners; every role may
// read and write rows.
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
	exec(t, joe, "INSERT INTO owned VALUES (1)")
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
