package sqlstore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"layercake/catalog"
)

// The system tables (pg_class …) are filled from the schema: once before a commit, however often the schema changed, and
// before that only for a query that may read them. An open transaction with DDL is run again for each of its
// statements, and filling costs more than the DDL.

// freshSystem brings the system tables up to date for a query, if it may read them.
func (tx *Tx) freshSystem(sql string) error {
	if !tx.w.systemStale || !strings.Contains(sql, "pg_") && !strings.Contains(sql, "information_schema") {
		return nil
	}
	return tx.w.fillSystem(false)
}

// systemState is what lc_system says of a system table.
type systemState struct {
	form  int64  // fingerprint of its CREATE statements
	fixed string // hash of the rows that are the same for every schema
	rest  string // hash of the others
}

func (w *writer) systemStates() (map[string]systemState, error) {
	have := make(map[string]systemState)
	err := each(w.conn, "SELECT name,form,fixed,rest FROM lc_system", nil, func(v []catalog.Value) error {
		have[string(v[0].Bytes)] = systemState{v[1].Int(), string(v[2].Bytes), string(v[3].Bytes)}
		return nil
	})
	return have, err
}

// fillSystem writes the rows of the system tables that differ from what they hold. With all, also those that do not
// depend on the schema: once a start is enough for them. These have the rowids from 1.
func (w *writer) fillSystem(all bool) error {
	have, err := w.systemStates()
	if err != nil {
		return err
	}
	for _, rel := range catalog.SystemRelations() {
		if !systemTable(rel) || !all && catalog.SystemStatic(rel) {
			continue
		}
		st := have[rel.Phys]
		if all {
			rows := catalog.SystemFixedRows(rel)
			if hash := hashRows(rows); hash != st.fixed {
				if err := w.fillTable(rel, "fixed", hash, 0, rows); err != nil {
					return err
				}
				st.rest = ""
			}
			w.systemFixed[rel] = len(rows)
		}
		rows := catalog.SystemRows(w.layout.schema, rel)
		if hash := hashRows(rows); hash != st.rest {
			if err := w.fillTable(rel, "rest", hash, w.systemFixed[rel], rows); err != nil {
				return err
			}
		}
	}
	w.systemStale = false
	return nil
}

func hashRows(rows [][]catalog.Value) string {
	h := sha256.New()
	var enc []byte
	for _, r := range rows {
		if enc = catalog.AppendRow(enc, r); len(enc) > 1<<16 {
			h.Write(enc)
			enc = enc[:0]
		}
	}
	h.Write(enc)
	return string(h.Sum(nil))
}

// fillTable replaces the rows beyond a rowid.
func (w *writer) fillTable(rel *catalog.Table, part, hash string, beyond int, rows [][]catalog.Value) error {
	c := w.conn
	if err := run(c, "DELETE FROM "+rel.Phys+" WHERE rowid>?", catalog.Int(int64(beyond))); err != nil {
		return err
	}
	st, err := c.StoreStmt("INSERT INTO " + rel.Phys + " VALUES(" + params(len(rel.Columns)) + ")")
	if err != nil {
		return err
	}
	for _, r := range rows {
		if _, err := st.Exec(r); err != nil {
			return fmt.Errorf("system table %s: %w", rel.Name, err)
		}
	}
	return run(c, "UPDATE lc_system SET "+part+"=? WHERE name=?", catalog.BlobBytes([]byte(hash)), catalog.Str(rel.Phys))
}

// prepareSystem makes the tables of the system relations, where their form has changed, and fills those that do not
// depend on the schema.
func (w *writer) prepareSystem() error {
	if err := run(w.conn, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := w.makeSystem()
	if err == nil {
		err = w.fillSystem(true)
	}
	if err != nil {
		return errors.Join(err, run(w.conn, "ROLLBACK"))
	}
	return run(w.conn, "COMMIT")
}

func systemTable(t *catalog.Table) bool { return t.Kind == catalog.KindTable }

// makeSystem makes the system tables that are missing or have another form in this version of the program.
func (w *writer) makeSystem() error {
	c := w.conn
	have, err := w.systemStates()
	if err != nil {
		return err
	}
	for _, t := range catalog.SystemRelations() {
		if !systemTable(t) {
			continue
		}
		sql := systemSQL(t)
		sum := fnv.New64a()
		sum.Write([]byte(sql))
		form := int64(sum.Sum64())
		st, there := have[t.Phys]
		delete(have, t.Phys)
		if there && st.form == form {
			continue
		}
		if err := c.StoreExec("DROP TABLE IF EXISTS " + t.Phys + ";" + sql); err != nil {
			return fmt.Errorf("system table %s: %w", t.Phys, err)
		}
		if err := run(c, "INSERT OR REPLACE INTO lc_system VALUES(?,?,NULL,NULL)", catalog.Str(t.Phys), catalog.Int(form)); err != nil {
			return err
		}
	}
	for name := range have {
		if err := c.StoreExec("DROP TABLE IF EXISTS " + name + "; DELETE FROM lc_system WHERE name='" + name + "'"); err != nil {
			return err
		}
	}
	return nil
}

// systemSQL makes a system table with its indexes.
func systemSQL(t *catalog.Table) string {
	var cols []string
	for _, c := range t.Columns {
		def := c.Phys
		if c.Type == catalog.OidOID || integerType(c.Type) {
			def += " INTEGER"
		}
		cols = append(cols, def)
	}
	sql := "CREATE TABLE " + t.Phys + "(" + strings.Join(cols, ",") + ")"
	for _, ix := range t.Indexes {
		sql += ";CREATE INDEX " + ix.Phys + " ON " + t.Phys + "(" + strings.Join(ix.PhysKeys, ",") + ")"
	}
	return sql
}
