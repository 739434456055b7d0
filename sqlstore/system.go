package sqlstore

import (
	"crypto/sha256"

	"layercake/catalog"
)

// fillSystem writes the rows of the system tables that differ from what they hold. With all, also of those that do not
// depend on the schema: once a start is enough for them.
func (tx *Tx) fillSystem(schema *catalog.Schema, all bool) error {
	have := make(map[string]string)
	c := tx.w.conn
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
		rows := catalog.SystemRows(schema, rel)
		var enc []byte
		for _, r := range rows {
			enc = catalog.AppendRow(enc, r)
		}
		hash := sha256.Sum256(enc)
		if have[rel.Phys] == string(hash[:]) {
			continue
		}
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
		if err := run(c, "UPDATE lc_system SET hash=? WHERE name=?", catalog.BlobBytes(hash[:]), catalog.Str(rel.Phys)); err != nil {
			return err
		}
		tx.dirty = true
	}
	return nil
}
