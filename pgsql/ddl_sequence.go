package pgsql

import (
	"math"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

func (x *command) createSequence(n *pg.CreateSeqStmt) Plan {
	rv := n.GetSequence()
	ns := x.creationSchema(rv)
	name := truncateName(rv.GetRelname())
	if x.nameTaken(ns.Name, name) {
		x.existing(n.GetIfNotExists(), "relation \"%s\" already exists", name, pgerror.DuplicateTable)
		return x.ddlPlan("CREATE SEQUENCE")
	}
	seq := x.makeSequence(ns.Name, name, catalog.SeqDef{}, n.GetOptions(), false)
	if owner := optionNamed(n.GetOptions(), "owned_by"); owner != nil {
		x.setSequenceOwner(seq, owner)
	}
	return x.ddlPlan("CREATE SEQUENCE")
}

// ownedSequence makes the sequence of a serial or identity column.
func (x *command) ownedSequence(t *catalog.Table, col *catalog.Column, options []*pg.Node) *catalog.Table {
	schema, name := t.Schema, ""
	if d := optionNamed(options, "sequence_name"); d != nil {
		names := stringList(d.GetArg().GetList().GetItems())
		if len(names) > 1 {
			schema = names[len(names)-2]
		}
		name = names[len(names)-1]
		if x.nameTaken(schema, name) {
			x.fail(pgerror.New(pgerror.DuplicateTable, "relation \"%s\" already exists", name))
		}
	} else {
		name = x.chooseRelationName(schema, t.Name, col.Name, "seq", false)
	}
	return x.makeSequence(schema, name, catalog.SeqDef{Type: col.Type, OwnerTable: t.ID, OwnerColumn: col.ID}, options, true)
}

// makeSequence makes a sequence and its object row.
func (x *command) makeSequence(schema, name string, def catalog.SeqDef, options []*pg.Node, forColumn bool) *catalog.Table {
	if def.Type == 0 {
		def.Type = catalog.Int8OID
	}
	x.sequenceOptions(&def, options, true, forColumn)
	seq := &catalog.Table{ID: x.env.NewID(), Schema: schema, Name: name, Kind: catalog.KindSequence, Owner: x.env.User, Sequence: def}
	x.tables[seq.ID] = seq
	x.created = append(x.created, seq)
	x.create(seq.ID, catalog.ObjectSequence, map[catalog.Attr]catalog.Value{
		catalog.AttrParent: x.namespaceID(schema).Value(), catalog.AttrName: catalog.Str(name), catalog.AttrOwner: catalog.Str(seq.Owner),
		catalog.AttrType: catalog.Int(int64(def.Type)), catalog.AttrDef: sequenceDef(def),
	})
	return seq
}

func sequenceDef(d catalog.SeqDef) catalog.Value {
	return catalog.EncodeDef(catalog.SequenceDef{Start: d.Start, Increment: d.Increment, Min: d.Min, Max: d.Max, Cache: d.Cache,
		Cycle: d.Cycle, OwnerTable: d.OwnerTable, OwnerColumn: d.OwnerColumn})
}

func optionNamed(options []*pg.Node, name string) *pg.DefElem {
	for _, o := range options {
		if d := o.GetDefElem(); d.GetDefname() == name {
			return d
		}
	}
	return nil
}

// sequenceLimits are the bounds of a sequence type.
func sequenceLimits(typ uint32) (lo, hi int64) {
	switch typ {
	case catalog.Int2OID:
		return math.MinInt16, math.MaxInt16
	case catalog.Int4OID:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// sequenceOptions applies options to a definition (init_params). fresh: CREATE; restart is returned for RESTART.
func (x *command) sequenceOptions(def *catalog.SeqDef, options []*pg.Node, fresh, forColumn bool) (restart *int64) {
	given := map[string]*pg.DefElem{}
	for _, o := range options {
		d := o.GetDefElem()
		if d == nil {
			continue
		}
		if given[d.GetDefname()] != nil {
			x.failAt(d.GetLocation(), pgerror.SyntaxError, "conflicting or redundant options")
		}
		given[d.GetDefname()] = d
	}
	number := func(name string) (int64, bool) {
		d := given[name]
		if d == nil || d.GetArg() == nil {
			return 0, false
		}
		s, _ := nodeText(d.GetArg())
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			x.failAt(d.GetLocation(), pgerror.NumericValueOutOfRange, "value \"%s\" is out of range for type bigint", s)
		}
		return v, true
	}
	oldType := def.Type
	resetMin, resetMax := false, false
	if d := given["as"]; d != nil {
		typ, _ := x.typeName(d.GetArg().GetTypeName())
		if !isIntegerType(typ) {
			if forColumn {
				x.fail(pgerror.New(pgerror.InvalidParameterValue, "identity column type must be smallint, integer, or bigint"))
			}
			x.fail(pgerror.New(pgerror.InvalidParameterValue, "sequence type must be smallint, integer, or bigint"))
		}
		if !fresh {
			lo, hi := sequenceLimits(oldType)
			resetMax = def.Max == hi
			resetMin = def.Min == lo
		}
		def.Type = typ
	}
	if v, ok := number("increment"); ok {
		if v == 0 {
			x.fail(pgerror.New(pgerror.InvalidParameterValue, "INCREMENT must not be zero"))
		}
		def.Increment = v
	} else if fresh {
		def.Increment = 1
	}
	lo, hi := sequenceLimits(def.Type)
	if v, ok := number("maxvalue"); ok {
		def.Max = v
	} else if fresh || given["maxvalue"] != nil || resetMax {
		def.Max = hi
		if def.Increment < 0 {
			def.Max = -1
		}
	}
	if v, ok := number("minvalue"); ok {
		def.Min = v
	} else if fresh || given["minvalue"] != nil || resetMin {
		def.Min = 1
		if def.Increment < 0 {
			def.Min = lo
		}
	}
	typeName := catalog.FormatTypeName(def.Type)
	switch {
	case def.Max < lo || def.Max > hi:
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "MAXVALUE (%d) is out of range for sequence data type %s", def.Max, typeName))
	case def.Min < lo || def.Min > hi:
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "MINVALUE (%d) is out of range for sequence data type %s", def.Min, typeName))
	case def.Min >= def.Max:
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "MINVALUE (%d) must be less than MAXVALUE (%d)", def.Min, def.Max))
	}
	if v, ok := number("start"); ok {
		def.Start = v
	} else if fresh {
		def.Start = def.Min
		if def.Increment < 0 {
			def.Start = def.Max
		}
	}
	if def.Start < def.Min {
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "START value (%d) cannot be less than MINVALUE (%d)", def.Start, def.Min))
	}
	if def.Start > def.Max {
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "START value (%d) cannot be greater than MAXVALUE (%d)", def.Start, def.Max))
	}
	if v, ok := number("cache"); ok {
		if v <= 0 {
			x.fail(pgerror.New(pgerror.InvalidParameterValue, "CACHE (%d) must be greater than zero", v))
		}
		def.Cache = v
	} else if fresh {
		def.Cache = 1
	}
	if d := given["cycle"]; d != nil {
		def.Cycle = d.GetArg().GetBoolean().GetBoolval()
	}
	if d := given["restart"]; d != nil {
		v, ok := number("restart")
		if !ok {
			v = def.Start
		}
		if v < def.Min {
			x.fail(pgerror.New(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be less than MINVALUE (%d)", v, def.Min))
		}
		if v > def.Max {
			x.fail(pgerror.New(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be greater than MAXVALUE (%d)", v, def.Max))
		}
		restart = &v
	}
	for name, d := range given {
		switch name {
		case "as", "increment", "maxvalue", "minvalue", "start", "cache", "cycle", "restart", "owned_by", "sequence_name":
		default:
			x.unsupported(d.GetLocation(), "sequence option \"%s\"", name)
		}
	}
	return restart
}

// sequence finds a sequence by name.
func (x *command) sequence(rv *pg.RangeVar) *catalog.Table {
	t := x.relation(rv)
	if t.Kind != catalog.KindSequence {
		x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a sequence", t.Name))
	}
	return x.edit(t)
}

func (x *command) alterSequence(n *pg.AlterSeqStmt) Plan {
	if n.GetMissingOk() && x.find(n.GetSequence()) == nil {
		x.skipMissing("relation", relationName(n.GetSequence()))
		return x.ddlPlan("ALTER SEQUENCE")
	}
	seq := x.sequence(n.GetSequence())
	x.changeSequence(seq, n.GetOptions(), false)
	if owner := optionNamed(n.GetOptions(), "owned_by"); owner != nil {
		x.setSequenceOwner(seq, owner)
	}
	return x.ddlPlan("ALTER SEQUENCE")
}

// changeSequence applies options to a sequence that exists.
func (x *command) changeSequence(seq *catalog.Table, options []*pg.Node, forColumn bool) {
	before := seq.Sequence
	restart := x.sequenceOptions(&seq.Sequence, options, false, forColumn)
	if seq.Sequence.Type != before.Type {
		x.set(seq.ID, map[catalog.Attr]catalog.Value{catalog.AttrType: catalog.Int(int64(seq.Sequence.Type))})
	}
	if seq.Sequence != before {
		x.set(seq.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: sequenceDef(seq.Sequence)})
	}
	if restart != nil {
		x.plan.Restart = append(x.plan.Restart, SequenceRestart{Sequence: seq.ID, Value: *restart})
	}
}

// setSequenceOwner is OWNED BY.
func (x *command) setSequenceOwner(seq *catalog.Table, d *pg.DefElem) {
	names := stringList(d.GetArg().GetList().GetItems())
	if len(names) == 1 {
		if names[0] != "none" {
			x.failAt(d.GetLocation(), pgerror.SyntaxError, "invalid OWNED BY option")
		}
		seq.Sequence.OwnerTable, seq.Sequence.OwnerColumn = catalog.ID{}, catalog.ID{}
	} else {
		t := x.relation(rangeVar(names[:len(names)-1]))
		if t.Kind != catalog.KindTable {
			x.fail(pgerror.New(pgerror.WrongObjectType, "sequence cannot be owned by relation \"%s\"", t.Name))
		}
		if t.Schema != seq.Schema {
			x.fail(pgerror.New(pgerror.ObjectNotInPrerequisiteState, "sequence must be in same schema as table it is linked to"))
		}
		col := findColumn(t, names[len(names)-1])
		if col == nil {
			x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", names[len(names)-1], t.Name))
		}
		seq.Sequence.OwnerTable, seq.Sequence.OwnerColumn = t.ID, col.ID
	}
	x.set(seq.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: sequenceDef(seq.Sequence)})
}

// skipMissing is IF EXISTS's notice.
func (x *command) skipMissing(kind, name string) {
	x.notice(pgerror.Notice("%s \"%s\" does not exist, skipping", kind, name))
}
