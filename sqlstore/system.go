package sqlstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
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

// fillSystem writes the rows of the system tables that differ from what they hold. With all, also of those that do not
// depend on the schema: once a start is enough for them.
func (w *writer) fillSystem(all bool) error {
	schema := w.layout.schema
	have := make(map[string]string)
	c := w.conn
	err := each(c, "SELECT name,hash FROM lc_system", nil, func(v []catalog.Value) error {
		have[string(v[0].Bytes)] = string(v[1].Bytes)
		return nil
	})
	if err != nil {
		return err
	}
	for _, rel := range catalog.SystemRelations() {
		if !systemTable(rel) || !all && catalog.SystemStatic(rel) {
			continue
		}
		if err := w.fillTable(rel, catalog.SystemRows(schema, rel), have[rel.Phys]); err != nil {
			return fmt.Errorf("system table %s: %w", rel.Name, err)
		}
	}
	w.systemStale = false
	return nil
}

func (w *writer) fillTable(rel *catalog.Table, rows [][]catalog.Value, have string) error {
	h := sha256.New()
	var enc []byte
	for _, r := range rows {
		enc = catalog.AppendRow(enc[:0], r)
		h.Write(enc)
	}
	hash := h.Sum(nil)
	if have == string(hash) {
		return nil
	}
	c := w.conn
	if err := run(c, "DELETE FROM "+rel.Phys); err != nil {
		return err
	}
	st, err := c.StoreStmt("INSERT INTO " + rel.Phys + " VALUES(" + params(len(rel.Columns)) + ")")
	if err != nil {
		return err
	}
	for _, r := range rows {
		if _, err := st.Exec(r); err != nil {
			return err
		}
	}
	return run(c, "UPDATE lc_system SET hash=? WHERE name=?", catalog.BlobBytes(hash), catalog.Str(rel.Phys))
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

func (w *writer) makeSystem() error {
	c := w.conn
	have := make(map[string]int)
	err := each(c, "SELECT name,columns FROM lc_system", nil, func(v []catalog.Value) error {
		have[string(v[0].Bytes)] = int(v[1].Int())
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range catalog.SystemRelations() {
		if !systemTable(t) {
			continue
		}
		n, there := have[t.Phys]
		delete(have, t.Phys)
		if there && n == len(t.Columns) {
			continue
		}
		if err := c.StoreExec("DROP TABLE IF EXISTS " + t.Phys); err != nil {
			return err
		}
		var b bytes.Buffer
		fmt.Fprintf(&b, "CREATE TABLE %s(", t.Phys)
		for i, col := range t.Columns {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(col.Phys)
		}
		b.WriteByte(')')
		if err := c.StoreExec(b.String()); err != nil {
			return fmt.Errorf("system table %s: %w", t.Phys, err)
		}
		if err := run(c, "INSERT OR REPLACE INTO lc_system VALUES(?,?,NULL)", catalog.Str(t.Phys), catalog.Int(int64(len(t.Columns)))); err != nil {
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
