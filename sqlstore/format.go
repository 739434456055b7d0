package sqlstore

import (
	"errors"
	"fmt"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

// The store's own tables. Names with lc_ are out of a client statement's reach (see sqlite.Options.Authorizer).
//
//	lc_state       the greatest stamp ever seen (rule E4), the number of commits
//	lc_origins     local numbers of origins; seq, hash and hlc are of the last entry of the log that was trimmed, old are
//	               the short hashes of the last ones that were (see Store.Chain)
//	lc_forks       forks that are known (rule E5)
//	lc_markers     the last marker of each node
//	lc_retired     ended epochs that markers have retired, and their last entries (rule S2)
//	lc_log         entries as they travel, of long ones the first piece: id = local number of the origin << 40 | seq
//	lc_pieces      the other pieces of long entries, n from 1
//	lc_objects     local (physical) numbers of schema objects, kept after the object is gone
//	lc_schema      the object rows: a keyspace like any other
//	lc_spaces      for each keyspace: digest, rows, tombstones, TRUNCATE's stamp
//	lc_tombstones  deleted rows: keyspace (its local number), key in canonical form, stamp
//	lc_collisions  rows whose "_u…" is not 0: index, table, rowid
//	lc_losers      rows that another row of their primary key hides: identity, primary key, clocks, cells
//	lc_local       this node's own notes (GetLocal, PutLocal)
//	lc_system      what the system tables hold
const formatSQL = `
CREATE TABLE lc_state(one INTEGER PRIMARY KEY CHECK(one = 1), node INTEGER NOT NULL, hlc INTEGER NOT NULL, idx INTEGER NOT NULL);
CREATE TABLE lc_origins(num INTEGER PRIMARY KEY, origin BLOB NOT NULL UNIQUE, seq INTEGER NOT NULL, hash BLOB, hlc INTEGER NOT NULL, old BLOB);
CREATE TABLE lc_forks(fork BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE lc_markers(node INTEGER PRIMARY KEY, origin BLOB NOT NULL, seq INTEGER NOT NULL, marker BLOB NOT NULL);
CREATE TABLE lc_log(id INTEGER PRIMARY KEY, entry BLOB NOT NULL);
CREATE TABLE lc_pieces(id INTEGER, n INTEGER, piece BLOB NOT NULL, PRIMARY KEY(id, n)) WITHOUT ROWID;
CREATE TABLE lc_objects(id BLOB PRIMARY KEY, kind TEXT NOT NULL, parent BLOB, num INTEGER NOT NULL, gone INTEGER NOT NULL, info TEXT) WITHOUT ROWID;
CREATE TABLE lc_spaces(id BLOB PRIMARY KEY, digest BLOB NOT NULL, rows INTEGER NOT NULL, tombs INTEGER NOT NULL, trunc_h INTEGER NOT NULL, trunc_o INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE lc_tombstones(t INTEGER, k BLOB, h INTEGER NOT NULL, o INTEGER NOT NULL, PRIMARY KEY(t, k)) WITHOUT ROWID;
CREATE TABLE lc_collisions(i INTEGER, r INTEGER, t INTEGER NOT NULL, PRIMARY KEY(i, r)) WITHOUT ROWID;
CREATE TABLE lc_losers(t INTEGER, k BLOB, p BLOB, h INTEGER NOT NULL, o INTEGER NOT NULL, c BLOB, cells BLOB NOT NULL, PRIMARY KEY(t, k)) WITHOUT ROWID;
CREATE INDEX lc_losers_p ON lc_losers(t, p);
CREATE TABLE lc_local(key TEXT PRIMARY KEY, val BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE lc_system(name TEXT PRIMARY KEY, form INTEGER NOT NULL, fixed BLOB, rest BLOB) WITHOUT ROWID;
` + retiredSQL

// retiredSQL is what format 4 has beyond format 3. Format 5 has indexes on jsonb, and on arrays of types whose equal values
// may be written in more than one way, by the collations and functions that compare them (Store.reform).
const retiredSQL = `CREATE TABLE lc_retired(origin BLOB PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
`

const (
	applicationID = 0x4c434b31 // "LCK1"
	formatVersion = 5
	oldestFormat  = 3 // that is made one of formatVersion when it is opened
	seqBits       = 40
)

// openConn opens a connection to the store's database and sets it up.
func (s *Store) openConn(readOnly bool) (*sqlite.Conn, error) {
	s.file.RLock()
	defer s.file.RUnlock()
	c, err := sqlite.Open(s.path, sqlite.Options{
		Memory:      s.memory,
		Exclusive:   true, // nobody else has it open anyway: see lockFolder
		ReadOnly:    readOnly && !s.memory,
		Authorizer:  true,
		BusyTimeout: busyTimeout,
	})
	if err != nil {
		return nil, err
	}
	cache := -64 << 10 // KiB
	if readOnly {
		cache = -2 << 10 // emptied whenever another connection has committed: greater costs more than it saves
	}
	settings := []string{
		"PRAGMA foreign_keys=OFF", "PRAGMA trusted_schema=OFF", "PRAGMA temp_store=MEMORY",
		"PRAGMA recursive_triggers=OFF", "PRAGMA cell_size_check=ON", fmt.Sprintf("PRAGMA cache_size=%d", cache),
	}
	if s.memory {
		settings = append(settings, "PRAGMA journal_mode=MEMORY", "PRAGMA synchronous=OFF")
	} else {
		// No wal_autocheckpoint here: it would take the binding's WAL hook away, and with it WALPages.
		settings = append(settings, "PRAGMA mmap_size=0", "PRAGMA synchronous=FULL",
			fmt.Sprintf("PRAGMA journal_size_limit=%d", 64<<20),
			"PRAGMA schema_version") // reads, so that the WAL is opened now that it is known to be this file's
	}
	if err := c.StoreExec(strings.Join(settings, ";")); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// prepareFile makes the database if it is new, and refuses one that is not ours.
func (s *Store) prepareFile(c *sqlite.Conn) error {
	if !s.memory {
		// WAL is a property of the file; a file that cannot have it (an odd file system) would be silently unsafe.
		mode, err := one(c, "PRAGMA journal_mode=WAL")
		if err != nil {
			return err
		}
		if string(mode.Bytes) != "wal" {
			return fmt.Errorf("the file system does not let SQLite use a WAL (journal_mode is %q)", mode.Bytes)
		}
		if full, err := one(c, "PRAGMA synchronous"); err != nil || full.Int() != 2 {
			return errors.Join(err, errors.New("SQLite does not take synchronous=FULL"))
		}
	}
	id, err := one(c, "PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := one(c, "PRAGMA user_version")
	if err != nil {
		return err
	}
	switch {
	case id.Int() == applicationID && version.Int() == formatVersion:
		return nil
	case id.Int() == applicationID && version.Int() >= oldestFormat && version.Int() < formatVersion:
		change := ""
		if version.Int() == oldestFormat {
			change = retiredSQL
		}
		return c.StoreExec("BEGIN IMMEDIATE;" + change + fmt.Sprintf("PRAGMA user_version=%d; COMMIT", formatVersion))
	case id.Int() == applicationID:
		return fmt.Errorf("the database has format %d, this program knows format %d", version.Int(), formatVersion)
	case id.Int() != 0:
		return errors.New("the database belongs to another application")
	}
	if n, err := one(c, "SELECT count(*) FROM sqlite_schema"); err != nil || n.Int() != 0 {
		return errors.Join(err, errors.New("the database belongs to another application"))
	}
	if err := s.unclaimed(); err != nil {
		return err
	}
	node, err := randomNode(s.config.Rand)
	if err != nil {
		return err
	}
	sp := objectSpace()
	script := "BEGIN IMMEDIATE;" + formatSQL + sp.createSQL() + ";" +
		fmt.Sprintf("INSERT INTO lc_state VALUES(1, %d, 0, 0);", int64(node)) +
		fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", applicationID, formatVersion)
	return c.StoreExec(script)
}

// one runs a statement of the store and returns the first value of its first row, NULL if there is none.
func one(c *sqlite.Conn, sql string, args ...catalog.Value) (catalog.Value, error) {
	var v catalog.Value
	err := each(c, sql, args, func(row []catalog.Value) error {
		v = row[0]
		return errStop
	})
	return v, err
}

var errStop = errors.New("stop")

// each runs a statement of the store and hands every row to fn, until fn fails; errStop ends it without an error.
func each(c *sqlite.Conn, sql string, args []catalog.Value, fn func([]catalog.Value) error) error {
	st, err := c.StoreStmt(sql)
	if err != nil {
		return fmt.Errorf("%w in %s", err, sql)
	}
	rows, err := st.Query(args)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Values()); err != nil {
			if err == errStop {
				return nil
			}
			return err
		}
	}
	return rows.Err()
}

// run runs a statement of the store.
func run(c *sqlite.Conn, sql string, args ...catalog.Value) error {
	st, err := c.StoreStmt(sql)
	if err != nil {
		return fmt.Errorf("%w in %s", err, sql)
	}
	_, err = st.Exec(args)
	return err
}
