package sqlite_test

import (
	"testing"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

// Whatever bytes a value holds, a function answers or fails, and touches nothing outside them.

func fuzzConn(f *testing.F) *sqlite.Conn {
	c, err := sqlite.Open("fuzz", sqlite.Options{Memory: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	return c
}

func runAll(t *testing.T, c *sqlite.Conn, statements []string, v catalog.Value) {
	for _, sql := range statements {
		s, err := c.Stmt(sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		r, err := s.Query([]catalog.Value{v})
		if err != nil {
			continue
		}
		for r.Next() {
		}
		r.Close()
	}
}

func FuzzArray(f *testing.F) {
	c := fuzzConn(f)
	for _, items := range [][]catalog.Value{nil, {catalog.Int(1), {}}, {catalog.Str("a"), catalog.Str("")}, {catalog.Float(1.5)}} {
		f.Add(catalog.EncodeArray(catalog.Int4OID, nil, items).Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		runAll(t, c, []string{
			"SELECT value FROM lc_unnest(?1)", "SELECT lc_array_get(?1, 1), lc_array_get(?1, 1, 1)", "SELECT lc_array_slice(?1, 23, 0, 2)",
			"SELECT lc_array_append(?1, 1, 23)", "SELECT lc_array_cat(?1, ?1)", "SELECT lc_array_nest(23, ?1, ?1)", "SELECT lc_array_remove(?1, 1, 23)",
			"SELECT lc_array_replace(?1, 1, 2, 23)", "SELECT lc_array_contains(?1, ?1)", "SELECT lc_array_set(?1, 5, 23, 3)", "SELECT lc_array_dims(?1)",
			"SELECT lc_array_positions(?1, 1, 23)", "SELECT lc_trim_array(?1, 1)", "SELECT lc_array_agga(?1, 23)", "SELECT lc_array_items(?1)",
			"SELECT lc_array_join(?1, ',')", "SELECT lc_array_any(?1, 1, 23)",
		}, catalog.BlobBytes(b))
	})
}

func FuzzRows(f *testing.F) {
	c := fuzzConn(f)
	f.Add(catalog.AppendRow(nil, []catalog.Value{catalog.Int(1), catalog.Str("a"), {}, catalog.Float(2), catalog.BlobBytes([]byte{1})}))
	f.Fuzz(func(t *testing.T, b []byte) {
		runAll(t, c, []string{
			"SELECT * FROM lc_rows(?1, 1)", "SELECT * FROM lc_rows(?1, 3)", "SELECT lc_item(?1, 0), lc_item(?1, 2)", "SELECT lc_array_of(?1, 25)",
			"SELECT lc_pack_join(?1, ',')", "SELECT lc_holds(?1, 1)",
		}, catalog.BlobBytes(b))
	})
}

func FuzzNumeric(f *testing.F) {
	c := fuzzConn(f)
	for _, s := range []string{"2", "2  ", "3P15 ", "1N84~", "0", "4", "5", "3~0000411", "1~99998987~", "1.5e3", " -0.001 ", "Infinity"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 200 {
			return
		}
		runAll(t, c, []string{
			"SELECT lc_nout(?1)", "SELECT lc_nin(?1)", "SELECT lc_nadd(?1, ?1), lc_nmul(?1, ?1)", "SELECT lc_ndiv(?1, 7)", "SELECT lc_nmod(?1, 7)",
			"SELECT lc_nround(?1, 2), lc_nceil(?1)", "SELECT lc_n2i8(?1)", "SELECT lc_n2f(?1)", "SELECT lc_sumn(?1), lc_avgn(?1)", "SELECT lc_ntypmod(?1, 655366)",
		}, catalog.Str(s))
	})
}

func FuzzText(f *testing.F) {
	c := fuzzConn(f)
	for _, s := range []string{"", "abc", "%_\\", "ä€𝄞", "\xff\xc3", "a|b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		runAll(t, c, []string{
			"SELECT lc_length(?1), lc_substr(?1, 2, 3), lc_left(?1, -2), lc_right(?1, 2), lc_reverse(?1)", "SELECT lc_like(?1, ?1), lc_ilike('abc', ?1), lc_like(?1, '%a_')",
			"SELECT lc_upper(?1), lc_lower(?1)", "SELECT lc_btrim(?1, 'aä'), lc_btrim('xaäx', ?1)", "SELECT lc_position(?1, ?1), lc_name(?1), lc_bppad(?1, 30)",
			"SELECT lc_varchar_typmod(?1, 7, 1), lc_bpchar_typmod(?1, 7, 0)", "SELECT ?1 < 'a|' COLLATE LCKEY",
		}, catalog.TextBytes([]byte(s)))
	})
}
