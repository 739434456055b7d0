package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore"
)

// explain shows how SQLite will run a statement; with ANALYZE the statement is run, and its rows and time are shown.
func (s *session) explain(ctx context.Context, p *pgsql.Explain, c *compiled, st *pgsql.Statement, out sink) error {
	var q *pgsql.Query
	head := ""
	switch of := p.Of.(type) {
	case *pgsql.Query:
		q, head = of, "Query"
	case *pgsql.Modify:
		q = of.Source
		head = map[pgsql.ModifyOp]string{pgsql.Insert: "Insert", pgsql.Update: "Update", pgsql.Delete: "Delete"}[of.Op] + " on " + catalog.QuoteIdent(of.Table.Name)
	default:
		return pgerror.New(pgerror.FeatureNotSupported, "EXPLAIN of this statement is not supported")
	}
	lines := []string{head}
	err := s.withReader(ctx, s.tran, func(r *sqlstore.Reader) error {
		w := &worker{ctx: ctx, s: s, q: r, params: make([]catalog.Value, len(q.Params)), tran: s.tran}
		defer s.attach(r.Conn(), w)()
		ctes := make([]*rowBuffer, len(q.With))
		for i := range ctes {
			ctes[i] = &rowBuffer{}
		}
		args, err := s.bind(ctx, q.Args, w.params, &rowArgs{ctes: ctes, new: make([]catalog.Value, 1700), old: make([]catalog.Value, 1700)})
		if err != nil {
			return err
		}
		rows, err := r.Query(ctx, "EXPLAIN QUERY PLAN "+q.SQL, args)
		if err != nil {
			return err
		}
		defer rows.Close()
		depth := map[int64]int{0: 0}
		for rows.Next() {
			v := rows.Values()
			d := depth[v[1].Int()] + 1
			depth[v[0].Int()] = d
			lines = append(lines, strings.Repeat("  ", d)+"->  "+s.planLine(string(v[3].Bytes)))
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	if p.Analyze {
		began := time.Now()
		buf := &bufferSink{buf: &rowBuffer{}}
		var n int64
		switch of := p.Of.(type) {
		case *pgsql.Query:
			n, err = s.runQuery(ctx, &compiled{plan: of, schema: c.schema, cols: of.Columns}, of, nil, buf)
		case *pgsql.Modify:
			n, err = s.runModify(ctx, &compiled{plan: of, schema: c.schema, cols: of.Returning}, of, nil, buf)
		}
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("Rows: %d", n), fmt.Sprintf("Execution Time: %.3f ms", float64(time.Since(began).Microseconds())/1000))
	}
	switch strings.ToLower(p.Format) {
	case "", "text":
	case "json":
		j, err := json.MarshalIndent([]any{map[string]any{"Plan": map[string]any{"Node Type": head, "Lines": lines[1:]}}}, "", "  ")
		if err != nil {
			return err
		}
		lines = []string{string(j)}
	default:
		return pgerror.New(pgerror.FeatureNotSupported, "EXPLAIN (FORMAT %s) is not supported", strings.ToUpper(p.Format))
	}
	if err := out.columns(c.cols); err != nil {
		return err
	}
	for _, l := range lines {
		if err := out.row([]catalog.Value{catalog.Str(l)}); err != nil {
			return err
		}
	}
	return nil
}

// planLine puts the names that users know in the place of physical ones.
func (s *session) planLine(line string) string {
	words := strings.Fields(line)
	for i, w := range words {
		for _, t := range s.schema().Relations {
			if t.Phys == "" || t.System {
				continue
			}
			if t.Phys == w {
				words[i] = catalog.QuoteIdent(t.Name)
			}
			for _, x := range t.Indexes {
				if x.Phys == w && x.Phys != "" {
					words[i] = catalog.QuoteIdent(x.Name)
				}
			}
		}
	}
	return strings.Join(words, " ")
}
