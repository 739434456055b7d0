package server

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/pgwire"
)

// The extended protocol: statements that are parsed once, portals that are executed in parts.

// Parse implements pgwire.Session.
func (s *session) Parse(ctx context.Context, name, query string, types []uint32) error {
	if name != "" && s.statements[name] != nil {
		return s.fail(ctx, pgerror.New(pgerror.DuplicatePreparedStatement, "prepared statement \"%s\" already exists", name))
	}
	for _, oid := range types {
		if oid != 0 && catalog.TypeByOID(oid) == nil {
			return s.fail(ctx, pgerror.New(pgerror.UndefinedObject, "type with OID %d does not exist", oid))
		}
	}
	s.stmtStart = s.node.now()
	batch, err := s.node.plans.parse(query)
	if err != nil {
		return s.fail(ctx, err)
	}
	p := &prepared{name: name, query: query, types: slices.Clone(types), created: s.stmtStart}
	switch len(batch) {
	case 0:
	case 1:
		p.stmt = batch[0]
		if s.tran != nil && s.tran.failed {
			if !p.stmt.EndsTransaction() {
				return s.checkActive(nil)
			}
		}
		if p.plan, err = s.compileNow(ctx, p.stmt, types); err != nil {
			return s.fail(ctx, err)
		}
	default:
		return s.fail(ctx, pgerror.New(pgerror.SyntaxError, "cannot insert multiple commands into a prepared statement"))
	}
	s.statements[name] = p
	return nil
}

func (s *session) statement(name string) (*prepared, error) {
	p := s.statements[name]
	if p == nil {
		if name == "" {
			return nil, pgerror.New(pgerror.InvalidSQLStatementName, "unnamed prepared statement does not exist")
		}
		return nil, pgerror.New(pgerror.InvalidSQLStatementName, "prepared statement \"%s\" does not exist", name)
	}
	return p, nil
}

// Bind implements pgwire.Session.
func (s *session) Bind(ctx context.Context, name, statement string, formats []int16, params [][]byte, resultFormats []int16) error {
	p, err := s.statement(statement)
	if err != nil {
		return s.fail(ctx, err)
	}
	if name != "" && s.portals[name] != nil {
		return s.fail(ctx, pgerror.New(pgerror.DuplicateCursor, "portal \"%s\" already exists", name))
	}
	po := &portal{name: name, stmt: p, formats: slices.Clone(resultFormats), created: s.node.now()}
	if p.stmt != nil {
		if s.tran != nil && s.tran.failed && !p.stmt.EndsTransaction() {
			return s.checkActive(nil)
		}
		if err := s.refresh(ctx, p); err != nil {
			return s.fail(ctx, err)
		}
		po.plan = p.plan
	}
	var types []uint32
	if po.plan != nil {
		types = po.plan.params
	}
	if len(params) != len(types) {
		return s.fail(ctx, pgerror.New(pgerror.ProtocolViolation, "bind message supplies %d parameters, but prepared statement \"%s\" requires %d", len(params), statement, len(types)))
	}
	if len(formats) > 1 && len(formats) != len(params) {
		return s.fail(ctx, pgerror.New(pgerror.ProtocolViolation, "bind message has %d parameter formats but %d parameters", len(formats), len(params)))
	}
	po.params = make([]catalog.Value, len(params))
	for i, raw := range params {
		if raw == nil {
			continue
		}
		var v catalog.Value
		if format(formats, i) == 1 {
			v, err = catalog.DecodeBinary(types[i], -1, raw)
		} else {
			v, err = catalog.DecodeText(types[i], -1, raw, &s.settings.output)
		}
		if err != nil {
			e := *pgerror.From(err)
			if e.Where == "" {
				e.Where = "unnamed portal parameter $" + strconv.Itoa(i+1)
				if name != "" {
					e.Where = "portal \"" + name + "\" parameter $" + strconv.Itoa(i+1)
				}
			}
			return s.fail(ctx, &e)
		}
		po.params[i] = v
	}
	if n := len(po.columns()); len(resultFormats) > 1 && len(resultFormats) != n {
		return s.fail(ctx, pgerror.New(pgerror.ProtocolViolation, "bind message has %d result formats but query has %d columns", len(resultFormats), n))
	}
	s.portals[name] = po
	return nil
}

func format(formats []int16, i int) int16 {
	switch len(formats) {
	case 0:
		return 0
	case 1:
		return formats[0]
	}
	return formats[i]
}

func (p *portal) columns() []pgsql.Column {
	if p.plan == nil {
		return nil
	}
	return p.plan.cols
}

// wireColumns is wireColumns of c's columns, remembered where one format is for all.
func (c *compiled) wireColumns(formats []int16) []pgwire.Column {
	if len(formats) > 1 {
		return wireColumns(c.cols, formats)
	}
	known := &c.wire[format(formats, 0)]
	if cols := known.Load(); cols != nil {
		return *cols
	}
	cols := wireColumns(c.cols, formats)
	known.Store(&cols)
	return cols
}

func wireColumns(cols []pgsql.Column, formats []int16) []pgwire.Column {
	if cols == nil {
		return nil
	}
	out := make([]pgwire.Column, len(cols))
	for i, c := range cols {
		out[i] = pgwire.Column{Name: c.Name, TableOID: c.TableOID, AttNum: c.AttNum, Type: c.Type, Typmod: c.Typmod, Format: format(formats, i)}
	}
	return out
}

// DescribeStatement implements pgwire.Session.
func (s *session) DescribeStatement(ctx context.Context, name string) ([]uint32, []pgwire.Column, error) {
	p, err := s.statement(name)
	if err != nil {
		return nil, nil, s.fail(ctx, err)
	}
	if p.stmt == nil {
		return nil, nil, nil
	}
	if s.tran != nil && s.tran.failed && p.plan != nil && p.plan.cols != nil {
		return nil, nil, s.checkActive(nil)
	}
	if err := s.refresh(ctx, p); err != nil {
		return nil, nil, s.fail(ctx, err)
	}
	return p.plan.params, p.plan.wireColumns(nil), nil
}

// DescribePortal implements pgwire.Session.
func (s *session) DescribePortal(ctx context.Context, name string) ([]pgwire.Column, error) {
	p := s.portals[name]
	if p == nil {
		return nil, s.fail(ctx, pgerror.New(pgerror.InvalidCursorName, "portal \"%s\" does not exist", name))
	}
	if p.plan == nil {
		return nil, nil
	}
	return p.plan.wireColumns(p.formats), nil
}

// Execute implements pgwire.Session.
func (s *session) Execute(ctx context.Context, name string, maxRows int, w pgwire.ResultWriter) error {
	p := s.portals[name]
	if p == nil {
		return s.fail(ctx, pgerror.New(pgerror.InvalidCursorName, "portal \"%s\" does not exist", name))
	}
	if p.stmt == nil || p.stmt.stmt == nil {
		if p.stmt != nil {
			return w.Empty()
		}
	}
	s.notices = func(n *pgerror.Error) { _ = w.Notice(n) }
	defer func() { s.notices = nil; s.rest() }()
	query := ""
	if p.stmt != nil {
		query = p.stmt.query
	}
	ctx, cancel := s.start(ctx, query)
	defer cancel()
	if err := s.executePortal(ctx, p, maxRows, w); err != nil {
		return s.fail(ctx, err)
	}
	return nil
}

func (s *session) executePortal(ctx context.Context, p *portal, maxRows int, w pgwire.ResultWriter) error {
	if p.result != nil {
		return p.resume(maxRows, w)
	}
	if p.done {
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "portal \"%s\" cannot be run", p.name)
	}
	if s.tran != nil && s.tran.failed && !p.stmt.stmt.EndsTransaction() {
		return s.checkActive(nil)
	}
	if maxRows < 0 {
		maxRows = math.MaxInt
	}
	alone := s.tran == nil && w.SyncFollows()
	if s.tran == nil && !alone && !p.stmt.stmt.ManagesTransaction() {
		s.tran = s.newTransaction(false)
	}
	p.done = true
	if maxRows == 0 || p.plan.cols == nil {
		out := &wireSink{w: w}
		tag, err := s.execute(ctx, p.plan, p.stmt.stmt, p.params, out)
		if err != nil {
			return err
		}
		return w.Complete(tag)
	}
	out := &bufferSink{buf: &rowBuffer{cols: len(p.plan.cols)}}
	tag, err := s.execute(ctx, p.plan, p.stmt.stmt, p.params, out)
	if err != nil {
		return err
	}
	p.result, p.at, p.tag = out.buf, out.buf.cursor(), tag
	return p.resume(maxRows, w)
}

// resume sends the next rows of a portal that ran with a row limit.
func (p *portal) resume(maxRows int, w pgwire.ResultWriter) error {
	n := 0
	for maxRows <= 0 || n < maxRows {
		row, ok, err := p.at.next()
		if err != nil {
			return err
		}
		if !ok {
			verb, _, _ := strings.Cut(p.tag, " ")
			if verb == "SELECT" {
				return w.Complete("SELECT " + strconv.Itoa(n))
			}
			return w.Complete(p.tag)
		}
		if err := w.Row(row); err != nil {
			return err
		}
		n++
	}
	return w.Suspended()
}

// CloseStatement implements pgwire.Session.
func (s *session) CloseStatement(_ context.Context, name string) error {
	delete(s.statements, name)
	return nil
}

// ClosePortal implements pgwire.Session.
func (s *session) ClosePortal(_ context.Context, name string) error {
	delete(s.portals, name)
	return nil
}

// Sync implements pgwire.Session.
func (s *session) Sync(ctx context.Context, failed bool) error {
	if s.tran == nil {
		s.dropPortals()
		return nil
	}
	if s.tran.explicit {
		if failed {
			s.abort()
		}
		return nil
	}
	if failed || s.tran.failed {
		s.rollback()
		return nil
	}
	return s.fail(ctx, s.commit(ctx))
}
