package sqlstore_test

import (
	"testing"

	"layercake/catalog"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// TestAddColumnSendsNoRows: ADD COLUMN with a default is one object row in the log, whatever the table holds, and changes
// no digest of it; a row that arrives from before it has the default too.
func TestAddColumnSendsNoRows(t *testing.T) {
	n, other := open(t), open(t)
	p := n.MustCreate(people)
	other.Pull(n)
	const rows = 50_000
	n.MustWrite(func(tx *sqlstore.Tx) error {
		tab := storetest.Table(tx.Schema(), p)
		for i := range int64(rows) {
			if _, err := tx.Insert(tab, vals(integer(i), text("name"), null)); err != nil {
				return err
			}
		}
		return nil
	})
	other.Insert(p, integer(rows), text("from before"), null)
	before := n.Digest(p)
	c := n.MustAlter(storetest.AddColumn(n.NewID(), p, 4, storetest.Column{Name: "late", Type: catalog.TextOID, Missing: text("dflt")}))
	t.Logf("the entry has %d bytes", c.Bytes)
	if c.Bytes > 1024 {
		t.Errorf("the entry has %d bytes: it tells of rows", c.Bytes)
	}
	if after := n.Digest(p); after != before {
		t.Errorf("the digest goes from %v to %v", before, after)
	}
	n.Pull(other)
	other.Pull(n)
	storetest.Same(t, n, other)
	for _, m := range []*storetest.Node{n, other} {
		got := m.Rows(p)
		if len(got) != rows+1 || got[0] != "0 name - dflt" {
			t.Errorf("%d rows, the first is %s", len(got), got[0])
		}
	}
}
