package catalog

import (
	"slices"
	"strings"
)

// DatabaseID names the one database as the object of grants, the same in every cluster.
var DatabaseID = ID{HLC: 3, Node: 0}

// The privileges, by the letters that PostgreSQL's aclitem has for them.
const (
	PrivInsert     byte = 'a'
	PrivSelect     byte = 'r'
	PrivUpdate     byte = 'w'
	PrivDelete     byte = 'd'
	PrivTruncate   byte = 'D'
	PrivReferences byte = 'x'
	PrivTrigger    byte = 't'
	PrivUsage      byte = 'U'
	PrivCreate     byte = 'C'
	PrivConnect    byte = 'c'
	PrivTemporary  byte = 'T'
)

// Letters of all privileges on an object of each kind, in aclitem's order.
const (
	TablePrivileges    = "arwdDxt"
	SequencePrivileges = "rwU"
	SchemaPrivileges   = "UC"
	DatabasePrivileges = "CTc"
)

var privilegeWords = map[string]byte{"insert": PrivInsert, "select": PrivSelect, "update": PrivUpdate, "delete": PrivDelete, "truncate": PrivTruncate,
	"references": PrivReferences, "trigger": PrivTrigger, "usage": PrivUsage, "create": PrivCreate, "connect": PrivConnect,
	"temporary": PrivTemporary, "temp": PrivTemporary}

// PrivilegeLetter is the letter of a privilege's SQL name, in any case; 0 if there is none.
func PrivilegeLetter(word string) byte { return privilegeWords[strings.ToLower(word)] }

// Grant is one privilege on one object, given to one role. Each is an object row of its own, so that grants on different
// nodes merge as a union.
type Grant struct {
	ID        ID
	Object    ID    // of a table, view, sequence or namespace, or DatabaseID
	Role      *Role // nil: PUBLIC
	Privilege byte
	Grantable bool   // WITH GRANT OPTION
	Grantor   string // role name, as of when it was given; see GrantorOf
	Revoked   bool   // takes away what PUBLIC has by default
}

// PublicByDefault says what PUBLIC may do with an object without a grant.
func PublicByDefault(object ID, p byte) bool {
	return object == PublicID && p == PrivUsage || object == DatabaseID && (p == PrivConnect || p == PrivTemporary)
}

// Acts says whether user acts with the rights of the role of: its own, or one that it is a member of and inherits from.
func (s *Schema) Acts(user, of string) bool {
	if user == of {
		return true
	}
	me, role := s.Role(user), s.Role(of)
	return me != nil && role != nil && s.inherits(me, role.ID, 0)
}

func (s *Schema) inherits(me *Role, role ID, depth int) bool {
	if !me.Inherit || depth > 100 {
		return false
	}
	for _, id := range me.MemberOf {
		if id == role {
			return true
		}
		if r := s.RoleByID(id); r != nil && s.inherits(r, role, depth+1) {
			return true
		}
	}
	return false
}

// May says whether user, who is no superuser, has a privilege on an object that owner owns.
func (s *Schema) May(user string, object ID, owner string, p byte) bool {
	return s.Acts(user, owner) || s.granted(user, object, p, false)
}

// MayGrant says whether user, who is no superuser, may give a privilege on to others.
func (s *Schema) MayGrant(user string, object ID, owner string, p byte) bool {
	return s.Acts(user, owner) || s.granted(user, object, p, true)
}

func (s *Schema) granted(user string, object ID, p byte, option bool) bool {
	byDefault := PublicByDefault(object, p) && !option
	for _, g := range s.Grants[object] {
		switch {
		case g.Privilege != p:
		case g.Revoked:
			byDefault = false
		case option && !g.Grantable:
		case g.Role == nil || s.Acts(user, g.Role.Name):
			return true
		}
	}
	return byDefault
}

// GrantorOf is the role on whose right a grant on an object of owner rests: who gave it, while that role may give it on,
// else the owner. So grants pass to a new owner with the object.
func (s *Schema) GrantorOf(g *Grant, owner string) string {
	for _, h := range s.Grants[g.Object] {
		if h.Privilege == g.Privilege && h.Grantable && !h.Revoked && h.Role != nil && h.Role.Name == g.Grantor {
			return g.Grantor
		}
	}
	return owner
}

// acl is an object's access control list, an array of aclitem; NULL while nobody granted or revoked anything.
func (s *Schema) acl(object ID, owner, all string) Value {
	grants := s.Grants[object]
	if len(grants) == 0 {
		return Value{}
	}
	public := ""
	for i := range all {
		if PublicByDefault(object, all[i]) {
			public += all[i : i+1]
		}
	}
	type key struct{ role, grantor string }
	letters := map[key]string{{"", owner}: public}
	order := []key{{"", owner}}
	for _, g := range grants {
		if g.Revoked {
			letters[key{"", owner}] = strings.ReplaceAll(letters[key{"", owner}], string(g.Privilege), "")
			continue
		}
		k := key{grantor: s.GrantorOf(g, owner)}
		if g.Role != nil {
			k.role = g.Role.Name
		}
		if k.role == owner {
			continue // it may do everything
		}
		if _, ok := letters[k]; !ok {
			order = append(order, k)
		}
		if !strings.Contains(letters[k], string(g.Privilege)) {
			letters[k] += string(g.Privilege)
			if g.Grantable {
				letters[k] += "*"
			}
		}
	}
	items := []Value{Str(aclName(owner) + "=" + all + "/" + aclName(owner))}
	for _, k := range order {
		if text := inOrder(letters[k], all); text != "" {
			items = append(items, Str(aclName(k.role)+"="+text+"/"+aclName(k.grantor)))
		}
	}
	return EncodeArray(AclitemOID, nil, items)
}

// inOrder sorts an aclitem's letters, each with the star that may follow it.
func inOrder(text, all string) string {
	var parts []string
	for i := 0; i < len(text); i++ {
		if i+1 < len(text) && text[i+1] == '*' {
			parts = append(parts, text[i:i+2])
			i++
		} else {
			parts = append(parts, text[i:i+1])
		}
	}
	slices.SortFunc(parts, func(a, b string) int { return strings.IndexByte(all, a[0]) - strings.IndexByte(all, b[0]) })
	return strings.Join(parts, "")
}

// aclName is a role's name as aclitem shows it.
func aclName(name string) string {
	for i := range len(name) {
		if c := name[i]; c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	return name
}

// grants reads the grants. Those to roles that are gone, or on objects that are, count for nothing.
func (b *builder) grants(objects []Object) {
	b.schema.Grants = map[ID][]*Grant{}
	for i := range objects {
		o := &objects[i]
		if o.kind() != ObjectGrant {
			continue
		}
		var d GrantDef
		if err := DecodeDef(o.Attrs[AttrDef], &d); err != nil || len(d.Privilege) != 1 {
			b.conflict(ObjectGrant, o.ID, ID{}, "", "left out: %v", err)
			continue
		}
		g := &Grant{ID: o.ID, Object: o.parent(), Privilege: d.Privilege[0], Grantable: d.Grantable, Grantor: d.Grantor, Revoked: d.Revoked}
		if g.Object.IsZero() {
			continue
		}
		if !d.Role.IsZero() {
			if g.Role = b.schema.RoleByID(d.Role); g.Role == nil {
				continue
			}
		}
		b.schema.Grants[g.Object] = append(b.schema.Grants[g.Object], g)
	}
}
