package pgsql

import (
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
)

// access is a privilege that a statement needs. Those on what a view reads are looked for with the view's owner.
type access struct {
	table *catalog.Table
	priv  byte
	as    string // role; "": the current user
}

// need notes that the statement needs a privilege on a relation.
func (c *compiler) need(t *catalog.Table, priv byte) {
	a := access{t, priv, c.as}
	if !slices.Contains(c.access, a) {
		c.access = append(c.access, a)
	}
}

// systemOwner stands for the owner of the system views, who may read everything: no role can have the name.
const systemOwner = "pg_system"

// superuserOnly are the system relations that show secrets.
var superuserOnly = []string{"pg_authid", "pg_shadow"}

// checkAccess refuses (42501) a statement that the user, or the owner of a view in it, has no right to.
func (c *compiler) checkAccess() {
	for _, a := range c.access {
		if c.mayDo(a.as, a.table, a.priv) {
			continue
		}
		if ns := c.env.Schema.Namespace(a.table.Schema); ns != nil && !ns.ID.IsZero() && !c.env.Schema.May(c.userOr(a.as), ns.ID, ns.Owner, catalog.PrivUsage) {
			c.fail(pgerror.New(pgerror.InsufficientPrivilege, "permission denied for schema %s", ns.Name))
		}
		c.fail(pgerror.New(pgerror.InsufficientPrivilege, "permission denied for %s %s", kindNoun(a.table.Kind), a.table.Name))
	}
}

func (c *compiler) userOr(role string) string {
	if role == "" {
		return c.env.User
	}
	return role
}

// omnipotent says whether a role is asked nothing: a superuser, or the owner of a view that is no role any more.
func (c *compiler) omnipotent(role string) bool {
	if role == "" || role == c.env.User {
		return c.env.Superuser
	}
	r := c.env.Schema.Role(role)
	return r == nil || r.Superuser
}

// mayDo says whether a role ("" for the current user) has a privilege on a relation, and on the schema it is in.
func (c *compiler) mayDo(role string, t *catalog.Table, priv byte) bool {
	if c.omnipotent(role) {
		return true
	}
	if t.System {
		return priv == catalog.PrivSelect && !slices.Contains(superuserOnly, t.Name)
	}
	s, user := c.env.Schema, c.userOr(role)
	if ns := s.Namespace(t.Schema); ns != nil && !s.May(user, ns.ID, ns.Owner, catalog.PrivUsage) {
		return false
	}
	return s.May(user, t.ID, t.Owner, priv)
}

// hasPrivilege is has_table_privilege and its kin: ([role,] object, [column,] privileges).
func hasPrivilege(c *compiler, x *call) *expr {
	args := x.args
	kind, _ := strings.CutSuffix(strings.TrimPrefix(x.fn.Name, "has_"), "_privilege")
	least := 2
	if kind == "column" {
		least = 3
	}
	role := ""
	if len(args) > least {
		role = c.constantRole(args[0])
		args = args[1:]
	}
	if c.omnipotent(role) || kind != "table" && kind != "sequence" && kind != "schema" && kind != "column" && kind != "any_column" && kind != "database" {
		return allowed(c, x)
	}
	last := args[len(args)-1]
	if last.kind != exprConst {
		c.unsupported(x.loc, "%s with a privilege that is no constant", x.fn.Name)
	}
	if last.val.IsNull() {
		return null(catalog.BoolOID, x.loc)
	}
	var privs []byte
	for word := range strings.SplitSeq(string(last.val.Bytes), ",") {
		word = strings.TrimSpace(word)
		word, _ = strings.CutSuffix(strings.ToUpper(word), " WITH GRANT OPTION")
		p := catalog.PrivilegeLetter(word)
		if p == 0 {
			c.fail(pgerror.New(pgerror.InvalidParameterValue, "unrecognized privilege type: \"%s\"", word))
		}
		privs = append(privs, p)
	}
	s, user := c.env.Schema, c.userOr(role)
	may := func(object catalog.ID, owner string) bool {
		return slices.ContainsFunc(privs, func(p byte) bool { return s.May(user, object, owner, p) })
	}
	var yes []byte // the OIDs of what is allowed
	add := func(oid uint32) { yes = catalog.AppendValue(yes, catalog.Int(int64(oid))) }
	object, typ := args[0], catalog.RegclassOID
	switch kind {
	case "database":
		b := "0"
		if may(catalog.DatabaseID, "") {
			b = "1"
		}
		return plain("CASE WHEN "+c.operand(object)+" IS NOT NULL THEN "+b+" END", catalog.BoolOID, true, x.loc, object)
	case "schema":
		typ = catalog.RegnamespaceOID
		for _, ns := range s.Namespaces {
			if ns.ID.IsZero() && slices.Contains(privs, catalog.PrivUsage) || !ns.ID.IsZero() && may(ns.ID, ns.Owner) {
				add(ns.OID)
			}
		}
	default:
		for _, t := range s.Relations {
			if slices.ContainsFunc(privs, func(p byte) bool { return c.mayDo(role, t, p) }) {
				add(t.OID)
			}
		}
	}
	if object.typ != catalog.OidOID {
		object = c.regIn(c.resolveUnknown(object), typ)
	}
	c.system = true
	o := c.operand(object)
	e := plain("CASE WHEN "+o+" IS NOT NULL THEN "+o+" IN (SELECT c0 FROM lc_rows("+c.konst(catalog.BlobBytes(yes))+", 1)) END", catalog.BoolOID, true, x.loc, object)
	e.depth += 3
	return e
}

// constantRole reads the role that a privilege is asked for: a name or an OID, and a constant, or current_user, which is "".
func (c *compiler) constantRole(e *expr) string {
	if a, ok := c.placed(e.sql); ok && a.Kind == ArgSession && a.Name == "user" {
		return ""
	}
	if e.kind != exprConst || e.val.IsNull() {
		c.unsupported(e.loc, "asking for the privileges of a role that is no constant")
	}
	if e.typ == catalog.OidOID {
		for _, r := range c.env.Schema.Roles {
			if int64(r.OID) == e.val.Int() {
				return r.Name
			}
		}
		c.fail(pgerror.New(pgerror.UndefinedObject, "role with OID %d does not exist", e.val.Int()))
	}
	name := string(e.val.Bytes)
	if c.env.Schema.Role(name) == nil && name != c.env.User {
		c.fail(pgerror.New(pgerror.UndefinedObject, "role \"%s\" does not exist", name))
	}
	return name
}
