package pgsql

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/xdg-go/stringprep"

	"layercake/catalog"
	"layercake/pgerror"
)

// role finds a role.
func (x *command) role(name string) *catalog.Role {
	for _, r := range x.schema.Roles {
		if r.Name == name && !x.dropped[r.ID] {
			return r
		}
	}
	x.fail(pgerror.New(pgerror.UndefinedObject, "role \"%s\" does not exist", name))
	return nil
}

func (x *command) roleExists(name string) bool {
	return slices.ContainsFunc(x.schema.Roles, func(r *catalog.Role) bool { return r.Name == name && !x.dropped[r.ID] })
}

// roleName resolves CURRENT_USER and the like, and checks that the role exists.
func (x *command) roleName(r *pg.RoleSpec) string {
	switch r.GetRoletype() {
	case pg.RoleSpecType_ROLESPEC_CURRENT_ROLE, pg.RoleSpecType_ROLESPEC_CURRENT_USER, pg.RoleSpecType_ROLESPEC_SESSION_USER:
		return x.env.User
	case pg.RoleSpecType_ROLESPEC_PUBLIC:
		x.failAt(r.GetLocation(), pgerror.UndefinedObject, "role \"public\" does not exist")
	}
	if r.GetRolename() != x.env.User && !x.roleExists(r.GetRolename()) {
		x.fail(pgerror.New(pgerror.UndefinedObject, "role \"%s\" does not exist", r.GetRolename()))
	}
	return r.GetRolename()
}

func (x *command) createRole(n *pg.CreateRoleStmt) Plan {
	name := truncateName(n.GetRole())
	switch {
	case strings.HasPrefix(name, "pg_"):
		x.fail(pgerror.New(pgerror.ReservedName, "role name \"%s\" is reserved", name).
			WithDetail("Role names starting with \"pg_\" are reserved."))
	case name == "public" || name == "none":
		x.fail(pgerror.New(pgerror.ReservedName, "role name \"%s\" is reserved", name))
	case x.roleExists(name):
		x.fail(pgerror.New(pgerror.DuplicateObject, "role \"%s\" already exists", name))
	}
	def := catalog.RoleDef{Login: n.GetStmtType() == pg.RoleStmtType_ROLESTMT_USER}
	id := x.env.NewID()
	x.roleOptions(id, name, &def, n.GetOptions(), true)
	x.create(id, catalog.ObjectRole, map[catalog.Attr]catalog.Value{catalog.AttrName: catalog.Str(name), catalog.AttrDef: catalog.EncodeDef(def)})
	return x.ddlPlan("CREATE ROLE")
}

// roleDef is a role's AttrDef as it stands.
func roleDef(r *catalog.Role) catalog.RoleDef {
	d := catalog.RoleDef{Superuser: r.Superuser, Login: r.Login, CreateDB: r.CreateDB, CreateRole: r.CreateRole, NoInherit: !r.Inherit,
		Replication: r.Replication, Verifier: r.Verifier, ValidUntil: r.ValidUntil, MemberOf: r.MemberOf}
	if r.ConnLimit != -1 {
		n := r.ConnLimit
		d.ConnLimit = &n
	}
	return d
}

func (x *command) alterRole(n *pg.AlterRoleStmt) Plan {
	r := x.role(x.roleName(n.GetRole()))
	def := roleDef(r)
	if d := optionNamed(n.GetOptions(), "rolemembers"); d != nil {
		// ALTER GROUP … ADD/DROP USER
		for _, m := range d.GetArg().GetList().GetItems() {
			x.membership(x.role(x.roleName(m.GetRoleSpec())), r, n.GetAction() > 0)
		}
		return x.ddlPlan("ALTER ROLE")
	}
	x.roleOptions(r.ID, r.Name, &def, n.GetOptions(), false)
	x.set(r.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(def)})
	return x.ddlPlan("ALTER ROLE")
}

// roleOptions applies the options of CREATE and ALTER ROLE.
func (x *command) roleOptions(id catalog.ID, name string, def *catalog.RoleDef, options []*pg.Node, fresh bool) {
	seen := map[string]bool{}
	for _, o := range options {
		d := o.GetDefElem()
		if d == nil {
			continue
		}
		if seen[d.GetDefname()] {
			x.failAt(d.GetLocation(), pgerror.SyntaxError, "conflicting or redundant options")
		}
		seen[d.GetDefname()] = true
		on := d.GetArg().GetBoolean().GetBoolval()
		switch d.GetDefname() {
		case "superuser":
			def.Superuser = on
		case "inherit":
			def.NoInherit = !on
		case "createrole":
			def.CreateRole = on
		case "createdb":
			def.CreateDB = on
		case "canlogin":
			def.Login = on
		case "isreplication":
			def.Replication = on
		case "bypassrls":
			def.BypassRLS = on
		case "connectionlimit":
			s, _ := nodeText(d.GetArg())
			v, err := strconv.Atoi(s)
			if err != nil || v < -1 {
				x.failAt(d.GetLocation(), pgerror.InvalidParameterValue, "invalid connection limit: %s", s)
			}
			def.ConnLimit = &v
		case "password":
			def.Verifier = ""
			if d.GetArg() != nil {
				def.Verifier = x.verifier(d.GetArg().GetString_().GetSval())
			}
		case "validUntil":
			text, _ := nodeText(d.GetArg())
			v, err := catalog.DecodeText(catalog.TimestamptzOID, -1, []byte(text), x.env.Output)
			x.check(err, -1)
			def.ValidUntil = string(catalog.AppendText(nil, catalog.TimestamptzOID, -1, v, nil)) // with its zone
		case "sysid":
			x.notice(pgerror.Notice("SYSID can no longer be specified"))
		case "addroleto":
			for _, m := range d.GetArg().GetList().GetItems() {
				def.MemberOf = append(def.MemberOf, x.role(x.roleName(m.GetRoleSpec())).ID)
			}
		case "rolemembers":
			for _, m := range d.GetArg().GetList().GetItems() {
				member := x.role(x.roleName(m.GetRoleSpec()))
				md := roleDef(member)
				md.MemberOf = append(slices.Clone(md.MemberOf), id)
				x.set(member.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(md)})
			}
		default:
			x.unsupported(d.GetLocation(), "role option \"%s\"", d.GetDefname())
		}
	}
}

// verifierForm is a SCRAM-SHA-256 verifier as PostgreSQL keeps it; such a password is taken as it is.
var verifierForm = regexp.MustCompile(`^SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$`)

// verifier makes the SCRAM-SHA-256 verifier of a password.
func (x *command) verifier(password string) string {
	if verifierForm.MatchString(password) {
		return password
	}
	if len(password) == 35 && strings.HasPrefix(password, "md5") {
		x.unsupported(-1, "an MD5 password hash")
	}
	if password == "" {
		x.notice(pgerror.Notice("empty string is not a valid password, clearing password"))
		return ""
	}
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		x.fail(pgerror.New(pgerror.InternalError, "could not generate random salt"))
	}
	v, err := scramVerifier(password, salt, 4096)
	if err != nil {
		x.fail(pgerror.New(pgerror.InternalError, "could not compute the password's verifier"))
	}
	return v
}

// scramVerifier is RFC 5803's verifier in PostgreSQL's form. The password is normalised if it can be, as RFC 7677 asks,
// else used as it is, as PostgreSQL does.
func scramVerifier(password string, salt []byte, iterations int) (string, error) {
	if s, err := stringprep.SASLprep.Prepare(password); err == nil && s != "" {
		password = s
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac(salted, "Server Key"))), nil
}

func (x *command) dropRole(n *pg.DropRoleStmt) Plan {
	for _, o := range n.GetRoles() {
		spec := o.GetRoleSpec()
		if spec.GetRoletype() != pg.RoleSpecType_ROLESPEC_CSTRING {
			x.fail(pgerror.New(pgerror.InvalidParameterValue, "cannot use special role specifier in DROP ROLE"))
		}
		name := spec.GetRolename()
		if !x.roleExists(name) && n.GetMissingOk() {
			x.skipMissing("role", name)
			continue
		}
		r := x.role(name)
		if name == x.env.User {
			x.fail(pgerror.New(pgerror.ObjectInUse, "current user cannot be dropped"))
		}
		var lines []string
		for _, t := range x.all() {
			if t.Owner == name && !t.System {
				lines = append(lines, "owner of "+x.describe(object{table: t}))
			}
		}
		for _, ns := range x.schema.Namespaces {
			if ns.Owner == name {
				lines = append(lines, "owner of "+x.describe(object{namespace: ns}))
			}
		}
		lines = append(lines, x.privilegeLines(r)...)
		if len(lines) > 0 {
			e := pgerror.New(pgerror.DependentObjectsStillExist, "role \"%s\" cannot be dropped because some objects depend on it", name)
			e.Detail = strings.Join(lines, "\n")
			x.fail(e)
		}
		for _, m := range x.schema.Roles {
			if slices.Contains(m.MemberOf, r.ID) && !x.dropped[m.ID] {
				x.membership(m, r, false)
			}
		}
		for _, s := range x.schema.Settings {
			if s.Role == name {
				x.drop(s.ID)
			}
		}
		x.drop(r.ID)
	}
	return x.ddlPlan("DROP ROLE")
}

// renameRole takes the role's name to what it owns, since owners are kept by name.
func (x *command) renameRole(from, to string) {
	r := x.role(from)
	if strings.HasPrefix(to, "pg_") || to == "public" || to == "none" {
		x.fail(pgerror.New(pgerror.ReservedName, "role name \"%s\" is reserved", to))
	}
	if x.roleExists(to) {
		x.fail(pgerror.New(pgerror.DuplicateObject, "role \"%s\" already exists", to))
	}
	if from == x.env.User {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "session user cannot be renamed"))
	}
	x.set(r.ID, nameAttr(to))
	owner := map[catalog.Attr]catalog.Value{catalog.AttrOwner: catalog.Str(to)}
	for _, t := range x.all() {
		if t.Owner == from && !t.System {
			x.set(t.ID, owner)
		}
	}
	for _, ns := range x.schema.Namespaces {
		if ns.Owner == from {
			x.set(ns.ID, owner)
		}
	}
}

// membership adds or removes a role's membership of another.
func (x *command) membership(member, of *catalog.Role, add bool) {
	def := roleDef(member)
	def.MemberOf = slices.DeleteFunc(slices.Clone(def.MemberOf), func(id catalog.ID) bool { return id == of.ID })
	if add {
		def.MemberOf = append(def.MemberOf, of.ID)
	}
	x.set(member.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(def)})
}

// grantRole is GRANT role TO role.
func (x *command) grantRole(n *pg.GrantRoleStmt) Plan {
	for _, o := range n.GetOpt() {
		if d := o.GetDefElem(); d.GetArg().GetBoolean().GetBoolval() || !n.GetIsGrant() {
			x.unsupported(d.GetLocation(), "%s OPTION of a role membership", strings.ToUpper(d.GetDefname()))
		}
	}
	for _, g := range n.GetGrantedRoles() {
		of := x.role(g.GetAccessPriv().GetPrivName())
		for _, m := range n.GetGranteeRoles() {
			member := x.role(x.roleName(m.GetRoleSpec()))
			if n.GetIsGrant() {
				if member.ID == of.ID || x.isMember(of, member, 0) {
					x.fail(pgerror.New("0LP01", "role \"%s\" is a member of role \"%s\"", of.Name, member.Name))
				}
				if slices.Contains(member.MemberOf, of.ID) {
					x.notice(pgerror.Notice("role \"%s\" is already a member of role \"%s\"", member.Name, of.Name))
					continue
				}
			} else if !slices.Contains(member.MemberOf, of.ID) {
				x.notice(pgerror.Warning("01000", "role \"%s\" is not a member of role \"%s\"", member.Name, of.Name))
				continue
			}
			x.membership(member, of, n.GetIsGrant())
		}
	}
	if n.GetIsGrant() {
		return x.ddlPlan("GRANT ROLE")
	}
	return x.ddlPlan("REVOKE ROLE")
}

// isMember says whether a is, by any number of steps, a member of b.
func (x *command) isMember(a, b *catalog.Role, depth int) bool {
	for _, id := range a.MemberOf {
		if id == b.ID {
			return true
		}
		for _, r := range x.schema.Roles {
			if r.ID == id && depth < 100 && x.isMember(r, b, depth+1) {
				return true
			}
		}
	}
	return false
}

// alterRoleSet is ALTER ROLE … SET.
func (x *command) alterRoleSet(n *pg.AlterRoleSetStmt) Plan {
	role := ""
	if n.GetRole() != nil {
		role = x.role(x.roleName(n.GetRole())).Name
	}
	x.checkDatabase(n.GetDatabase())
	x.keepSetting(role, n.GetSetstmt())
	return x.ddlPlan("ALTER ROLE")
}

// alterDatabaseSet is ALTER DATABASE … SET. There is one database.
func (x *command) alterDatabaseSet(n *pg.AlterDatabaseSetStmt) Plan {
	x.checkDatabase(n.GetDbname())
	x.keepSetting("", n.GetSetstmt())
	return x.ddlPlan("ALTER DATABASE")
}

func (x *command) checkDatabase(name string) {
	if name != "" && x.env.Database != "" && name != x.env.Database {
		x.fail(pgerror.New(pgerror.InvalidCatalogName, "database \"%s\" does not exist", name))
	}
}

// keepSetting makes, changes or removes kept settings. Whether a value is valid is for whoever runs the plan to say: it
// finds Set in the plan.
func (x *command) keepSetting(role string, n *pg.VariableSetStmt) {
	remove := func(name string) {
		for _, s := range x.schema.Settings {
			if s.Role == role && (name == "" || s.Name == name) {
				x.drop(s.ID)
			}
		}
	}
	name := strings.ToLower(n.GetName())
	switch n.GetKind() {
	case pg.VariableSetKind_VAR_RESET_ALL:
		remove("")
	case pg.VariableSetKind_VAR_RESET, pg.VariableSetKind_VAR_SET_DEFAULT:
		remove(name)
	case pg.VariableSetKind_VAR_SET_VALUE:
		values := x.setValues(n)
		x.plan.Setting = &Set{Name: n.GetName(), Values: values}
		def := catalog.EncodeDef(catalog.SettingDef{Role: role, Value: strings.Join(values, ", ")})
		for _, s := range x.schema.Settings {
			if s.Role == role && s.Name == name {
				x.set(s.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: def})
				return
			}
		}
		x.create(x.env.NewID(), catalog.ObjectSetting, map[catalog.Attr]catalog.Value{catalog.AttrName: catalog.Str(name), catalog.AttrDef: def})
	default:
		x.unsupported(-1, "this form of SET")
	}
}
