package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// ALTER COLUMN TYPE that rewrites puts a new column in the place of the old one, and fills it from the rows that its node
// has. What other nodes have written into the old column meanwhile is carried over by those nodes (sqlstore's Carry), by
// the expression that is kept with the new column.

// mostRetypes is how many changes of a column's type are kept: a node that was away for longer carries what it wrote into
// a column before that nowhere.
const mostRetypes = 16

// retype is what a column is to know of where it has come from when value, over the column old alone, is its value. It is nil
// where that cannot be worked out later as well as now.
func (x *command) retype(t *catalog.Table, old *catalog.Column, typ uint32, typmod int32, value *pg.Node) []catalog.Retype {
	alone := true
	walkColumns(value, func(ref *pg.ColumnRef) {
		f := ref.GetFields()
		alone = alone && f[len(f)-1].GetString_().GetSval() == old.Name
	})
	c, volatiles := x.sub(), x.volatiles
	c.text(c.coerce(c.exprIn(ctxUpdate, value, x.tableScope(t)), typ, typmod, 'a'))
	if !alone || x.volatiles > volatiles {
		return nil
	}
	step := catalog.Retype{From: old.ID, Name: old.Name, Type: old.Type, Typmod: old.Typmod, Using: x.showExpr(value, t, true),
		Settings: x.env.Output.String()}
	for _, a := range c.args {
		if a.Kind != ArgConst && !ofSettings(&a) {
			return nil
		}
	}
	steps := append(slices.Clone(old.Retyped), step)
	return steps[max(len(steps)-mostRetypes, 0):]
}

// ofSettings says whether an argument stands for what catalog.Retype keeps of a session.
func ofSettings(a *Arg) bool {
	return a.Kind == ArgSession && (a.Name == "TimeZone" || a.Name == "env")
}

// CompileCarry returns SQLite expressions over a table's physical columns: for each of col.Retyped the value of the column that
// there was, as col has it. phys gives a column's physical name.
func CompileCarry(s *catalog.Schema, t *catalog.Table, col *catalog.Column, phys func(catalog.ID) string) (exprs []string, err error) {
	for i := range col.Retyped {
		sql, err := carried(s, t, col, quoteIdent(phys(col.Retyped[i].From)), i)
		if err != nil {
			return nil, err
		}
		exprs = append(exprs, sql)
	}
	return exprs, nil
}

// carried takes sql, a value of the column before col.Retyped[at], through that and all later changes of the type.
func carried(s *catalog.Schema, t *catalog.Table, col *catalog.Column, sql string, at int) (_ string, err error) {
	for i, step := range col.Retyped[at:] {
		to := col
		if next := at + i + 1; next < len(col.Retyped) {
			to = &catalog.Column{Type: col.Retyped[next].Type, Typmod: col.Retyped[next].Typmod}
		}
		if sql, err = carriedOnce(s, t, &step, to, sql); err != nil {
			return "", err
		}
	}
	return sql, nil
}

func carriedOnce(s *catalog.Schema, t *catalog.Table, step *catalog.Retype, to *catalog.Column, sql string) (_ string, err error) {
	output, err := catalog.ParseOutputSettings(step.Settings)
	if err != nil {
		return "", err
	}
	n, err := parseExpr(step.Using)
	if err != nil {
		return "", err
	}
	c := newCompiler(storedEnv(&Env{Output: output}, s), "", nil)
	defer c.rescue(&err)
	sc := newScope(nil)
	it := c.bareItem(&catalog.Table{ID: t.ID, OID: t.OID, Schema: t.Schema, Name: t.Name, Kind: t.Kind,
		Columns: []*catalog.Column{{Num: 1, Name: step.Name, Type: step.Type, Typmod: step.Typmod}}})
	it.cols[0].sql = "(" + sql + ")"
	sc.items = append(sc.items, it)
	e := c.coerce(c.exprIn(ctxUpdate, n, sc), to.Type, to.Typmod, 'a')
	if e == nil {
		return "", pgerror.New(pgerror.DatatypeMismatch, "column \"%s\" cannot be cast to type %s", step.Name, catalog.FormatType(to.Type, to.Typmod))
	}
	text := c.text(e)
	for i := range c.args {
		a := &c.args[i]
		switch {
		case a.Kind == ArgConst:
		case !ofSettings(a):
			return "", pgerror.New(pgerror.InternalError, "the change of the type of \"%s\" depends on more than its value", step.Name)
		case a.Name == "TimeZone":
			*a = Arg{Kind: ArgConst, Value: catalog.Str(output.TimeZoneName)}
		default:
			*a = Arg{Kind: ArgConst, Value: catalog.Str(step.Settings)}
		}
	}
	return c.inlined(text), nil
}
