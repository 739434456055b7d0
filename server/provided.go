package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
)

// providedRow is a row of a provided relation, by column name; columns left out are NULL.
type providedRow map[string]catalog.Value

// provided makes the rows of a provided relation up, as a row set.
func (s *session) provided(ctx context.Context, name string) ([]byte, error) {
	if oid, ok := strings.CutPrefix(name, "sequence:"); ok {
		return s.sequenceRow(oid)
	}
	schema, rel := "pg_catalog", name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		schema, rel = name[:i], name[i+1:]
	}
	t := s.schema().Relation(schema, rel)
	if t == nil && schema == "pg_catalog" {
		t = s.schema().Relation("layercake", rel)
	}
	if t == nil {
		return nil, fmt.Errorf("server: no provided relation %q", name)
	}
	if rows := catalog.ZoneRows(t.Name, micros(s.stmtStart)); rows != nil && t.Schema == "pg_catalog" {
		var data []byte
		for _, r := range rows {
			data = catalog.AppendRow(data, r)
		}
		return data, nil
	}
	rows, err := s.providedRows(ctx, t)
	if err != nil {
		return nil, err
	}
	data := []byte{}
	for _, r := range rows {
		for _, c := range t.Columns {
			data = catalog.AppendValue(data, r[c.Name])
		}
	}
	return data, nil
}

// sequenceRow is what SELECT … FROM a sequence shows: last_value, log_cnt, is_called, as this node knows it.
func (s *session) sequenceRow(oid string) ([]byte, error) {
	n, err := strconv.ParseUint(oid, 10, 32)
	if err != nil {
		return nil, err
	}
	last, called, err := s.funcs.SequenceLastValue(uint32(n))
	if err != nil {
		return nil, err
	}
	if !called {
		t, err := s.funcs.sequence(uint32(n))
		if err != nil {
			return nil, err
		}
		last = t.Sequence.Start
	}
	return catalog.AppendRow(nil, []catalog.Value{catalog.Int(last), catalog.Int(0), catalog.Bool(called)}), nil
}

func (s *session) providedRows(ctx context.Context, t *catalog.Table) ([]providedRow, error) {
	text, num := catalog.Str, catalog.Int
	var out []providedRow
	switch t.Schema + "." + t.Name {
	case "pg_catalog.pg_settings":
		for _, r := range s.settings.rows() {
			v, _ := s.showSetting(r.name)
			ctxName := "user"
			if r.readOnly {
				ctxName = "internal"
			}
			out = append(out, providedRow{"name": text(r.name), "setting": text(r.inUnit(v)), "unit": orNull(r.unit), "category": text("layercake"),
				"short_desc": text(r.desc), "context": text(ctxName), "vartype": text(r.vartype), "source": text(r.source),
				"boot_val": text(r.inUnit(r.setting.value)), "reset_val": text(r.inUnit(r.reset)), "pending_restart": catalog.Bool(false)})
		}
	case "layercake.settings":
		for _, r := range s.settings.rows() {
			v, _ := s.showSetting(r.name)
			out = append(out, providedRow{"name": text(r.name), "value": text(v), "source": text(r.source)})
		}
	case "pg_catalog.pg_stat_activity":
		return s.node.activityRows(s), nil
	case "pg_catalog.pg_prepared_statements":
		for _, p := range s.statements {
			if p.name == "" {
				continue
			}
			types := []catalog.Value{}
			if p.plan != nil {
				for _, o := range p.plan.params {
					types = append(types, num(int64(o)))
				}
			}
			out = append(out, providedRow{"name": text(p.name), "statement": text(p.query), "prepare_time": num(micros(p.created)),
				"parameter_types": catalog.EncodeArray(catalog.RegtypeOID, nil, types), "from_sql": catalog.Bool(p.sql),
				"generic_plans": num(0), "custom_plans": num(0)})
		}
	case "pg_catalog.pg_cursors":
		for _, p := range s.portals {
			q := ""
			if p.stmt != nil {
				q = p.stmt.query
			}
			out = append(out, providedRow{"name": text(p.name), "statement": text(q), "is_holdable": catalog.Bool(p.hold),
				"is_binary": catalog.Bool(len(p.formats) > 0 && p.formats[0] == 1), "is_scrollable": catalog.Bool(p.scroll), "creation_time": num(micros(p.created))})
		}
	case "pg_catalog.pg_locks":
		return s.node.locks.rows(), nil
	case "layercake.nodes":
		return s.node.memberRows(), nil
	case "layercake.replication":
		return s.node.streamRows(), nil
	case "layercake.tombstones":
		for _, ts := range s.node.store.Tombstones() {
			out = append(out, providedRow{"relation": text(s.relationName(ts.Table)), "count": num(ts.Count),
				"oldest": num(micros(hlcTime(ts.Oldest)))})
		}
	case "layercake.conflicts":
		return s.conflictRows()
	case "layercake.digests":
		rows, err := fetch(&s.funcs, "digests", s.node.digests)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out = append(out, providedRow{"node": text(r.Node), "relation": text(r.Relation), "rows": num(r.Rows), "digest": text(r.Digest)})
		}
	case "layercake.backup":
		return nil, pgerror.New(pgerror.FeatureNotSupported, "a backup cannot be queried").
			WithHint("Use layercake backup FILE, or COPY layercake.backup TO STDOUT (FORMAT binary).")
	default:
		return nil, pgerror.New(pgerror.FeatureNotSupported, "the relation %s.%s is not supported", t.Schema, t.Name)
	}
	return out, nil
}

func orNull(s string) catalog.Value {
	if s == "" {
		return catalog.Value{}
	}
	return catalog.Str(s)
}

func hlcTime(h crdt.HLC) time.Time { return time.UnixMilli(int64(h >> 16)) }

func (s *session) relationName(id catalog.ID) string { return relationName(s.schema(), id) }

func relationName(sch *catalog.Schema, id catalog.ID) string {
	if id == catalog.ObjectKeyspace {
		return "layercake.objects"
	}
	t := sch.RelationByID(id)
	if t == nil {
		return fmt.Sprintf("dropped %016x%016x", id.HLC, id.Node)
	}
	return catalog.QuoteIdent(t.Schema) + "." + catalog.QuoteIdent(t.Name)
}

// activityRows is pg_stat_activity.
func (n *Node) activityRows(of *session) []providedRow {
	n.sessions.mu.Lock()
	defer n.sessions.mu.Unlock()
	var out []providedRow
	for s := range n.sessions.all {
		state, query, app, since := s.activity.get()
		if s == of { // it may have changed in this very message
			app = s.settings.must("application_name")
		}
		r := providedRow{"pid": catalog.Int(int64(s.info.PID)), "datname": catalog.Str(s.database), "usename": catalog.Str(s.info.User),
			"backend_start": catalog.Int(micros(s.started)), "state": catalog.Str(state), "query": catalog.Str(query),
			"application_name": catalog.Str(app), "backend_type": catalog.Str("client backend")}
		if !since.IsZero() {
			r["query_start"], r["state_change"] = catalog.Int(micros(since)), catalog.Int(micros(since))
		}
		if s == of {
			r["application_name"] = catalog.Str(s.settings.must("application_name"))
		}
		out = append(out, r)
	}
	return out
}

// rows is pg_locks: what is held and waited for, and by whom.
func (lt *lockTable) rows() []providedRow {
	lt.mu.Lock()
	defer lt.mu.Unlock()
	var out []providedRow
	for k, l := range lt.locks {
		typ := "relation"
		if k.key != "" {
			typ = map[byte]string{'r': "tuple", 'p': "tuple", 'k': "tuple", 'a': "advisory", 'A': "advisory"}[k.key[0]]
		}
		for i, users := range []lockUsers{l.holders, l.waiters} {
			for _, u := range users {
				mode := "ShareLock"
				if u.exclusive {
					mode = "ExclusiveLock"
				}
				out = append(out, providedRow{"locktype": catalog.Str(typ), "pid": catalog.Int(int64(u.owner.pid)), "mode": catalog.Str(mode),
					"granted": catalog.Bool(i == 0), "fastpath": catalog.Bool(false)})
			}
		}
	}
	return out
}

func (n *Node) memberRows() []providedRow {
	var out []providedRow
	ms := func(d time.Duration) catalog.Value { return catalog.Float(float64(d.Microseconds()) / 1000) }
	for _, m := range n.repl.Members() {
		r := providedRow{"name": catalog.Str(m.Name), "id": catalog.Str(fmt.Sprintf("%016x", uint64(m.ID))), "dc": catalog.Str(m.DC),
			"state": catalog.Str(m.State), "is_self": catalog.Bool(m.Self), "pg_addr": catalog.Str(m.PGAddr), "rpc_addr": catalog.Str(m.RPCAddr)}
		applied := m.Applied
		if m.Self {
			applied = n.store.Vector()
		} else if m.State == "alive" {
			r["rtt_ms"], r["clock_offset_ms"] = ms(m.RTT), ms(m.ClockOffset)
		}
		var sum uint64
		for _, v := range applied {
			sum += v
		}
		r["applied"] = catalog.Int(int64(sum))
		out = append(out, r)
	}
	return out
}

func (n *Node) streamRows() []providedRow {
	names := map[crdt.NodeID]string{}
	for _, m := range n.repl.Members() {
		names[m.ID] = m.Name
	}
	var out []providedRow
	for _, st := range n.repl.Streams() {
		origin := names[st.Origin.Node]
		if origin == "" {
			origin = fmt.Sprintf("%016x", uint64(st.Origin.Node))
		}
		origin = fmt.Sprintf("%s/%x.%x", origin, uint64(st.Origin.Epoch.First), st.Origin.Epoch.Random)
		if st.Origin == (crdt.Origin{}) {
			origin = "snapshot"
		}
		out = append(out, providedRow{"peer": catalog.Str(st.PeerName), "origin": catalog.Str(origin),
			"sent": catalog.Int(int64(st.Sent)), "acked": catalog.Int(int64(st.Acked)), "lag_entries": catalog.Int(int64(st.LagEntries)),
			"lag_ms": catalog.Float(float64(st.Lag.Microseconds()) / 1000), "state": catalog.Str(st.State)})
	}
	return out
}
