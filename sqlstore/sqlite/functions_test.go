package sqlite_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/sqlstore/sqlite"
)

// show writes a value so that its storage class can be seen: 1, 1.5 (or 1.0), 'text', x'00', NULL.
func show(v catalog.Value) string {
	switch v.Kind {
	case catalog.Integer:
		return strconv.FormatInt(v.Int(), 10)
	case catalog.Real:
		s := strconv.FormatFloat(v.Float(), 'g', -1, 64)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return s
	case catalog.Text:
		return "'" + string(v.Bytes) + "'"
	case catalog.Blob:
		return fmt.Sprintf("x'%x'", v.Bytes)
	}
	return "NULL"
}

// eval runs a SELECT and shows its rows, or its error as "SQLSTATE: message".
func eval(c *sqlite.Conn, sql string, args ...catalog.Value) string {
	s, err := c.Stmt(sql)
	if err != nil {
		return showError(err)
	}
	r, err := s.Query(args)
	if err != nil {
		return showError(err)
	}
	defer r.Close()
	var b strings.Builder
	for first := true; r.Next(); first = false {
		if !first {
			b.WriteString("; ")
		}
		for i, v := range r.Values() {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(show(v))
		}
	}
	if err := r.Err(); err != nil {
		return showError(err)
	}
	return b.String()
}

func showError(err error) string {
	var e *pgerror.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	s := e.Code + ": " + e.Message
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

// check evaluates "expression -> result" lines. An expression that does not start with SELECT is wrapped in one.
func check(t *testing.T, c *sqlite.Conn, table string) {
	t.Helper()
	for _, line := range strings.Split(table, "\n") {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		expr, want, ok := strings.Cut(line, " -> ")
		if !ok {
			t.Fatalf("malformed line %q", line)
		}
		sql := expr
		if !strings.HasPrefix(expr, "SELECT ") && !strings.HasPrefix(expr, "WITH ") {
			sql = "SELECT " + expr
		}
		if got := eval(c, sql); got != want {
			t.Errorf("%s\n got  %s\n want %s", expr, got, want)
		}
	}
}

func TestIntegers(t *testing.T) {
	c := open(t, sqlite.Options{})
	check(t, c, `
lc_add4(1, 2) -> 3
lc_add4(2147483647, 1) -> 22003: integer out of range
lc_add4(NULL, 1) -> NULL
lc_add2(32767, 1) -> 22003: smallint out of range
lc_add8(9223372036854775807, 1) -> 22003: bigint out of range
lc_sub4(-2147483648, 1) -> 22003: integer out of range
lc_sub8(-9223372036854775807, 2) -> 22003: bigint out of range
lc_sub2(1, 2) -> -1
lc_mul4(65536, 32768) -> 22003: integer out of range
lc_mul4(65536, -32768) -> -2147483648
lc_mul8(4611686018427387904, 2) -> 22003: bigint out of range
lc_div4(7, -2) -> -3
lc_div4(1, 0) -> 22012: division by zero
lc_div4(-2147483648, -1) -> 22003: integer out of range
lc_div8(-9223372036854775808, -1) -> 22003: bigint out of range
lc_div2(-32768, -1) -> 22003: smallint out of range
lc_mod4(-7, 2) -> -1
lc_mod8(-9223372036854775808, -1) -> 0
lc_mod4(1, 0) -> 22012: division by zero
lc_neg8(-9223372036854775808) -> 22003: bigint out of range
lc_neg4(5) -> -5
lc_abs2(-32768) -> 22003: smallint out of range
lc_abs4(-5) -> 5
lc_shl4(1, 31) -> -2147483648
lc_shl4(1, 32) -> 1
lc_shl2(1, 15) -> -32768
lc_shl8(1, 63) -> -9223372036854775808
lc_shr4(-8, 1) -> -4
lc_bxor(6, 3) -> 5
lc_gcd4(-12, 18) -> 6
lc_gcd4(-2147483648, 0) -> 22003: integer out of range
lc_gcd8(0, 0) -> 0
lc_lcm4(4, 6) -> 12
lc_lcm8(9223372036854775807, 2) -> 22003: bigint out of range
lc_to2(32768) -> 22003: smallint out of range
lc_to4(-2147483648) -> -2147483648
lc_i2oid(-1) -> 4294967295
lc_i82oid(4294967296) -> 22003: OID out of range
lc_oid2i(4294967295) -> -1
`)
}

func TestFloats(t *testing.T) {
	c := open(t, sqlite.Options{})
	check(t, c, `
lc_fadd(0.1, 0.2) -> 0.30000000000000004
lc_fadd(1e308, 1e308) -> 22003: value out of range: overflow
lc_fadd('NaN', 1) -> 'NaN'
lc_fsub(9e999, 9e999) -> 'NaN'
lc_fmul(1e-200, 1e-200) -> 22003: value out of range: underflow
lc_fmul4(0.1, 3) -> 0.30000001192092896
lc_fadd4(3e38, 3e38) -> 22003: value out of range: overflow
lc_fdiv(1.0, 0.0) -> 22012: division by zero
lc_fdiv('NaN', 0.0) -> 'NaN'
lc_fdiv(1.0, 9e999) -> 0.0
lc_fdiv(1.0, NULL) -> NULL
lc_fneg(0.0) -> -0.0
lc_fabs('NaN') -> 'NaN'
lc_f2f4(0.1) -> 0.10000000149011612
lc_f2f4(1e39) -> 22003: value out of range: overflow
lc_f2f4(1e-50) -> 22003: value out of range: underflow
lc_f2i4(2.5) -> 2
lc_f2i4(3.5) -> 4
lc_f2i4(2147483647.5) -> 22003: integer out of range
lc_f2i4(2147483647.4) -> 2147483647
lc_f2i2('NaN') -> 22003: smallint out of range
lc_f2i8(9223372036854775807.0) -> 22003: bigint out of range
lc_sqrt(-1.0) -> 2201F: cannot take square root of a negative number
lc_sqrt(2.0) -> 1.4142135623730951
lc_cbrt(-27.0) -> -3.0000000000000004
lc_power(0.0, -1.0) -> 2201F: zero raised to a negative power is undefined
lc_power(-8.0, 0.5) -> 2201F: a negative number raised to a non-integer power yields a complex result
lc_power('NaN', 0.0) -> 1.0
lc_power(1.0, 'NaN') -> 1.0
lc_power(2.0, 10.0) -> 1024.0
lc_power(10.0, 400.0) -> 22003: value out of range: overflow
lc_power(10.0, -400.0) -> 22003: value out of range: underflow
lc_power(-9e999, 3.0) -> -Inf
lc_exp(1000.0) -> 22003: value out of range: overflow
lc_exp(-9e999) -> 0.0
lc_ln(0.0) -> 2201E: cannot take logarithm of zero
lc_ln(-1.0) -> 2201E: cannot take logarithm of a negative number
lc_log10(1000.0) -> 3.0
lc_round(2.5) -> 2.0
lc_round(-0.4) -> -0.0
lc_sign(-3.5) -> -1.0
lc_ceil(-0.5) -> -0.0
lc_sind(30.0) -> 0.5
lc_cosd(60.0) -> 0.5
lc_tand(45.0) -> 1.0
lc_cotd(0.0) -> +Inf
lc_asind(0.5) -> 30.0
lc_acosd(-0.5) -> 120.0
lc_atand(1.0) -> 45.0
lc_atan2d(1.0, 0.0) -> 90.0
lc_sin(9e999) -> 22003: input is out of range
lc_acos(1.5) -> 22003: input is out of range
lc_atanh(1.0) -> +Inf
lc_width_bucket(5.35, 0.024, 10.06, 5) -> 3
lc_width_bucket(9.0, 10.0, 0.0, 10) -> 2
lc_width_bucket(1.0, 1.0, 1.0, 5) -> 2201G: lower bound cannot equal upper bound
lc_random() BETWEEN 0 AND 1 -> 1
`)
}

func rowset(rows ...[]catalog.Value) catalog.Value {
	var b []byte
	for _, r := range rows {
		b = catalog.AppendRow(b, r)
	}
	return catalog.BlobBytes(b)
}

func integers(list ...int64) catalog.Value {
	var b []byte
	for _, n := range list {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return catalog.BlobBytes(b)
}

func TestRowsAndTables(t *testing.T) {
	c := open(t, sqlite.Options{Authorizer: true})
	set := rowset([]catalog.Value{catalog.Int(1), catalog.Str("a")}, []catalog.Value{catalog.Int(2), {}})
	for _, tt := range []struct {
		sql, want string
		arg       catalog.Value
	}{
		{"SELECT c0, c1, c2 FROM lc_rows(?1, 2)", "1, 'a', NULL; 2, NULL, NULL", set},
		{"SELECT c0 FROM lc_rows(?1, 1)", "1; 'a'; 2; NULL", set},
		{"SELECT c0 FROM lc_rows(?1, 3)", "XX001: malformed row set", set},
		{"SELECT c0 FROM lc_rows(?1, 0)", "54011: a row set has between 1 and 128 columns", set},
		{"SELECT c0 FROM lc_rows(?1, 2)", "", catalog.BlobBytes(nil)},
		{"SELECT c0 FROM lc_rows(?1, 2)", "", catalog.Value{}},
		{"SELECT lc_item(?1, 3), lc_item(?1, 1)", "NULL, 'a'", set},
		{"SELECT lc_item(?1, 4)", "XX001: malformed row", set},
		{"SELECT lc_holds(?1, -9223372036854775807 - 1), lc_holds(?1, -1), lc_holds(?1, 0), lc_holds(?1, 4294967296), lc_holds(?1, 9)", "1, 1, 0, 1, 0", integers(math.MinInt64, -1, 7, 1<<32)},
		{"SELECT lc_holds(?1, 0), lc_holds(?1, NULL)", "0, NULL", catalog.BlobBytes(nil)},
		{"SELECT r.c0, s.value FROM lc_series(1, ?1) s JOIN lc_rows(lc_row(s.value, s.value * 2), 2) r ORDER BY 1", "1, 1; 2, 2", catalog.Int(2)},
		{"SELECT lc_pack(value, 'x') = lc_row(1, 'x', 2, 'x', 3, 'x') FROM lc_series(1, ?1)", "1", catalog.Int(3)},
		{"SELECT lc_pack(value) FROM lc_series(1, ?1)", "x''", catalog.Int(0)},
		{"SELECT (SELECT sum(c0) FROM lc_rows(p, 1)) FROM (SELECT lc_pack(value) OVER (ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) p FROM lc_series(1, ?1))", "1; 3; 5; 7", catalog.Int(4)},
		{"SELECT lc_one(value) FROM lc_series(1, ?1)", "NULL", catalog.Int(0)},
		{"SELECT lc_one(value) FROM lc_series(1, ?1)", "1", catalog.Int(1)},
		{"SELECT lc_one(value) FROM lc_series(1, ?1)", "21000: more than one row returned by a subquery used as an expression", catalog.Int(2)},
		{"SELECT CASE WHEN ?1 THEN lc_raise('23502', 'no', 'why') ELSE 5 END", "5", catalog.Int(0)},
		{"SELECT CASE WHEN ?1 THEN lc_raise('23502', 'no', 'why') ELSE 5 END", "23502: no (why)", catalog.Int(1)},
		{"SELECT value FROM lc_series(1, ?1)", "1; 2; 3", catalog.Int(3)},
		{"SELECT value FROM lc_series(?1, 1, -2)", "5; 3; 1", catalog.Int(5)},
		{"SELECT value FROM lc_series(9223372036854775806, ?1)", "9223372036854775806; 9223372036854775807", catalog.Int(9223372036854775807)},
		{"SELECT value FROM lc_series(1, 2, ?1)", "22023: step size cannot equal zero", catalog.Int(0)},
		{"SELECT value FROM lc_series(1, ?1)", "", catalog.Value{}},
		{"SELECT count(*) FROM lc_series(1, ?1) WHERE value % 2 = 0 AND value < 50", "24", catalog.Int(100)},
		{"SELECT 'b|1' = 'b|2' COLLATE LCKEY, 'a|2' < 'b|1' COLLATE LCKEY, 'a' < 'aa|' COLLATE LCKEY, 'a' = ?1 COLLATE LCKEY", "1, 1, 1, 1", catalog.Str("a|x")},
	} {
		if got := eval(c, tt.sql, tt.arg); got != tt.want {
			t.Errorf("%s\n got  %s\n want %s", tt.sql, got, tt.want)
		}
	}
}
