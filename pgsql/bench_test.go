package pgsql_test

import (
	"testing"

	"layercake/pgsql"
)

var benchQueries = map[string]string{
	"point":  "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
	"simple": "SELECT abalance FROM pgbench_accounts WHERE aid = 12345",
	"join":   "SELECT a.aid, b.bbalance, count(*) FROM pgbench_accounts a JOIN pgbench_branches b ON a.bid = b.bid WHERE a.abalance > 100 AND b.bid IN (1, 2, 3) GROUP BY a.aid, b.bid ORDER BY 3 DESC LIMIT 10",
}

const benchSchema = `CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88))`

func BenchmarkParse(b *testing.B) {
	for name, sql := range benchQueries {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := pgsql.Parse(sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	d := newDB(b)
	d.run(benchSchema)
	for name, sql := range benchQueries {
		b.Run(name, func(b *testing.B) {
			list, err := pgsql.Parse(sql)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pgsql.Compile(list[0], d.env, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
