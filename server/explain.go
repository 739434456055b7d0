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

// planOf asks SQLite how it runs a query.
func (s *session) planOf(ctx context.Context, c *compiled, q *pgsql.Query) (*planTree, error) {
	params := make([]catalog.Value, len(q.Params))
	var tree *planTree
	ask := func(w *worker) error {
		if err := s.current(w.q, c); err != nil {
			return err
		}
		ctes := make([]*rowBuffer, len(q.With))
		for i := range ctes {
			ctes[i] = &rowBuffer{}
		}
		args, err := s.bind(ctx, q.Args, params, &rowArgs{ctes: ctes, new: make([]catalog.Value, 1700), old: make([]catalog.Value, 1700)})
		if err != nil {
			return err
		}
		rows, err := w.q.Conn().Explain(q.SQL, args)
		if err != nil {
			return err
		}
		defer rows.Close()
		tree = newPlanTree(q)
		for rows.Next() {
			v := rows.Values()
			tree.add(v[0].Int(), v[1].Int(), string(v[3].Bytes))
		}
		return rows.Err()
	}
	if t := s.tran; t != nil && t.schema != nil { // it has relations that only the transaction knows
		_, err := s.try(ctx, t, params, nil, ask)
		return tree, err
	}
	err := s.withReader(ctx, s.tran, func(r *sqlstore.Reader) error {
		if _, err := r.Index(); err != nil { // takes the snapshot
			return err
		}
		w := &worker{ctx: ctx, s: s, q: r, params: params, tran: s.tran}
		defer s.attach(r.Conn(), w)()
		return ask(w)
	})
	return tree, err
}

// explain shows how SQLite will run a statement; with ANALYZE the statement is run, and its rows and time are shown.
func (s *session) explain(ctx context.Context, p *pgsql.Explain, c *compiled, st *pgsql.Statement, out sink) error {
	of, made := p.Of, c
	var params []catalog.Value
	if x, ok := of.(*pgsql.Execute); ok {
		ps, vals, err := s.executed(ctx, x)
		if err != nil {
			return err
		}
		if params = vals; ps.stmt != nil {
			of, made = ps.plan.plan, ps.plan
		}
	}
	var q *pgsql.Query
	switch of := of.(type) {
	case *pgsql.Query:
		q = of
	case *pgsql.Modify:
		q = of.Source
	default:
		return pgerror.New(pgerror.FeatureNotSupported, "EXPLAIN of this statement is not supported")
	}
	tree, err := s.planOf(ctx, made, q)
	if err != nil {
		return err
	}
	top := tree.node(0)
	if m, ok := of.(*pgsql.Modify); ok {
		op := map[pgsql.ModifyOp]string{pgsql.Insert: "Insert", pgsql.Update: "Update", pgsql.Delete: "Delete"}[m.Op]
		top = &planNode{Type: "ModifyTable", Operation: op, Relation: m.Table.Name, Alias: m.Table.Name, Plans: []*planNode{top}}
	}
	took := time.Duration(0)
	if p.Analyze {
		began := time.Now()
		buf := &bufferSink{buf: &rowBuffer{}}
		var n int64
		switch of := of.(type) {
		case *pgsql.Query:
			n, err = s.runQuery(ctx, &compiled{plan: of, schema: made.schema, cols: of.Columns}, of, params, buf)
		case *pgsql.Modify:
			n, err = s.runModify(ctx, &compiled{plan: of, schema: made.schema, cols: of.Returning}, of, params, buf)
		}
		if err != nil {
			return err
		}
		took = time.Since(began)
		top.Rows = &n
	}
	var lines []string
	switch strings.ToLower(p.Format) {
	case "", "text":
		lines = top.text()
		if p.Analyze {
			lines = append(lines, fmt.Sprintf("Execution Time: %.3f ms", float64(took.Microseconds())/1000))
		}
	case "json":
		doc := map[string]any{"Plan": top}
		if p.Analyze {
			doc["Execution Time"] = float64(took.Microseconds()) / 1000
		}
		j, err := json.MarshalIndent([]any{doc}, "", "  ")
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
