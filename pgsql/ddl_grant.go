package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// grantable is an object that privileges are given on.
type grantable struct {
	id    catalog.ID
	owner string
	all   string // letters of its privileges
	what  string // for messages: "table t"
}

// grant is GRANT and REVOKE of privileges on objects.
func (x *command) grant(n *pg.GrantStmt) Plan {
	tag := "REVOKE"
	if n.GetIsGrant() {
		tag = "GRANT"
	}
	if g := n.GetGrantor(); g != nil && x.roleName(g) != x.env.User {
		x.fail(pgerror.New(pgerror.InvalidGrantOperation, "grantor must be current user"))
	}
	objects := x.grantables(n)
	for _, g := range n.GetGrantees() {
		var role *catalog.Role
		if g.GetRoleSpec().GetRoletype() != pg.RoleSpecType_ROLESPEC_PUBLIC {
			role = x.role(x.roleName(g.GetRoleSpec()))
		} else if n.GetGrantOption() && n.GetIsGrant() {
			x.fail(pgerror.New(pgerror.InvalidGrantOperation, "grant options can only be granted to roles"))
		}
		for i := range objects {
			x.grantOn(n, &objects[i], role)
		}
	}
	return x.ddlPlan(tag)
}

// grantables finds the objects of GRANT or REVOKE.
func (x *command) grantables(n *pg.GrantStmt) []grantable {
	var out []grantable
	table := func(t *catalog.Table) {
		all := catalog.TablePrivileges
		if t.Kind == catalog.KindSequence {
			all = catalog.SequencePrivileges
			if n.GetObjtype() == pg.ObjectType_OBJECT_TABLE && len(n.GetPrivileges()) > 0 { // PostgreSQL takes a table's words for sequences too
				all = "rwUad"
			}
		}
		out = append(out, grantable{t.ID, t.Owner, all, kindNoun(t.Kind) + " " + t.Name})
	}
	namespace := func(name string) *catalog.Namespace {
		ns := x.namespace(name)
		if ns == nil {
			if isSystemSchema(name) {
				x.unsupported(-1, "GRANT and REVOKE on system schemas")
			}
			x.fail(pgerror.New(pgerror.InvalidSchemaName, "schema \"%s\" does not exist", name))
		}
		return ns
	}
	if n.GetTargtype() == pg.GrantTargetType_ACL_TARGET_ALL_IN_SCHEMA {
		for _, o := range n.GetObjects() {
			ns := namespace(o.GetString_().GetSval())
			for _, t := range x.all() {
				if t.Schema != ns.Name || t.System {
					continue
				}
				switch n.GetObjtype() {
				case pg.ObjectType_OBJECT_TABLE:
					if t.Kind != catalog.KindSequence {
						table(t)
					}
				case pg.ObjectType_OBJECT_SEQUENCE:
					if t.Kind == catalog.KindSequence {
						table(t)
					}
				}
			}
		}
		return out // there are no functions in any schema
	}
	for _, o := range n.GetObjects() {
		switch n.GetObjtype() {
		case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_SEQUENCE:
			t := x.relation(o.GetRangeVar())
			if n.GetObjtype() == pg.ObjectType_OBJECT_SEQUENCE && t.Kind != catalog.KindSequence {
				x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a sequence", t.Name))
			}
			if t.System {
				x.unsupported(o.GetRangeVar().GetLocation(), "GRANT and REVOKE on system relations")
			}
			table(t)
		case pg.ObjectType_OBJECT_SCHEMA:
			ns := namespace(o.GetString_().GetSval())
			out = append(out, grantable{ns.ID, ns.Owner, catalog.SchemaPrivileges, "schema " + ns.Name})
		case pg.ObjectType_OBJECT_DATABASE:
			name := o.GetString_().GetSval()
			x.checkDatabase(name)
			out = append(out, grantable{catalog.DatabaseID, "", catalog.DatabasePrivileges, "database " + name})
		default:
			x.unsupported(-1, "GRANT and REVOKE on objects of this kind")
		}
	}
	return out
}

// grantOn gives a role (nil: PUBLIC) the privileges on one object, or takes them.
func (x *command) grantOn(n *pg.GrantStmt, o *grantable, role *catalog.Role) {
	letters := o.all
	if list := n.GetPrivileges(); len(list) > 0 {
		letters = ""
		for _, p := range list {
			if len(p.GetAccessPriv().GetCols()) > 0 {
				x.unsupported(-1, "GRANT and REVOKE of privileges on columns")
			}
			word := p.GetAccessPriv().GetPrivName()
			l := catalog.PrivilegeLetter(word)
			kind, _, _ := strings.Cut(o.what, " ")
			if l == 0 {
				x.fail(pgerror.New(pgerror.SyntaxError, "unrecognized privilege type \"%s\"", word))
			}
			if strings.IndexByte(o.all, l) < 0 {
				x.fail(pgerror.New(pgerror.InvalidGrantOperation, "invalid privilege type %s for %s", strings.ToUpper(word), strings.Replace(kind, "view", "table", 1)))
			}
			letters += string(l)
		}
	}
	if role != nil && role.Name == o.owner {
		if !n.GetIsGrant() {
			x.unsupported(-1, "REVOKE from an object's owner")
		}
		return // the owner may do everything already
	}
	granted := 0
	for i := range letters {
		if !x.env.Superuser && !x.schema.MayGrant(x.env.User, o.id, o.owner, letters[i]) {
			continue
		}
		granted++
		if n.GetIsGrant() {
			x.give(n, o, role, letters[i])
		} else {
			x.take(n, o, role, letters[i], x.env.User)
		}
	}
	switch {
	case granted == 0 && len(letters) > 0:
		x.fail(pgerror.New(pgerror.InsufficientPrivilege, "permission denied for %s", o.what))
	case granted < len(letters):
		verb := map[bool]string{true: "granted", false: "revoked"}[n.GetIsGrant()]
		_, name, _ := strings.Cut(o.what, " ")
		x.notice(pgerror.Warning("01007", "not all privileges were %s for \"%s\"", verb, name))
	}
}

// grantsOf lists the grants of one privilege on an object to a role, nil for PUBLIC.
func (x *command) grantsOf(o *grantable, role *catalog.Role, letter byte) []*catalog.Grant {
	var out []*catalog.Grant
	for _, g := range x.schema.Grants[o.id] {
		same := g.Role == role || g.Role != nil && role != nil && g.Role.ID == role.ID
		if g.Privilege == letter && same && !x.dropped[g.ID] {
			out = append(out, g)
		}
	}
	return out
}

func (x *command) give(n *pg.GrantStmt, o *grantable, role *catalog.Role, letter byte) {
	def := catalog.GrantDef{Privilege: string(letter), Grantable: n.GetGrantOption(), Grantor: x.env.User}
	if x.env.Superuser || x.schema.Acts(x.env.User, o.owner) {
		def.Grantor = o.owner // as PostgreSQL has it
	}
	if role != nil {
		def.Role = role.ID
	}
	revoked := false
	for _, g := range x.grantsOf(o, role, letter) {
		switch {
		case g.Revoked:
			x.drop(g.ID)
			revoked = true
		case x.schema.GrantorOf(g, o.owner) != def.Grantor:
		case g.Grantable || !def.Grantable:
			return // it is there
		default:
			x.set(g.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(def)})
			return
		}
	}
	if revoked && !def.Grantable {
		return // PUBLIC has it again by default
	}
	x.create(x.env.NewID(), catalog.ObjectGrant, map[catalog.Attr]catalog.Value{catalog.AttrParent: o.id.Value(), catalog.AttrDef: catalog.EncodeDef(def)})
}

// take takes a privilege that grantor (or the owner) has given, and what its holder has given on.
func (x *command) take(n *pg.GrantStmt, o *grantable, role *catalog.Role, letter byte, grantor string) {
	if x.env.Superuser || x.schema.Acts(grantor, o.owner) {
		grantor = o.owner
	}
	for _, g := range x.grantsOf(o, role, letter) {
		if g.Revoked || x.schema.GrantorOf(g, o.owner) != grantor {
			continue
		}
		if g.Grantable && role != nil {
			x.takeDependent(n, o, role, letter)
		}
		if n.GetGrantOption() { // REVOKE GRANT OPTION FOR
			def := catalog.GrantDef{Role: role.ID, Privilege: string(letter), Grantor: g.Grantor}
			x.set(g.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(def)})
			continue
		}
		x.drop(g.ID)
	}
	if role == nil && !n.GetGrantOption() && catalog.PublicByDefault(o.id, letter) &&
		!slices.ContainsFunc(x.grantsOf(o, nil, letter), func(g *catalog.Grant) bool { return g.Revoked }) {
		def := catalog.EncodeDef(catalog.GrantDef{Privilege: string(letter), Grantor: o.owner, Revoked: true})
		x.create(x.env.NewID(), catalog.ObjectGrant, map[catalog.Attr]catalog.Value{catalog.AttrParent: o.id.Value(), catalog.AttrDef: def})
	}
}

// takeDependent takes what role has given on of a privilege, with CASCADE.
func (x *command) takeDependent(n *pg.GrantStmt, o *grantable, role *catalog.Role, letter byte) {
	for _, g := range x.schema.Grants[o.id] {
		if g.Privilege != letter || g.Revoked || g.Grantor != role.Name || g.Role == nil || x.dropped[g.ID] {
			continue
		}
		if n.GetBehavior() != pg.DropBehavior_DROP_CASCADE {
			x.fail(pgerror.New(pgerror.DependentPrivileges, "dependent privileges exist").WithHint("Use CASCADE to revoke them too."))
		}
		x.drop(g.ID)
		if g.Grantable {
			x.takeDependent(n, o, g.Role, letter)
		}
	}
}

// privilegeHolders lists what depends on a role for having or having given privileges, as DROP ROLE tells it.
func (x *command) privilegeLines(r *catalog.Role) []string {
	var lines []string
	add := func(line string) {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for id, list := range x.schema.Grants {
		for _, g := range list {
			if (g.Role == nil || g.Role.ID != r.ID) && (g.Grantor != r.Name || x.schema.GrantorOf(g, "") != r.Name) {
				continue
			}
			if id == catalog.DatabaseID {
				add("privileges for database " + x.env.Database)
				continue
			}
			if t := x.relationWithID(id); t != nil {
				add("privileges for " + x.describe(object{table: t}))
			}
			for _, ns := range x.schema.Namespaces {
				if ns.ID == id {
					add("privileges for " + x.describe(object{namespace: ns}))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}
