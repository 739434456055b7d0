package server

import (
	"slices"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
)

// Privileges: pgsql looks at those that a query needs when it compiles it (a plan is made for one user and one schema, of
// which grants are part). Here it is about objects and roles: an object is altered and dropped by its owner (or a member
// of the owning role) and by superusers; roles are managed by superusers and, superusers apart, by roles with CREATEROLE.
// A user that --insecure lets in without there being such a role counts as a superuser.

// isSuperuser says whether a user may do everything.
func (s *session) isSuperuser(user string) bool {
	r := s.schema().Role(user)
	if r == nil {
		return s.node.cfg.Insecure && user == s.info.User
	}
	return r.Superuser
}

// managesRoles says whether the current user may create, alter and drop roles that are no superusers.
func (s *session) managesRoles() bool {
	me := s.schema().Role(s.user)
	return s.isSuperuser(s.user) || me != nil && me.CreateRole
}

// owns says whether the current user may act for the role that owns something.
func (s *session) owns(owner string) bool {
	return owner == "" || s.isSuperuser(s.user) || s.schema().Acts(s.user, owner)
}

// may says whether the current user has one of some privileges on a relation.
func (s *session) may(t *catalog.Table, privs ...byte) bool {
	return s.isSuperuser(s.user) || slices.ContainsFunc(privs, func(p byte) bool { return s.schema().May(s.user, t.ID, t.Owner, p) })
}

// mayRunDDL refuses (42501) what the current user may not change.
func (s *session) mayRunDDL(d *pgsql.DDL, sch *catalog.Schema) error {
	if s.isSuperuser(s.user) {
		return nil
	}
	owned := map[catalog.ID]*catalog.Table{}
	for _, t := range sch.Relations {
		owned[t.ID] = t
		for _, c := range t.Columns {
			owned[c.ID] = t
		}
		for _, c := range t.Constraints {
			owned[c.ID] = t
		}
		for _, x := range t.Indexes {
			owned[x.ID] = t
		}
	}
	for i := range d.Changes {
		c := &d.Changes[i]
		kind := catalog.ObjectKind(c.Attrs[catalog.AttrKind].Bytes)
		if kind == catalog.ObjectGrant {
			continue // pgsql has looked at whether it may be given
		}
		if err := s.mayCreate(c, kind, sch); err != nil {
			return err
		}
		t := owned[c.ID]
		if parent, ok := catalog.IDFromBytes(c.Attrs[catalog.AttrParent].Bytes); ok && c.Op == catalog.Create {
			t = owned[parent]
		}
		if t != nil && !s.owns(t.Owner) {
			return mustOwn(t)
		}
		if err := s.mayChangeRole(c, sch); err != nil {
			return err
		}
		for _, n := range sch.Namespaces {
			if n.ID == c.ID && c.Op != catalog.Create && !s.owns(n.Owner) {
				return pgerror.New(pgerror.InsufficientPrivilege, "must be owner of schema %s", n.Name)
			}
		}
	}
	for _, t := range d.Truncate {
		if !s.may(t, catalog.PrivTruncate) {
			return pgerror.New(pgerror.InsufficientPrivilege, "permission denied for table %s", t.Name)
		}
	}
	return nil
}

// mayCreate refuses new objects where the current user has no CREATE privilege.
func (s *session) mayCreate(c *catalog.Change, kind catalog.ObjectKind, sch *catalog.Schema) error {
	if kind == catalog.ObjectNamespace && c.Op == catalog.Create && c.ID != catalog.PublicID && !sch.May(s.user, catalog.DatabaseID, "", catalog.PrivCreate) {
		return pgerror.New(pgerror.InsufficientPrivilege, "permission denied for database %s", s.database)
	}
	parent, ok := catalog.IDFromBytes(c.Attrs[catalog.AttrParent].Bytes)
	if !ok {
		return nil
	}
	for _, n := range sch.Namespaces { // a new relation, or one that moves there
		if n.ID == parent && !sch.May(s.user, n.ID, n.Owner, catalog.PrivCreate) {
			return pgerror.New(pgerror.InsufficientPrivilege, "permission denied for schema %s", n.Name)
		}
	}
	return nil
}

func mustOwn(t *catalog.Table) error {
	kind := map[catalog.RelKind]string{catalog.KindView: "view", catalog.KindSequence: "sequence"}[t.Kind]
	if kind == "" {
		kind = "table"
	}
	return pgerror.New(pgerror.InsufficientPrivilege, "must be owner of %s %s", kind, t.Name)
}

// mayChangeRole looks at a change of a role or of a setting kept for one. The current user is no superuser.
func (s *session) mayChangeRole(c *catalog.Change, sch *catalog.Schema) error {
	manages := s.managesRoles()
	denied := func(what string) error {
		return pgerror.New(pgerror.InsufficientPrivilege, "permission denied to %s", what)
	}
	created := catalog.ObjectKind("")
	if c.Op == catalog.Create {
		created = catalog.ObjectKind(c.Attrs[catalog.AttrKind].Bytes)
	}
	if setting := settingOf(sch, c.ID); setting != nil || created == catalog.ObjectSetting {
		role := ""
		if setting != nil {
			role = setting.Role
		} else {
			var def catalog.SettingDef
			if err := catalog.DecodeDef(c.Attrs[catalog.AttrDef], &def); err != nil {
				return err
			}
			role = def.Role
		}
		if of := sch.Role(role); role != s.user && (!manages || of == nil || of.Superuser) {
			return denied("set parameters for others")
		}
		return nil
	}
	old := sch.RoleByID(c.ID)
	if old == nil && created != catalog.ObjectRole {
		return nil
	}
	var def catalog.RoleDef
	if err := catalog.DecodeDef(c.Attrs[catalog.AttrDef], &def); err != nil {
		return err
	}
	switch {
	case !manages && old == nil:
		return denied("create role")
	case def.Superuser || old != nil && old.Superuser:
		return pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to create or alter superuser roles")
	case manages:
		for _, id := range def.MemberOf {
			if of := sch.RoleByID(id); of != nil && of.Superuser && (old == nil || !slices.Contains(old.MemberOf, id)) {
				return pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to grant membership in superuser role \"%s\"", of.Name)
			}
		}
		return nil
	case c.Op == catalog.Alter && old.Name == s.user && onlyPassword(c, old, &def):
		return nil
	case c.Op == catalog.Drop:
		return denied("drop role")
	}
	return denied("alter role")
}

func settingOf(sch *catalog.Schema, id catalog.ID) *catalog.RoleSetting {
	for _, r := range sch.Settings {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// onlyPassword says whether a change of a role changes nothing but its password.
func onlyPassword(c *catalog.Change, old *catalog.Role, def *catalog.RoleDef) bool {
	for a := range c.Attrs {
		if a != catalog.AttrDef {
			return false
		}
	}
	limit := -1
	if def.ConnLimit != nil {
		limit = *def.ConnLimit
	}
	return def.Login == old.Login && def.CreateDB == old.CreateDB && def.CreateRole == old.CreateRole && def.NoInherit == !old.Inherit &&
		def.Replication == old.Replication && limit == old.ConnLimit && def.ValidUntil == old.ValidUntil && len(def.MemberOf) == len(old.MemberOf)
}
