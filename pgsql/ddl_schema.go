package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"layercake/catalog"
	"layercake/pgerror"
)

// createSchema is CREATE SCHEMA.
func (x *command) createSchema(n *pg.CreateSchemaStmt) Plan {
	name, owner := truncateName(n.GetSchemaname()), x.env.User
	if n.GetAuthrole() != nil {
		owner = x.roleName(n.GetAuthrole())
		if name == "" {
			name = owner
		}
	}
	if strings.HasPrefix(name, "pg_") {
		x.fail(pgerror.New(pgerror.ReservedName, "unacceptable schema name \"%s\"", name).
			WithDetail("The prefix \"pg_\" is reserved for system schemas."))
	}
	if x.namespaceExists(name) {
		x.existing(n.GetIfNotExists(), "schema \"%s\" already exists", name, pgerror.DuplicateSchema)
		return x.ddlPlan("CREATE SCHEMA")
	}
	attrs := map[catalog.Attr]catalog.Value{catalog.AttrName: catalog.Str(name), catalog.AttrOwner: catalog.Str(owner)}
	if name == "public" {
		attrs[catalog.AttrComment], attrs[catalog.AttrDef] = catalog.Value{}, catalog.Value{}
		x.set(catalog.PublicID, attrs) // always the same object, in every cluster
	} else {
		x.create(x.env.NewID(), catalog.ObjectNamespace, attrs)
	}
	made := map[string]bool{}
	for _, e := range n.GetSchemaElts() {
		// The elements are statements of their own, run with the new schema in front.
		text, err := deparseNode(inSchema(e, name, made))
		if err != nil {
			x.unsupported(-1, "this element of CREATE SCHEMA")
		}
		x.plan.Then = append(x.plan.Then, text)
	}
	return x.ddlPlan("CREATE SCHEMA")
}

// inSchema qualifies the object that an element of CREATE SCHEMA makes, and those made before it that it names.
func inSchema(n *pg.Node, schema string, made map[string]bool) *pg.Node {
	walk(n, func(m proto.Message) bool {
		if rv, ok := m.(*pg.RangeVar); ok && rv.GetSchemaname() == "" && made[rv.GetRelname()] {
			rv.Schemaname = schema
		}
		return true
	})
	var rv *pg.RangeVar
	switch e := n.GetNode().(type) {
	case *pg.Node_CreateStmt:
		rv = e.CreateStmt.GetRelation()
	case *pg.Node_ViewStmt:
		rv = e.ViewStmt.GetView()
	case *pg.Node_CreateSeqStmt:
		rv = e.CreateSeqStmt.GetSequence()
	case *pg.Node_IndexStmt:
		rv = e.IndexStmt.GetRelation()
	}
	if rv != nil && rv.GetSchemaname() == "" {
		rv.Schemaname = schema
	}
	made[rv.GetRelname()] = true
	return n
}

func (x *command) renameSchema(from, to string) {
	ns := x.namespace(from)
	if ns == nil {
		x.fail(pgerror.New(pgerror.InvalidSchemaName, "schema \"%s\" does not exist", from))
	}
	if strings.HasPrefix(to, "pg_") {
		x.fail(pgerror.New(pgerror.ReservedName, "unacceptable schema name \"%s\"", to).
			WithDetail("The prefix \"pg_\" is reserved for system schemas."))
	}
	if x.namespaceExists(to) {
		x.fail(pgerror.New(pgerror.DuplicateSchema, "schema \"%s\" already exists", to))
	}
	x.set(ns.ID, nameAttr(to))
	var moved []*catalog.Table
	for _, t := range x.all() {
		if t.Schema == from && !t.System {
			moved = append(moved, x.edit(t))
		}
	}
	for _, t := range moved {
		old := *t
		t.Schema = to
		x.relationMoved(&old, t)
	}
}

// comment is COMMENT ON.
func (x *command) comment(n *pg.CommentStmt) Plan {
	text := textOrNull(n.GetComment())
	names := stringList(n.GetObject().GetList().GetItems())
	var id catalog.ID
	switch o := n.GetObjtype(); o {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_SEQUENCE:
		t := x.relation(rangeVar(names))
		x.modifiable(t)
		if o == pg.ObjectType_OBJECT_TABLE && t.Kind != catalog.KindTable {
			x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a table", t.Name))
		}
		x.checkAlterKind(t, o)
		id = t.ID
	case pg.ObjectType_OBJECT_COLUMN:
		if len(names) < 2 {
			x.fail(pgerror.New(pgerror.SyntaxError, "column name must be qualified"))
		}
		t := x.relation(rangeVar(names[:len(names)-1]))
		x.modifiable(t)
		col := findColumn(t, names[len(names)-1])
		if col == nil {
			x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", names[len(names)-1], t.Name))
		}
		id = col.ID
	case pg.ObjectType_OBJECT_INDEX:
		i, t := x.index(rangeVar(names))
		x.modifiable(t)
		id = i.ID
	case pg.ObjectType_OBJECT_TABCONSTRAINT:
		if len(names) < 2 {
			x.unsupported(-1, "this COMMENT")
		}
		t := x.relation(rangeVar(names[:len(names)-1]))
		x.modifiable(t)
		c := findConstraint(t, names[len(names)-1])
		if c == nil {
			x.fail(pgerror.New(pgerror.UndefinedObject, "constraint \"%s\" for table \"%s\" does not exist", names[len(names)-1], t.Name))
		}
		id = c.ID
	case pg.ObjectType_OBJECT_SCHEMA:
		name := n.GetObject().GetString_().GetSval()
		ns := x.namespace(name)
		if ns == nil {
			x.fail(pgerror.New(pgerror.InvalidSchemaName, "schema \"%s\" does not exist", name))
		}
		id = ns.ID
	case pg.ObjectType_OBJECT_ROLE:
		id = x.role(n.GetObject().GetString_().GetSval()).ID
	case pg.ObjectType_OBJECT_EXTENSION:
		if n.GetObject().GetString_().GetSval() == "plpgsql" {
			return x.ddlPlan("COMMENT") // every dump says so
		}
		fallthrough
	default:
		x.unsupported(-1, "COMMENT ON %s", objectWords[n.GetObjtype()])
	}
	x.set(id, map[catalog.Attr]catalog.Value{catalog.AttrComment: text})
	return x.ddlPlan("COMMENT")
}
