package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
)

// Shape is what statements that differ only in literals have in common: a statement with parameters in the literals'
// places.
//
// Only literals whose value decides nothing become parameters: what a column is compared with in WHERE, or set to, or
// added to it, and the rows of INSERT … VALUES. There an integer or numeric literal means what a parameter of its type
// means, and a string what an untyped parameter means. All others (ORDER BY 1, LIMIT, casts, intervals, patterns, result
// columns …) stay literals.
type Shape struct {
	Statement *Statement
	Types     []uint32 // of its parameters; 0: their context chooses
	slots     []slot
	kept      []int // literals that stay
}

// slot is the literal that a parameter stands for.
type slot struct {
	literal  int
	negative bool // after a minus, which belongs to it
}

// Parameterize gives the shape of a query string with the given literals, which was parsed to list. It is nil if no
// literal of it may be a parameter.
func Parameterize(sql string, literals []Literal, list []*Statement) *Shape {
	if len(list) != 1 {
		return nil
	}
	f := literalFinder{}
	f.statement(list[0].tree.(*tree).node)
	sh := &Shape{}
	var text strings.Builder
	at := 0
	for i, l := range literals {
		begin := l.At
		j := slices.IndexFunc(f.found, func(loc int) bool { return loc == begin })
		if j < 0 && l.Class != StringLiteral {
			// The parser takes a minus before a number as part of it.
			if k := len(strings.TrimRight(sql[:begin], " \t\n\r\f\v")) - 1; k >= at && sql[k] == '-' {
				if j = slices.Index(f.found, k); j >= 0 {
					begin = k
				}
			}
		}
		if j < 0 {
			sh.kept = append(sh.kept, i)
			continue
		}
		sh.slots = append(sh.slots, slot{i, begin < l.At})
		sh.Types = append(sh.Types, l.typ())
		text.WriteString(sql[at:begin] + " $" + itoa(len(sh.slots)) + " ")
		at = l.End
	}
	if len(sh.slots) == 0 {
		return nil
	}
	text.WriteString(sql[at:])
	again, err := Parse(text.String())
	if err != nil || len(again) != 1 {
		return nil
	}
	sh.Statement = again[0]
	return sh
}

// Kept appends to key the literals that a text must share with the shape's besides its key.
func (sh *Shape) Kept(key []byte, sql string, literals []Literal) []byte {
	for _, i := range sh.kept {
		key = append(append(key, 0), sql[literals[i].At:literals[i].End]...)
	}
	return key
}

// Whole says whether no literal stays.
func (sh *Shape) Whole() bool { return len(sh.kept) == 0 }

// Suits says whether literals may stand for parameters of the types that compiling the shape chose.
func (sh *Shape) Suits(types []uint32) bool {
	if len(types) != len(sh.Types) {
		return false
	}
	for i, t := range sh.Types {
		if t != 0 && types[i] != t || t == 0 && !literalType(types[i], "0") {
			return false
		}
	}
	return true
}

// Values are the values of the shape's parameters in a text with these literals. The types, which compiling it chose, suit.
// ok is false if the text has to be compiled for itself.
func (sh *Shape) Values(sql string, literals []Literal, types []uint32, out *catalog.OutputSettings) (_ []catalog.Value, ok bool) {
	vals := make([]catalog.Value, len(types))
	for i, s := range sh.slots {
		if vals[i], ok = literals[s.literal].value(sql, types[i], s.negative, out); !ok {
			return nil, false
		}
	}
	return vals, true
}

// literalFinder gathers the locations of the literals that may be parameters.
type literalFinder struct{ found []int }

func (f *literalFinder) statement(n *pg.Node) {
	switch x := n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		f.condition(x.SelectStmt.WhereClause)
	case *pg.Node_DeleteStmt:
		f.condition(x.DeleteStmt.WhereClause)
	case *pg.Node_UpdateStmt:
		for _, t := range x.UpdateStmt.TargetList {
			f.assigned(t.GetResTarget().GetVal())
		}
		f.condition(x.UpdateStmt.WhereClause)
	case *pg.Node_InsertStmt:
		for _, row := range x.InsertStmt.GetSelectStmt().GetSelectStmt().GetValuesLists() {
			for _, v := range row.GetList().GetItems() {
				f.literal(v)
			}
		}
	}
}

// condition looks into a WHERE clause. It looks into no subquery.
func (f *literalFinder) condition(n *pg.Node) {
	if b := n.GetBoolExpr(); b != nil {
		for _, a := range b.Args {
			f.condition(a)
		}
		return
	}
	e := n.GetAExpr()
	if e == nil {
		return
	}
	column := e.Lexpr.GetColumnRef() != nil
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		switch operatorName(e) {
		case "=", "<>", "<", ">", "<=", ">=":
			if column {
				f.literal(e.Rexpr)
			} else if e.Rexpr.GetColumnRef() != nil {
				f.literal(e.Lexpr)
			}
		}
	case pg.A_Expr_Kind_AEXPR_BETWEEN:
		if column {
			for _, v := range e.Rexpr.GetList().GetItems() {
				f.literal(v)
			}
		}
	}
}

// assigned looks into what a column is set to.
func (f *literalFinder) assigned(n *pg.Node) {
	f.literal(n)
	e := n.GetAExpr()
	if e == nil || e.Kind != pg.A_Expr_Kind_AEXPR_OP || e.Lexpr.GetColumnRef() == nil || e.Rexpr.GetAConst().GetSval() != nil {
		return
	}
	switch operatorName(e) {
	case "+", "-", "*", "/":
		f.literal(e.Rexpr)
	}
}

// literal notes n if it is a literal.
func (f *literalFinder) literal(n *pg.Node) {
	c := n.GetAConst()
	if c == nil || c.GetIval() == nil && c.GetFval() == nil && c.GetSval() == nil {
		return
	}
	f.found = append(f.found, int(c.Location))
}

func operatorName(e *pg.A_Expr) string {
	if len(e.Name) != 1 {
		return ""
	}
	return e.Name[0].GetString_().GetSval()
}
