package integration

import (
	"bytes"
	osexec "os/exec"
	"path/filepath"
	"testing"
)

// jdbcJar is where Debian's package libpostgresql-jdbc-java has the driver.
const jdbcJar = "/usr/share/java/postgresql.jar"

// TestDrivers runs a program for each driver and ORM, unmodified, against one node of three. Each checks what it gets and
// ends with "ok". `make test` installs those of Python and Perl; Ruby's and Java's run where they are installed.
func TestDrivers(t *testing.T) {
	c := three(t)
	python := func(script string) []string { return []string{"/usr/bin/python3", script} }
	for _, d := range []struct {
		name, packages string
		probe, run     []string
	}{
		{"SQLAlchemy", "python3-sqlalchemy python3-psycopg2", []string{"/usr/bin/python3", "-c", "import sqlalchemy, psycopg2"}, python("sqlalchemy_orm.py")},
		{"Django", "python3-django python3-psycopg2", []string{"/usr/bin/python3", "-c", "import django, psycopg2"}, python("django_orm.py")},
		{"psycopg", "python3-psycopg", []string{"/usr/bin/python3", "-c", "import psycopg"}, python("psycopg_client.py")},
		{"asyncpg", "python3-asyncpg", []string{"/usr/bin/python3", "-c", "import asyncpg"}, python("asyncpg_client.py")},
		{"DBD::Pg", "libdbd-pg-perl", []string{"perl", "-MDBD::Pg", "-e", "1"}, []string{"perl", "dbd_pg.pl"}},
		{"ActiveRecord", "ruby-activerecord ruby-pg", []string{"ruby", "-e", "require 'active_record'; require 'pg'"}, []string{"ruby", "active_record.rb"}},
		{"JDBC", "libpostgresql-jdbc-java default-jdk-headless", []string{"sh", "-c", "javac -version && test -e " + jdbcJar}, []string{"java", "-cp", jdbcJar, "Jdbc.java"}},
	} {
		t.Run(d.name, func(t *testing.T) {
			if out, err := osexec.Command(d.probe[0], d.probe[1:]...).CombinedOutput(); err != nil {
				t.Skipf("not installed (Debian: %s): %v: %.200s", d.packages, err, bytes.TrimSpace(out))
			}
			args := append([]string(nil), d.run[1:]...)
			args[len(args)-1] = filepath.Join("testdata", "drivers", args[len(args)-1])
			sub := *c
			sub.t = t
			out := sub.client(0, nil, d.run[0], args...)
			if !bytes.HasSuffix(bytes.TrimSpace([]byte(out)), []byte("ok")) {
				t.Errorf("the program did not come to its end:\n%s", out)
			}
		})
	}
	c.verify()
}
