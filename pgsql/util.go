package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// utility compiles statements that neither read rows nor change the schema. done is false if node is not one of them.
func (x *command) utility(node *pg.Node) (p Plan, done bool) {
	switch n := node.GetNode().(type) {
	case *pg.Node_VariableSetStmt:
		p = x.setVariable(n.VariableSetStmt)
	case *pg.Node_VariableShowStmt:
		p = &Show{Name: n.VariableShowStmt.GetName()}
	case *pg.Node_TransactionStmt:
		p = x.transaction(n.TransactionStmt)
	case *pg.Node_ConstraintsSetStmt:
		p = x.setConstraints(n.ConstraintsSetStmt)
	case *pg.Node_PrepareStmt:
		p = x.prepare(n.PrepareStmt)
	case *pg.Node_ExecuteStmt:
		p = x.execute(n.ExecuteStmt)
	case *pg.Node_DeallocateStmt:
		p = &Deallocate{Name: n.DeallocateStmt.GetName()}
	case *pg.Node_DeclareCursorStmt:
		p = x.declareCursor(n.DeclareCursorStmt)
	case *pg.Node_FetchStmt:
		p = x.fetch(n.FetchStmt)
	case *pg.Node_ClosePortalStmt:
		p = &CloseCursor{Name: n.ClosePortalStmt.GetPortalname()}
	case *pg.Node_ExplainStmt:
		p = x.explain(n.ExplainStmt)
	case *pg.Node_DiscardStmt:
		p = x.discard(n.DiscardStmt)
	case *pg.Node_LockStmt:
		p = x.lock(n.LockStmt)
	case *pg.Node_ListenStmt:
		p = &Listen{Channel: truncateName(n.ListenStmt.GetConditionname())}
	case *pg.Node_UnlistenStmt:
		p = &Unlisten{Channel: truncateName(n.UnlistenStmt.GetConditionname())}
	case *pg.Node_NotifyStmt:
		p = x.notify(n.NotifyStmt)
	case *pg.Node_VacuumStmt:
		p = x.vacuum(n.VacuumStmt)
	case *pg.Node_CheckPointStmt:
		p = &NoOp{Tag: "CHECKPOINT"}
	case *pg.Node_ReindexStmt:
		p = x.reindex(n.ReindexStmt)
	case *pg.Node_ClusterStmt:
		p = x.cluster(n.ClusterStmt)
	case *pg.Node_CopyStmt:
		p = x.copy(n.CopyStmt)
	default:
		return nil, false
	}
	return p, true
}

func (x *command) discard(n *pg.DiscardStmt) Plan {
	what := map[pg.DiscardMode]string{
		pg.DiscardMode_DISCARD_ALL: "ALL", pg.DiscardMode_DISCARD_PLANS: "PLANS",
		pg.DiscardMode_DISCARD_SEQUENCES: "SEQUENCES", pg.DiscardMode_DISCARD_TEMP: "TEMP",
	}[n.GetTarget()]
	if what == "" {
		x.unsupported(-1, "this DISCARD")
	}
	return &Discard{What: what}
}

// notify follows Async_Notify's limits.
func (x *command) notify(n *pg.NotifyStmt) Plan {
	if n.GetConditionname() == "" {
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "channel name cannot be empty"))
	}
	if len(n.GetConditionname()) > 63 {
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "channel name too long"))
	}
	if len(n.GetPayload()) >= 8000 {
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "payload string too long"))
	}
	return &Notify{Channel: n.GetConditionname(), Payload: n.GetPayload()}
}

var lockModes = [...]string{"", "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE",
	"SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"}

func (x *command) lock(n *pg.LockStmt) Plan {
	p := &LockTable{NoWait: n.GetNowait(), Mode: "ACCESS EXCLUSIVE"}
	if m := int(n.GetMode()); m > 0 && m < len(lockModes) {
		p.Mode = lockModes[m]
	}
	for _, r := range n.GetRelations() {
		t := x.relation(r.GetRangeVar())
		p.Tables = append(p.Tables, t)
	}
	return p
}

// vacuum checks what PostgreSQL checks of VACUUM and ANALYZE: options and names.
func (x *command) vacuum(n *pg.VacuumStmt) Plan {
	tag, known := "VACUUM", vacuumOptions
	if !n.GetIsVacuumcmd() {
		tag, known = "ANALYZE", analyzeOptions
	}
	analyze := !n.GetIsVacuumcmd()
	for _, o := range n.GetOptions() {
		d := o.GetDefElem()
		if d == nil {
			continue
		}
		if !known[d.GetDefname()] {
			x.failAt(d.GetLocation(), pgerror.SyntaxError, "unrecognized %s option \"%s\"", tag, d.GetDefname())
		}
		if d.GetDefname() == "analyze" {
			value, has := nodeText(d.GetArg())
			analyze = x.boolean(d, value, has)
		}
	}
	var tables []*catalog.Table
	for _, r := range n.GetRels() {
		v := r.GetVacuumRelation()
		t := x.relation(v.GetRelation())
		for _, name := range stringList(v.GetVaCols()) {
			if columnIndex(t, name) < 0 {
				x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, t.Name))
			}
		}
		tables = append(tables, t)
	}
	if !analyze {
		return &NoOp{Tag: tag}
	}
	if len(n.GetRels()) == 0 {
		tables = x.env.Schema.Relations
	}
	return &Analyze{Tables: slices.DeleteFunc(slices.Clone(tables), func(t *catalog.Table) bool { return t.System || t.Kind != catalog.KindTable }), Tag: tag}
}

var analyzeOptions = map[string]bool{"verbose": true, "skip_locked": true, "buffer_usage_limit": true}

var vacuumOptions = map[string]bool{"verbose": true, "skip_locked": true, "analyze": true, "freeze": true, "full": true,
	"disable_page_skipping": true, "index_cleanup": true, "process_main": true, "process_toast": true, "truncate": true,
	"parallel": true, "skip_database_stats": true, "only_database_stats": true, "buffer_usage_limit": true}

func (x *command) reindex(n *pg.ReindexStmt) Plan {
	switch n.GetKind() {
	case pg.ReindexObjectType_REINDEX_OBJECT_INDEX:
		x.index(n.GetRelation())
	case pg.ReindexObjectType_REINDEX_OBJECT_TABLE:
		x.relation(n.GetRelation())
	case pg.ReindexObjectType_REINDEX_OBJECT_SCHEMA:
		if !x.namespaceExists(n.GetName()) {
			x.fail(pgerror.New(pgerror.InvalidSchemaName, "schema \"%s\" does not exist", n.GetName()))
		}
	default:
		if n.GetName() != "" && n.GetName() != x.env.Database {
			x.fail(pgerror.New(pgerror.FeatureNotSupported, "can only reindex the currently open database"))
		}
	}
	return &NoOp{Tag: "REINDEX"}
}

func (x *command) cluster(n *pg.ClusterStmt) Plan {
	if n.GetRelation() != nil {
		t := x.relation(n.GetRelation())
		if name := n.GetIndexname(); name != "" && findIndex(t, name) == nil {
			x.fail(pgerror.New(pgerror.UndefinedObject, "index \"%s\" for table \"%s\" does not exist", name, t.Name))
		}
	}
	return &NoOp{Tag: "CLUSTER"}
}
