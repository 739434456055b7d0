package sqlfunc_test

import (
	"fmt"
	"strings"
	"testing"

	"layercake/catalog"
)

// TestMoments holds what comparisons of times use in the place of conversions against the conversions, around changes of the
// clock and of the date line.
func TestMoments(t *testing.T) {
	conn := open(t)
	const day, hour = 86_400_000_000, 3_600_000_000
	for _, c := range []struct{ zone, date string }{
		{"UTC", "2024-02-29"}, {"Europe/Berlin", "2023-03-26"}, {"Europe/Berlin", "2023-10-29"}, {"America/Sao_Paulo", "2018-11-04"},
		{"Pacific/Apia", "2011-12-30"}, {"Pacific/Kwajalein", "1993-08-21"}, {"Asia/Manila", "1844-12-31"}, {"America/Juneau", "1867-10-18"},
	} {
		v, err := catalog.DecodeText(catalog.DateOID, -1, []byte(c.date), nil)
		if err != nil {
			t.Fatal(err)
		}
		query := func(when string) string {
			return fmt.Sprintf(`WITH RECURSIVE h(i) AS (SELECT -200 UNION ALL SELECT i + 1 FROM h WHERE i < 200),
				x(x) AS (SELECT %d + i * %d FROM h UNION ALL VALUES (%d), (%d)),
				d(d) AS (SELECT %d + i FROM h WHERE abs(i) < 9 UNION ALL VALUES (%d), (%d))
				SELECT count(*) FROM x, d WHERE %s`, v.Int()*day, hour/2, catalog.TimestampInfinity, catalog.TimestampMinInfinity,
				v.Int(), catalog.DateInfinity, catalog.DateMinusInfinity, when)
		}
		for _, wrong := range []string{
			"(d < lc_ts_days(x)) <> (lc_cmp_date(d) < x) OR (d = lc_ts_days(x)) <> (lc_cmp_date(d) = x)",
			"(d < lc_tstz_first(x, $tz)) <> (lc_cmp_ts(lc_cmp_date(d), $tz) < x)",
			"(d <= lc_tstz_last(x, $tz)) <> (lc_cmp_ts(lc_cmp_date(d), $tz) <= x)",
			"lc_cmp_ts(lc_cmp_date(d), $tz) >= x AND lc_cmp_date(d) <= lc_tstz_near(x, $tz, -1)",
			"lc_cmp_ts(lc_cmp_date(d), $tz) <= x AND lc_cmp_date(d) > lc_tstz_near(x, $tz, 1)",
			"lc_cmp_ts(lc_cmp_date(d), $tz) = x AND lc_cmp_date(d) = lc_tstz_near(x, $tz, 1)",
		} {
			st, err := conn.Stmt(query(strings.ReplaceAll(wrong, "$tz", "'"+c.zone+"'")))
			if err != nil {
				t.Fatal(err)
			}
			rows, err := st.Query(nil)
			if err != nil {
				t.Fatal(err)
			}
			if !rows.Next() || rows.Values()[0].Int() != 0 {
				t.Errorf("%s: %v rows are wrong with %s", c.zone, rows.Values()[0].Int(), wrong)
			}
			rows.Close()
		}
	}
}
