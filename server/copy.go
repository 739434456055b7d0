package server

import (
	"context"
	"errors"
	"io"
	"strconv"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/pgwire/copyformat"
)

// runCopy runs COPY FROM STDIN and COPY TO STDOUT.
func (s *session) runCopy(ctx context.Context, c *compiled, p *pgsql.Copy, out sink) (string, error) {
	if !p.Stdin && !p.Stdout {
		return "", pgerror.New(pgerror.FeatureNotSupported, "COPY to or from a file or program on the server is not supported").
			WithHint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone.")
	}
	wire, ok := out.(*wireSink)
	if !ok {
		return "", pgerror.New(pgerror.FeatureNotSupported, "COPY with a row limit is not supported")
	}
	if isBackup(p) {
		n, err := s.copyBackup(ctx, p, wire)
		return "COPY " + strconv.FormatInt(n, 10), err
	}
	if p.Insert == nil {
		n, err := s.copyOut(ctx, c, p, wire)
		return "COPY " + strconv.FormatInt(n, 10), err
	}
	n, err := s.copyIn(ctx, c, p, wire)
	return "COPY " + strconv.FormatInt(n, 10), err
}

func copyOptions(p *pgsql.Copy) copyformat.Options {
	o := copyformat.Options{Format: p.Format, Delimiter: p.Delimiter, Null: p.Null, Quote: p.Quote, Escape: p.Escape,
		Header: p.Header, HeaderMatch: p.HeaderMatch, ForceQuoteAll: p.ForceQuoteAll, ForceQuote: p.ForceQuote,
		ForceNotNull: p.ForceNotNull, ForceNull: p.ForceNull}
	if p.Table != nil {
		o.Table = p.Table.Name
		for _, i := range p.Columns {
			o.Columns = append(o.Columns, p.Table.Columns[i].Name)
		}
	} else {
		for _, c := range p.Query.Columns {
			o.Columns = append(o.Columns, c.Name)
		}
	}
	return o
}

// copySink writes rows as COPY data.
type copySink struct {
	s      *session
	wire   *wireSink
	p      *pgsql.Copy
	cols   []pgsql.Column
	data   io.WriteCloser
	w      *copyformat.Writer
	fields [][]byte
	arena  []byte
	n      int64
}

func (o *copySink) columns(cols []pgsql.Column) (err error) {
	o.cols, o.fields = cols, make([][]byte, len(cols))
	if o.data, err = o.wire.w.CopyOut(o.p.Format == copyformat.Binary, len(cols)); err != nil {
		return err
	}
	o.w = copyformat.NewWriter(o.data, copyOptions(o.p))
	return o.w.Begin()
}

func (o *copySink) row(v []catalog.Value) error {
	o.arena = o.arena[:0]
	for i, c := range o.cols {
		if v[i].IsNull() {
			o.fields[i] = nil
			continue
		}
		from := len(o.arena)
		if o.p.Format == copyformat.Binary {
			var err error
			if o.arena, err = catalog.AppendBinary(o.arena, c.Type, c.Typmod, v[i]); err != nil {
				return err
			}
		} else {
			o.arena = catalog.AppendText(o.arena, c.Type, c.Typmod, v[i], &o.s.settings.output)
		}
		o.fields[i] = o.arena[from:len(o.arena):len(o.arena)]
		if o.fields[i] == nil {
			o.fields[i] = []byte{}
		}
	}
	o.n++
	return o.w.Row(o.fields)
}

func (s *session) copyOut(ctx context.Context, c *compiled, p *pgsql.Copy, wire *wireSink) (int64, error) {
	o := &copySink{s: s, wire: wire, p: p}
	q := *p.Query
	n, err := s.runQuery(ctx, &compiled{plan: &q, schema: c.schema, cols: q.Columns}, &q, nil, o)
	if err != nil {
		return 0, err
	}
	if err := o.w.Close(); err != nil {
		return 0, err
	}
	return n, o.data.Close()
}

// copyIn collects the client's rows off the writer, and then inserts them all at once.
func (s *session) copyIn(ctx context.Context, c *compiled, p *pgsql.Copy, wire *wireSink) (int64, error) {
	if s.readOnly() {
		return 0, pgerror.New(pgerror.ReadOnlySQLTransaction, "cannot execute COPY FROM in a read-only transaction")
	}
	if err := s.barrier(ctx, true); err != nil {
		return 0, err
	}
	if s.tran == nil {
		if err := s.checkWrite(); err != nil {
			return 0, err
		}
	}
	r, err := wire.w.CopyIn(p.Format == copyformat.Binary, len(p.Columns))
	if err != nil {
		return 0, err
	}
	rows, lines, err := s.readCopy(ctx, p, r)
	if err != nil {
		return 0, err
	}
	work := func(w *worker) (*outcome, error) { return w.insertRows(p, rows, lines) }
	if s.tran == nil {
		o, err := s.modifyAlone(ctx, c, nil, work)
		if err != nil {
			return 0, err
		}
		return o.count, s.funcs.finish(ctx)
	}
	o, err := s.copyInTransaction(ctx, c, p, work)
	if err != nil {
		return 0, err
	}
	return o.count, s.funcs.finish(ctx)
}

// copyInTransaction keeps the rows for COMMIT: on a reader where nothing of them can meet the transaction's own rows.
func (s *session) copyInTransaction(ctx context.Context, c *compiled, p *pgsql.Copy, work func(*worker) (*outcome, error)) (*outcome, error) {
	m := *p.Insert
	m.Source = &pgsql.Query{}
	return s.modifyInTransaction(ctx, c, nil, work, &m)
}

// readCopy reads the client's rows into whole rows of the table, defaults that are constant filled in.
func (s *session) readCopy(ctx context.Context, p *pgsql.Copy, data io.Reader) (*rowBuffer, *copyLines, error) {
	d := copyformat.NewReader(data, copyOptions(p))
	t := p.Table
	buf := &rowBuffer{cols: len(t.Columns), dir: s.node.cfg.Dir} // not the system's folder: it may be memory
	lines := &copyLines{table: t.Name}
	row := make([]catalog.Value, len(t.Columns))
	in := make([]catalog.Value, len(p.Columns))
	limit := int64(s.node.cfg.MaxTransaction)
	room := limit
	if s.tran != nil {
		for i := range s.tran.ops {
			room -= s.tran.ops[i].bytes()
		}
	}
	for {
		fields, err := d.Next()
		if errors.Is(err, io.EOF) {
			return buf, lines, nil
		}
		if err != nil {
			return nil, nil, err
		}
		for i, f := range fields {
			in[i] = catalog.Value{}
			if f == nil {
				continue
			}
			col := t.Columns[p.Columns[i]]
			if p.Format == copyformat.Binary {
				in[i], err = catalog.DecodeBinary(col.Type, col.Typmod, f)
			} else {
				in[i], err = catalog.DecodeText(col.Type, col.Typmod, f, &s.settings.output)
			}
			if err != nil {
				return nil, nil, d.At(err, i)
			}
		}
		for i := range row {
			if j := p.Fill[i]; j >= 0 {
				row[i] = in[j]
			} else {
				row[i] = p.Defaults[i]
			}
		}
		if p.Computed == nil {
			for _, i := range p.Insert.NotNull {
				if row[i].IsNull() {
					st := statement{worker: &worker{s: s}, m: p.Insert}
					return nil, nil, d.At(st.check(row, nil), -1)
				}
			}
		}
		buf.add(row)
		lines.note(d.Line())
		if buf.bytes() > room {
			return nil, nil, pgerror.New(pgerror.ProgramLimitExceeded, "transaction too big to replicate: more than %d bytes", limit).
				WithHint("Load the data in several COPY commands.")
		}
		if buf.n%4096 == 0 && ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
	}
}

// insertRows inserts collected rows, computing what is not constant.
func (w *worker) insertRows(p *pgsql.Copy, rows *rowBuffer, lines *copyLines) (*outcome, error) {
	s := &statement{worker: w, m: p.Insert}
	n := len(p.Table.Columns)
	if p.Computed == nil && len(p.Insert.Checks) == 0 && (w.tx != nil || len(p.Insert.Uniques) == 0) {
		// The store looks after unique keys by itself; nothing is to be done row by row.
		if w.tx == nil {
			// No key to reserve.
		} else if rows.n <= bulkRows {
			err := rows.each(func(i int, row []catalog.Value) error { return lines.at(s.claimKeys(row, nil, nil), i) })
			if err != nil {
				return nil, err
			}
		} else {
			w.want = append(w.want, tableKey(p.Table.ID))
		}
		s.out.count = int64(rows.n)
		return &s.out, w.effect([]op{{kind: opInsert, plan: p.Insert, table: p.Table, rows: rows, lines: lines}})
	}
	err := rows.each(func(i int, row []catalog.Value) error {
		checks := []catalog.Value(nil)
		if p.Computed != nil {
			v, err := w.first(p.Computed, &rowArgs{new: row})
			if err != nil {
				return lines.at(err, i)
			}
			row, checks = v[:n], v[n:]
		}
		if err := s.check(row, checks); err != nil {
			return lines.at(err, i)
		}
		if err := s.claimKeys(row, nil, nil); err != nil {
			return lines.at(err, i)
		}
		s.addInsert(row, false)
		s.out.count++
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(s.ops) > 0 {
		s.ops[0].lines = lines // all rows are one op
	}
	return &s.out, w.effect(s.ops)
}
