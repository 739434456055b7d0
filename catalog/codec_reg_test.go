package catalog_test

import (
	"testing"

	"layercake/catalog"
)

// TestNamedOID: a value of a reg… type that carries its name is that name as text, and the OID in binary; so in arrays.
func TestNamedOID(t *testing.T) {
	v := catalog.NamedOID(1259, []byte("pg_class"))
	if got := string(catalog.AppendText(nil, catalog.RegclassOID, -1, v, nil)); got != "pg_class" {
		t.Errorf("text: got %q, want pg_class", got)
	}
	got, err := catalog.AppendBinary(nil, catalog.RegclassOID, -1, v)
	if err != nil || string(got) != "\x00\x00\x04\xeb" {
		t.Errorf("binary: got %q, %v, want 1259", got, err)
	}
	array := catalog.EncodeArray(catalog.RegclassOID, nil, []catalog.Value{v, {}, catalog.Int(5)})
	if got := string(catalog.AppendText(nil, catalog.RegclassArrayOID, -1, array, nil)); got != "{pg_class,NULL,5}" {
		t.Errorf("array: got %q, want {pg_class,NULL,5}", got)
	}
	if _, err := catalog.AppendBinary(nil, catalog.RegclassOID, -1, catalog.BlobBytes([]byte{1, 2})); err == nil {
		t.Error("a malformed value is accepted")
	}
}
