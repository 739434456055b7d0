package pgsql

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/pgerror"
)

// setVariable compiles SET, SET LOCAL, RESET and SET TRANSACTION.
func (x *command) setVariable(n *pg.VariableSetStmt) Plan {
	switch n.GetKind() {
	case pg.VariableSetKind_VAR_SET_VALUE:
		return &Set{Name: n.GetName(), Values: x.setValues(n), Local: n.GetIsLocal()}
	case pg.VariableSetKind_VAR_SET_DEFAULT:
		return &Set{Name: n.GetName(), Local: n.GetIsLocal()}
	case pg.VariableSetKind_VAR_RESET:
		return &Set{Name: n.GetName(), Reset: true}
	case pg.VariableSetKind_VAR_RESET_ALL:
		return &Set{Reset: true}
	case pg.VariableSetKind_VAR_SET_MULTI:
		switch n.GetName() {
		case "TRANSACTION":
			return x.transactionModes(&Transaction{Kind: SetTransaction}, n.GetArgs())
		case "SESSION CHARACTERISTICS":
			return x.transactionModes(&Transaction{Kind: SetSessionTransaction}, n.GetArgs())
		case "TRANSACTION SNAPSHOT":
			x.unsupported(-1, "SET TRANSACTION SNAPSHOT")
		}
	}
	x.unsupported(-1, "this form of SET")
	return nil
}

// setValues returns the arguments of SET as text: constants, and the interval of SET TIME ZONE.
func (x *command) setValues(n *pg.VariableSetStmt) []string {
	values := make([]string, 0, len(n.GetArgs()))
	for _, a := range n.GetArgs() {
		if tc := a.GetTypeCast(); tc != nil {
			v, ok := nodeText(tc.GetArg())
			if !ok {
				x.unsupported(tc.GetLocation(), "this argument of SET")
			}
			// SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE: as hours, which is the other form of the same.
			hours, err := intervalHours(v)
			if err != nil {
				x.failAt(tc.GetLocation(), pgerror.InvalidParameterValue, "invalid interval value for time zone: \"%s\"", v)
			}
			values = append(values, hours)
			continue
		}
		v, ok := nodeText(a)
		if !ok {
			x.unsupported(-1, "this argument of SET")
		}
		values = append(values, v)
	}
	return values
}

// nodeText returns a constant as SET takes it.
func nodeText(n *pg.Node) (string, bool) {
	if s := n.GetString_(); s != nil {
		return s.GetSval(), true
	}
	if i := n.GetInteger(); i != nil {
		return strconv.Itoa(int(i.GetIval())), true
	}
	if f := n.GetFloat(); f != nil {
		return f.GetFval(), true
	}
	c := n.GetAConst()
	if c == nil || c.GetIsnull() {
		return "", false
	}
	switch v := c.GetVal().(type) {
	case *pg.A_Const_Ival:
		return strconv.Itoa(int(v.Ival.GetIval())), true
	case *pg.A_Const_Fval:
		return v.Fval.GetFval(), true
	case *pg.A_Const_Sval:
		return v.Sval.GetSval(), true
	case *pg.A_Const_Boolval:
		return strconv.FormatBool(v.Boolval.GetBoolval()), true
	case *pg.A_Const_Bsval:
		return v.Bsval.GetBsval(), true
	}
	return "", false
}

// intervalHours turns [+-]H[:MM[:SS]] into decimal hours.
func intervalHours(s string) (string, error) {
	sign := 1.0
	t := strings.TrimSpace(s)
	if strings.HasPrefix(t, "-") {
		sign, t = -1, t[1:]
	} else {
		t = strings.TrimPrefix(t, "+")
	}
	total, unit := 0.0, 1.0
	for _, part := range strings.SplitN(t, ":", 3) {
		v, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return "", err
		}
		total += float64(v) * unit
		unit /= 60
	}
	return strconv.FormatFloat(sign*total, 'g', -1, 64), nil
}

// setConstraints compiles SET CONSTRAINTS.
func (x *command) setConstraints(n *pg.ConstraintsSetStmt) Plan {
	p := &SetConstraints{Deferred: n.GetDeferred()}
	for _, c := range n.GetConstraints() {
		rv := c.GetRangeVar()
		con := x.constraintNamed(rv)
		if n.GetDeferred() && !con.Deferrable {
			x.fail(pgerror.New(pgerror.WrongObjectType, "constraint \"%s\" is not deferrable", con.Name))
		}
		p.Constraints = append(p.Constraints, con.ID)
	}
	return p
}
