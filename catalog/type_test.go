package catalog_test

import (
	"testing"

	"layercake/catalog"
	"layercake/pgerror"
)

// TestLookupType compares with what PostgreSQL 15's to_regtype and format_type say.
func TestLookupType(t *testing.T) {
	for in, want := range map[string]string{
		"int": "integer", "INTEGER": "integer", "int4": "integer", "smallint": "smallint", "bigint": "bigint", "int8": "bigint",
		"real": "real", "float": "double precision", "float(24)": "real", "float(25)": "double precision", "double precision": "double precision",
		"decimal": "numeric", "dec(5)": "numeric(5,0)", "numeric(10,2)": "numeric(10,2)", "numeric(3,-2)": "numeric(3,-2)",
		"bool": "boolean", "text": "text", "varchar": "character varying", "varchar(5)": "character varying(5)",
		"character varying ( 5 )": "character varying(5)", "char": "character(1)", "char(3)": "character(3)", "character": "character(1)",
		"nchar varying(2)": "character varying(2)", "national character varying(2)": "character varying(2)", "bpchar": "bpchar", `"char"`: `"char"`,
		"time": "time without time zone", "time(3)": "time(3) without time zone", "timetz": "time with time zone",
		"timestamp": "timestamp without time zone", "timestamp(3) with time zone": "timestamp(3) with time zone", "timestamptz(9)": "timestamp(6) with time zone",
		"timestamp without time zone": "timestamp without time zone", "interval": "interval", "interval(3)": "interval(3)",
		"interval year to month": "interval year to month", "interval day to second(3)": "interval day to second(3)", "interval second(2)": "interval second(2)",
		"bit": "bit(1)", "bit(4)": "bit(4)", "bit varying": "bit varying", "varbit(7)": "bit varying(7)",
		"int[]": "integer[]", "int array": "integer[]", "int array[4]": "integer[]", "varchar(3)[][]": "character varying(3)[]", "_text": "text[]",
		"pg_catalog.int4": "integer", `pg_catalog."char"`: `"char"`, "name": "name", "int2vector": "int2vector", "jsonb": "jsonb",
		"point": "point", "tsvector": "tsvector", "regclass": "regclass", "record": "record", `"any"`: `"any"`, "money": "money",
	} {
		oid, typmod, err := catalog.LookupType(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := catalog.FormatType(oid, typmod); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for in, code := range map[string]string{
		"nosuch": pgerror.UndefinedObject, "public.int4": pgerror.UndefinedObject, "varchar(0)": pgerror.InvalidParameterValue,
		"varchar(10485761)": pgerror.InvalidParameterValue, "varchar(1,2)": pgerror.InvalidParameterValue, "numeric(1001)": pgerror.InvalidParameterValue,
		"numeric(0)": pgerror.InvalidParameterValue, "numeric(5,1001)": pgerror.InvalidParameterValue, "float(54)": pgerror.InvalidParameterValue,
		"float(0)": pgerror.InvalidParameterValue, "int4(3)": pgerror.SyntaxError, "int]": pgerror.SyntaxError, "": pgerror.SyntaxError,
		"interval month to day": pgerror.SyntaxError, "varchar(": pgerror.SyntaxError, "int int": pgerror.SyntaxError, `"`: pgerror.SyntaxError,
		"double": pgerror.UndefinedObject,
	} {
		if oid, _, err := catalog.LookupType(in); pgerror.Code(err) != code {
			t.Errorf("%q: got %d, %v; want %s", in, oid, err, code)
		}
	}
}

func TestFormatTypeName(t *testing.T) {
	for oid, want := range map[uint32]string{
		catalog.BpcharOID: "character", catalog.BitOID: "bit", catalog.VarcharOID: "character varying", 0: "-", 99999999: "???",
		catalog.BpcharArrayOID: "character[]", catalog.OidvectorOID: "oidvector",
	} {
		if got := catalog.FormatTypeName(oid); got != want {
			t.Errorf("%d: got %s, want %s", oid, got, want)
		}
	}
	if got := catalog.FormatType(catalog.BpcharOID, -1); got != "bpchar" {
		t.Errorf("character without a length is %s", got)
	}
}

func TestCheckSupported(t *testing.T) {
	for _, oid := range []uint32{catalog.PointOID, catalog.InetOID, catalog.TsvectorOID, catalog.MoneyOID, catalog.Int4rangeOID, catalog.XMLOID, catalog.BitOID} {
		if err := catalog.CheckSupported(oid); pgerror.Code(err) != pgerror.FeatureNotSupported {
			t.Errorf("type %d: %v", oid, err)
		}
		if _, err := catalog.DecodeText(oid, -1, []byte("x"), nil); pgerror.Code(err) != pgerror.FeatureNotSupported {
			t.Errorf("type %d: reading gives %v", oid, err)
		}
	}
	if err := catalog.CheckSupported(catalog.NumericArrayOID); err != nil {
		t.Error(err)
	}
}

func TestQuoteIdent(t *testing.T) {
	for in, want := range map[string]string{"a": "a", "A": `"A"`, "select": `"select"`, "int": `"int"`, "a b": `"a b"`, `a"b`: `"a""b"`, "": `""`, "_x1": "_x1", "1x": `"1x"`, "name": "name", "order": `"order"`} {
		if got := catalog.QuoteIdent(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestOutputSettingsText(t *testing.T) {
	s := catalog.DefaultOutput()
	s.TimeZone, s.TimeZoneName = catalog.FixedZone(-3 * 3600)
	s.DateStyle, s.DateOrder, s.IntervalStyle, s.ExtraFloatDigits, s.ByteaOutput = "SQL", "DMY", "iso_8601", -2, "escape"
	if s.TimeZoneName != "<-03>+03" {
		t.Errorf("zone %s", s.TimeZoneName)
	}
	back, err := catalog.ParseOutputSettings(s.String())
	if err != nil {
		t.Fatal(err)
	}
	if back.String() != s.String() {
		t.Errorf("%s came back as %s", s, back)
	}
	for _, v := range []int64{0, 777777777777777} {
		a, b := catalog.AppendTimestamptz(nil, v, s), catalog.AppendTimestamptz(nil, v, back)
		if string(a) != string(b) {
			t.Errorf("shown as %s and %s", a, b)
		}
	}
	for _, bad := range []string{"", "UTC", "Nowhere;ISO;MDY;postgres;1;hex", "UTC;ISO;MDY;postgres;x;hex"} {
		if _, err := catalog.ParseOutputSettings(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestZones(t *testing.T) {
	if _, name := catalog.LookupZone("europe/berlin"); name != "Europe/Berlin" {
		t.Errorf("got %q", name)
	}
	for _, bad := range []string{"Mars/Olympus", "", "+", "+0530", "+168", "<x", "UTC+", "UTC+999", "A", "localtime", "../../etc/passwd"} {
		if loc, name := catalog.LookupZone(bad); loc != nil {
			t.Errorf("%q is %s", bad, name)
		}
	}
	// Of PostgreSQL 15: select timestamp '2024-07-01 12:00' at time zone Z.
	at, _ := catalog.DecodeText(catalog.TimestampOID, -1, []byte("2024-07-01 12:00"), nil)
	for zone, want := range map[string]string{"America/New_York": "2024-07-01 16:00:00+00", "EST": "2024-07-01 17:00:00+00", "UTC+3": "2024-07-01 15:00:00+00", "+03": "2024-07-01 15:00:00+00", "-05:30": "2024-07-01 06:30:00+00", "msk": "2024-07-01 09:00:00+00"} {
		loc, err := catalog.ZoneForInput(zone, at.Int())
		if err != nil {
			t.Errorf("%s: %v", zone, err)
			continue
		}
		got := string(catalog.AppendTimestamptz(nil, catalog.LocalToTimestamp(at.Int(), loc), catalog.DefaultOutput()))
		if got != want {
			t.Errorf("%s: got %s, want %s", zone, got, want)
		}
	}
	if _, err := catalog.ZoneForInput("nowhere", 0); pgerror.Code(err) != pgerror.InvalidParameterValue {
		t.Error(err)
	}
}
