package pgsql

import (
	"math"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/pgerror"
)

// Options of a cursor as the grammar gives them (parsenodes.h, CURSOR_OPT_…).
const (
	cursorBinary = 1 << 0
	cursorScroll = 1 << 1
	cursorHold   = 1 << 5
)

// prepare compiles PREPARE.
func (x *command) prepare(n *pg.PrepareStmt) Plan {
	p := &Prepare{Name: truncateName(n.GetName())}
	for _, a := range n.GetArgtypes() {
		oid, _ := x.typeName(a.GetTypeName())
		p.Types = append(p.Types, oid)
	}
	switch n.GetQuery().GetNode().(type) {
	case *pg.Node_SelectStmt, *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt:
	default:
		x.fail(pgerror.New(pgerror.InvalidName, "utility statements cannot be prepared"))
	}
	// It is compiled now for its errors' sake: who executes it compiles it with the schema of the day.
	c := newCompiler(x.env, x.src, p.Types)
	c.statement(n.GetQuery())
	p.Query = &Statement{Text: x.src, Tag: commandTag(n.GetQuery()), tree: &tree{node: n.GetQuery(), src: x.src}}
	return p
}

// execute compiles EXECUTE: its arguments become a query of one row, to be compiled once the types are known that the
// prepared statement wants.
func (x *command) execute(n *pg.ExecuteStmt) Plan {
	p := &Execute{Name: truncateName(n.GetName()), NArgs: len(n.GetParams())}
	params := n.GetParams()
	p.Bind = func(types []uint32) (q *Query, err error) {
		c := newCompiler(x.env, x.src, nil)
		defer c.rescue(&err)
		if len(types) != len(params) {
			c.fail(pgerror.New(pgerror.SyntaxError, "wrong number of parameters for prepared statement \"%s\"", p.Name).
				WithDetail("Expected %d parameters but got %d.", len(types), len(params)))
		}
		return c.executeArgs(params, types), nil
	}
	return p
}

// declareCursor compiles DECLARE … CURSOR FOR query.
func (x *command) declareCursor(n *pg.DeclareCursorStmt) Plan {
	p := &DeclareCursor{Name: truncateName(n.GetPortalname())}
	o := n.GetOptions()
	p.Binary, p.Scroll, p.Hold = o&cursorBinary != 0, o&cursorScroll != 0, o&cursorHold != 0
	sel := n.GetQuery().GetSelectStmt()
	if sel == nil {
		x.fail(pgerror.New(pgerror.InvalidCursorName, "DECLARE CURSOR can only be used with SELECT"))
	}
	if sel.GetIntoClause() != nil {
		x.failAt(-1, pgerror.SyntaxError, "SELECT INTO is not allowed here")
	}
	p.Query = x.statement(n.GetQuery())
	if modifiesInWith(sel.GetWithClause()) {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "DECLARE CURSOR must not contain data-modifying statements in WITH"))
	}
	return p
}

func (x *command) fetch(n *pg.FetchStmt) Plan {
	p := &Fetch{Name: truncateName(n.GetPortalname()), Count: n.GetHowMany(), Move: n.GetIsmove()}
	switch n.GetDirection() {
	case pg.FetchDirection_FETCH_BACKWARD:
		p.Direction = "backward"
	case pg.FetchDirection_FETCH_ABSOLUTE:
		p.Direction = "absolute"
	case pg.FetchDirection_FETCH_RELATIVE:
		p.Direction = "relative"
	default:
		p.Direction = "forward"
	}
	if p.Count == math.MinInt64 {
		p.Count = math.MaxInt64
	}
	return p
}

// explainSwitches are EXPLAIN's options that are on or off and change nothing of what is shown here.
var explainSwitches = map[string]bool{"verbose": true, "costs": true, "buffers": true, "settings": true, "timing": true,
	"summary": true, "wal": true, "generic_plan": true, "memory": true}

// explain compiles EXPLAIN and the statement explained.
func (x *command) explain(n *pg.ExplainStmt) Plan {
	p := &Explain{Format: "text"}
	for _, o := range n.GetOptions() {
		d := o.GetDefElem()
		if d == nil {
			continue
		}
		value, has := nodeText(d.GetArg())
		switch name := d.GetDefname(); {
		case name == "analyze" || explainSwitches[name]:
			on := x.boolean(d, value, has)
			if name == "analyze" {
				p.Analyze = on
			}
		case name == "format":
			switch f := strings.ToLower(value); f {
			case "text", "json", "xml", "yaml":
				p.Format = f
			default:
				x.failAt(d.GetLocation(), pgerror.InvalidParameterValue, "unrecognized value for EXPLAIN option \"%s\": \"%s\"", name, value)
			}
		case name == "serialize":
			x.unsupported(d.GetLocation(), "EXPLAIN (SERIALIZE)")
		default:
			x.failAt(d.GetLocation(), pgerror.SyntaxError, "unrecognized EXPLAIN option \"%s\"", name)
		}
	}
	p.Of = x.statement(n.GetQuery())
	return p
}

// boolean reads an option as defGetBoolean does: nothing means true.
func (x *command) boolean(d *pg.DefElem, value string, has bool) bool {
	if !has {
		return true
	}
	switch strings.ToLower(value) {
	case "true", "on", "1":
		return true
	case "false", "off", "0":
		return false
	}
	x.fail(pgerror.New(pgerror.SyntaxError, "%s requires a Boolean value", d.GetDefname()))
	return false
}
