package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// Options of LIKE, as the grammar gives them (parsenodes.h, CREATE_TABLE_LIKE_…).
const (
	likeComments    = 1 << 0
	likeConstraints = 1 << 2
	likeDefaults    = 1 << 3
	likeGenerated   = 1 << 4
	likeIdentity    = 1 << 5
	likeIndexes     = 1 << 6
)

// addLike copies columns for LIKE; what else INCLUDING names follows in finishLike.
func (x *command) addLike(cr *creation, n *pg.TableLikeClause) {
	src := x.find(n.GetRelation())
	if src == nil || src == cr.t {
		x.failAt(n.GetRelation().GetLocation(), pgerror.UndefinedTable, "relation \"%s\" does not exist", relationName(n.GetRelation()))
	}
	if src.Kind != catalog.KindTable && src.Kind != catalog.KindView {
		x.failAt(n.GetRelation().GetLocation(), pgerror.WrongObjectType, "relation \"%s\" is invalid in LIKE clause", src.Name)
	}
	o := n.GetOptions()
	for _, c := range src.Columns {
		x.checkNewColumn(cr.t, c.Name)
		col := &catalog.Column{ID: x.env.NewID(), Num: nextNum(cr.t), Name: c.Name, Type: c.Type, Typmod: c.Typmod, NotNull: c.NotNull, Phys: "new" + c.Name}
		if o&likeDefaults != 0 && !c.Generated {
			col.Default = c.Default
		}
		if o&likeGenerated != 0 && c.Generated {
			col.Default, col.Generated = c.Default, true
		}
		if o&likeComments != 0 {
			col.Comment = c.Comment
		}
		cr.t.Columns = append(cr.t.Columns, col)
		if o&likeIdentity != 0 && c.Identity != 0 {
			def := catalog.SeqDef{Type: c.Type}
			if s := x.relationWithID(c.Sequence); s != nil {
				def = s.Sequence
			}
			seq := x.ownedSequence(cr.t, col, nil)
			def.OwnerTable, def.OwnerColumn = seq.Sequence.OwnerTable, seq.Sequence.OwnerColumn
			seq.Sequence = def
			x.set(seq.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: sequenceDef(def), catalog.AttrType: catalog.Int(int64(def.Type))})
			col.Identity, col.Sequence = c.Identity, seq.ID
		}
		x.createColumnRow(cr.t, col, catalog.Value{})
		if col.Comment != "" {
			x.set(col.ID, map[catalog.Attr]catalog.Value{catalog.AttrComment: catalog.Str(col.Comment)})
		}
	}
	cr.like = append(cr.like, likeClause{source: src, options: o})
}

// finishLike copies constraints and indexes.
func (x *command) finishLike(cr *creation, l likeClause) {
	t, src := cr.t, l.source
	ids := func(list []catalog.ID) []catalog.ID {
		var out []catalog.ID
		for _, name := range namesOfColumns(src, list) {
			out = append(out, findColumn(t, name).ID)
		}
		return out
	}
	if l.options&likeConstraints != 0 {
		for _, c := range src.Constraints {
			if c.Kind != catalog.Check || findConstraint(t, c.Name) != nil {
				continue
			}
			x.createConstraint(t, &catalog.Constraint{ID: x.env.NewID(), Kind: catalog.Check, Name: c.Name, Expr: c.Expr, Columns: ids(c.Columns)})
		}
	}
	if l.options&likeIndexes == 0 {
		return
	}
	for _, i := range src.Indexes {
		idx := *i
		idx.ID, idx.Table, idx.Phys, idx.PhysKeys, idx.PhysWhere = x.env.NewID(), t.ID, "", nil, ""
		idx.Keys = slices.Clone(i.Keys)
		var names []string
		exprNames := make([]string, len(idx.Keys))
		for k := range idx.Keys {
			if col := columnByID(src, idx.Keys[k].Column); col != nil {
				idx.Keys[k].Column = findColumn(t, col.Name).ID
			} else if n, err := parseExpr(idx.Keys[k].Expr); err == nil {
				exprNames[k], _ = figure(n)
			}
		}
		idx.Include = ids(i.Include)
		names = append(indexColumnNames(t, idx.Keys, exprNames), namesOfColumns(src, i.Include)...)
		con := x.constraintOf(src, i)
		switch {
		case con == nil:
			idx.Name = x.chooseRelationName(t.Schema, t.Name, joinedColumns(names), "idx", false)
		case con.Kind == catalog.PrimaryKey:
			if primaryKey(t) != nil {
				x.fail(pgerror.New(pgerror.InvalidTableDefinition, "multiple primary keys for table \"%s\" are not allowed", t.Name))
			}
			idx.Name = x.chooseRelationName(t.Schema, t.Name, "", "pkey", true)
		default:
			idx.Name = x.chooseRelationName(t.Schema, t.Name, joinedColumns(names), "key", true)
		}
		x.createIndexRow(t, &idx)
		if con != nil {
			x.createConstraint(t, &catalog.Constraint{ID: x.env.NewID(), Kind: con.Kind, Name: idx.Name, Columns: ids(con.Columns), Index: &idx})
		}
	}
}
