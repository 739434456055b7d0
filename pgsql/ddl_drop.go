package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// dropStatement is DROP TABLE, VIEW, INDEX, SEQUENCE and SCHEMA.
func (x *command) dropStatement(n *pg.DropStmt) Plan {
	if n.GetConcurrent() {
		x.plan.Alone = "DROP INDEX CONCURRENTLY"
	}
	var objs []object
	kind := n.GetRemoveType()
	for _, o := range n.GetObjects() {
		switch kind {
		case pg.ObjectType_OBJECT_TABLE:
			objs = x.droppedRelation(objs, o, catalog.KindTable, n.GetMissingOk())
		case pg.ObjectType_OBJECT_VIEW:
			objs = x.droppedRelation(objs, o, catalog.KindView, n.GetMissingOk())
		case pg.ObjectType_OBJECT_SEQUENCE:
			objs = x.droppedRelation(objs, o, catalog.KindSequence, n.GetMissingOk())
		case pg.ObjectType_OBJECT_INDEX:
			objs = x.droppedIndex(objs, o, n.GetMissingOk())
		case pg.ObjectType_OBJECT_SCHEMA:
			objs = x.droppedSchema(objs, o, n.GetMissingOk())
		default:
			if n.GetMissingOk() {
				// What cannot be created is not there.
				if name, word, ok := missingName(o, kind); ok {
					x.skipMissing(word, name)
					continue
				}
			}
			x.unsupported(-1, "DROP %s", objectWords[kind])
		}
	}
	if len(objs) > 0 {
		x.dropAll(objs, n.GetBehavior() == pg.DropBehavior_DROP_CASCADE)
	}
	return x.ddlPlan("DROP " + objectWords[kind])
}

// missingName is how IF EXISTS's notice names an object of a kind that does not exist here.
func missingName(o *pg.Node, kind pg.ObjectType) (name, word string, ok bool) {
	switch kind {
	case pg.ObjectType_OBJECT_MATVIEW:
		names := stringList(o.GetList().GetItems())
		return names[len(names)-1], "materialized view", len(names) > 0
	case pg.ObjectType_OBJECT_TYPE, pg.ObjectType_OBJECT_DOMAIN:
		names := stringList(o.GetTypeName().GetNames())
		if len(names) == 0 || catalog.TypeByName(names[len(names)-1]) != nil {
			return "", "", false
		}
		return names[len(names)-1], "type", true
	case pg.ObjectType_OBJECT_EXTENSION:
		return o.GetString_().GetSval(), "extension", o.GetString_().GetSval() != "plpgsql"
	case pg.ObjectType_OBJECT_FOREIGN_TABLE:
		names := stringList(o.GetList().GetItems())
		return names[len(names)-1], "foreign table", len(names) > 0
	}
	return "", "", false
}

// dropWords names a kind in "… does not exist" and the hint of 42809.
var dropWords = map[catalog.RelKind][2]string{
	catalog.KindTable: {"table", "TABLE"}, catalog.KindView: {"view", "VIEW"}, catalog.KindSequence: {"sequence", "SEQUENCE"},
}

func (x *command) droppedRelation(objs []object, o *pg.Node, kind catalog.RelKind, missingOK bool) []object {
	rv := rangeVar(stringList(o.GetList().GetItems()))
	t := x.find(rv)
	word := dropWords[kind][0]
	if t == nil {
		if s := rv.GetSchemaname(); s != "" && !x.namespaceExists(s) {
			if !missingOK {
				x.fail(pgerror.New(pgerror.InvalidSchemaName, "schema \"%s\" does not exist", s))
			}
			x.skipMissing("schema", s)
			return objs
		}
		if i, _ := x.findIndexVar(rv); i != nil {
			x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a %s", rv.GetRelname(), word).
				WithHint("Use DROP INDEX to remove an index."))
		}
		if !missingOK {
			x.fail(pgerror.New(pgerror.UndefinedTable, "%s \"%s\" does not exist", word, rv.GetRelname()))
		}
		x.skipMissing(word, rv.GetRelname())
		return objs
	}
	x.modifiable(t)
	if t.Kind != kind {
		x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a %s", t.Name, word).
			WithHint("Use DROP %s to remove a %s.", dropWords[t.Kind][1], dropWords[t.Kind][0]))
	}
	if kind == catalog.KindSequence {
		x.checkOwnedByIdentity(t)
	}
	return append(objs, object{table: t})
}

// checkOwnedByIdentity refuses to drop the sequence of an identity column.
func (x *command) checkOwnedByIdentity(seq *catalog.Table) {
	owner := x.relationWithID(seq.Sequence.OwnerTable)
	if owner == nil {
		return
	}
	if col := columnByID(owner, seq.Sequence.OwnerColumn); col != nil && col.Identity != 0 && col.Sequence == seq.ID {
		what := x.describe(object{table: owner, column: col})
		x.fail(pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop %s because %s requires it", x.describe(object{table: seq}), what).
			WithHint("You can drop %s instead.", what))
	}
}

func (x *command) droppedIndex(objs []object, o *pg.Node, missingOK bool) []object {
	rv := rangeVar(stringList(o.GetList().GetItems()))
	i, t := x.findIndexVar(rv)
	if i == nil {
		if other := x.find(rv); other != nil {
			x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not an index", rv.GetRelname()).
				WithHint("Use DROP %s to remove a %s.", dropWords[other.Kind][1], dropWords[other.Kind][0]))
		}
		if !missingOK {
			x.fail(pgerror.New(pgerror.UndefinedObject, "index \"%s\" does not exist", rv.GetRelname()))
		}
		x.skipMissing("index", rv.GetRelname())
		return objs
	}
	x.modifiable(t)
	if c := x.constraintOf(t, i); c != nil {
		what := x.describe(object{table: t, con: c})
		x.fail(pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop %s because %s requires it", x.describe(object{table: t, index: i}), what).
			WithHint("You can drop %s instead.", what))
	}
	return append(objs, object{table: t, index: i})
}

func (x *command) droppedSchema(objs []object, o *pg.Node, missingOK bool) []object {
	name := o.GetString_().GetSval()
	if isSystemSchema(name) {
		x.fail(pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop schema %s because it is required by the database system", name))
	}
	ns := x.namespace(name)
	if ns == nil {
		if !missingOK {
			x.fail(pgerror.New(pgerror.InvalidSchemaName, "schema \"%s\" does not exist", name))
		}
		x.skipMissing("schema", name)
		return objs
	}
	return append(objs, object{namespace: ns})
}

// truncate is TRUNCATE.
func (x *command) truncate(n *pg.TruncateStmt) Plan {
	seen := map[catalog.ID]bool{}
	var list []*catalog.Table
	for _, r := range n.GetRelations() {
		t := x.relation(r.GetRangeVar())
		x.modifiable(t)
		if t.Kind != catalog.KindTable {
			x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a table", t.Name))
		}
		if !seen[t.ID] {
			seen[t.ID] = true
			list = append(list, t)
		}
	}
	for i := 0; i < len(list); i++ {
		for _, o := range x.all() {
			if seen[o.ID] {
				continue
			}
			for _, c := range o.Constraints {
				if c.Kind != catalog.ForeignKey || c.RefTable != list[i].ID {
					continue
				}
				if n.GetBehavior() != pg.DropBehavior_DROP_CASCADE {
					x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot truncate a table referenced in a foreign key constraint").
						WithDetail("Table \"%s\" references \"%s\".", o.Name, list[i].Name).
						WithHint("Truncate table \"%s\" at the same time, or use TRUNCATE ... CASCADE.", o.Name))
				}
				x.notice(pgerror.Notice("truncate cascades to table \"%s\"", o.Name))
				seen[o.ID] = true
				list = append(list, o)
				break
			}
		}
	}
	x.plan.Truncate = list
	if n.GetRestartSeqs() {
		for _, s := range x.all() {
			if s.Kind == catalog.KindSequence && seen[s.Sequence.OwnerTable] {
				x.plan.Restart = append(x.plan.Restart, SequenceRestart{Sequence: s.ID, Value: s.Sequence.Start})
			}
		}
	}
	return x.ddlPlan("TRUNCATE TABLE")
}
