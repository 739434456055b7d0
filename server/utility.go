package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/pgwire"
)

// mayVacuum refuses VACUUM, though not ANALYZE, in a transaction.
func (s *session) mayVacuum(tag string) error {
	if tag == "VACUUM" && s.tran != nil {
		return pgerror.New(pgerror.ActiveSQLTransaction, "VACUUM cannot run inside a transaction block")
	}
	return nil
}

// runUtility runs the statements that are neither queries nor changes.
func (s *session) runUtility(ctx context.Context, c *compiled, st *pgsql.Statement, out sink) (string, error) {
	switch p := c.plan.(type) {
	case *pgsql.Transaction:
		return s.runTransaction(ctx, p)
	case *pgsql.Set:
		return s.runSet(ctx, p)
	case *pgsql.Show:
		return "SHOW", s.runShow(p, c, out)
	case *pgsql.Prepare:
		return "PREPARE", s.prepare(ctx, p)
	case *pgsql.Execute:
		return s.runExecute(ctx, p, out)
	case *pgsql.Deallocate:
		return s.deallocate(p)
	case *pgsql.DeclareCursor:
		return "DECLARE CURSOR", s.declare(ctx, p, st)
	case *pgsql.Fetch:
		return s.fetch(p, c, out)
	case *pgsql.CloseCursor:
		return s.closeCursor(p)
	case *pgsql.Explain:
		return "EXPLAIN", s.explain(ctx, p, c, st, out)
	case *pgsql.NoOp:
		return p.Tag, s.mayVacuum(p.Tag)
	case *pgsql.Analyze:
		if err := s.mayVacuum(p.Tag); err != nil {
			return "", err
		}
		ids := make([]catalog.ID, len(p.Tables))
		for i, t := range p.Tables {
			ids[i] = t.ID
		}
		return p.Tag, s.node.store.Analyze(ctx, ids)
	case *pgsql.Discard:
		return s.discard(p)
	case *pgsql.LockTable:
		return "LOCK TABLE", s.lockTables(ctx, p)
	case *pgsql.SetConstraints:
		if s.tran == nil {
			s.notice(pgerror.Warning(pgerror.NoActiveSQLTransaction, "SET CONSTRAINTS can only be used in transaction blocks"))
			return "SET CONSTRAINTS", nil
		}
		return "SET CONSTRAINTS", s.setConstraints(ctx, p)
	case *pgsql.Notify:
		s.notify(p)
		return "NOTIFY", nil
	case *pgsql.Listen:
		s.listening[p.Channel] = true
		s.node.sessions.listen(s, p.Channel)
		return "LISTEN", nil
	case *pgsql.Unlisten:
		s.unlisten(p.Channel)
		return "UNLISTEN", nil
	}
	return "", fmt.Errorf("server: no way to run a %T", c.plan)
}

func (s *session) runTransaction(ctx context.Context, p *pgsql.Transaction) (string, error) {
	noTransaction := func() {
		s.notice(pgerror.Warning(pgerror.NoActiveSQLTransaction, "there is no transaction in progress"))
	}
	needBlock := func(what string) error {
		if s.tran == nil || !s.tran.explicit {
			return pgerror.New(pgerror.NoActiveSQLTransaction, "%s can only be used in transaction blocks", what)
		}
		return nil
	}
	switch p.Kind {
	case pgsql.Begin:
		return "BEGIN", s.begin(p)
	case pgsql.Commit:
		t := s.tran
		if t == nil || !t.explicit {
			if p.Chain {
				return "", needBlock("COMMIT AND CHAIN")
			}
			noTransaction()
			if t == nil {
				return "COMMIT", nil
			}
		}
		tag := "COMMIT"
		if t.failed {
			tag = "ROLLBACK"
		}
		if err := s.commit(ctx); err != nil {
			return "", err
		}
		s.chain(p, t)
		return tag, nil
	case pgsql.Rollback:
		t := s.tran
		if t == nil || !t.explicit {
			if p.Chain {
				return "", needBlock("ROLLBACK AND CHAIN")
			}
			noTransaction()
		}
		s.rollback()
		s.reportSettings()
		s.chain(p, t)
		return "ROLLBACK", nil
	case pgsql.Savepoint:
		if err := needBlock("SAVEPOINT"); err != nil {
			return "", err
		}
		s.savepoint(p.Name)
		return "SAVEPOINT", nil
	case pgsql.Release:
		if err := needBlock("RELEASE SAVEPOINT"); err != nil {
			return "", err
		}
		i, err := s.tran.find(p.Name)
		if err != nil {
			return "", err
		}
		s.tran.savepoints = s.tran.savepoints[:i]
		return "RELEASE", nil
	case pgsql.RollbackTo:
		if err := needBlock("ROLLBACK TO SAVEPOINT"); err != nil {
			return "", err
		}
		return "ROLLBACK", s.rollbackTo(p.Name)
	case pgsql.SetTransaction:
		if s.tran == nil {
			s.notice(pgerror.Warning(pgerror.NoActiveSQLTransaction, "SET TRANSACTION can only be used in transaction blocks"))
			return "SET", nil
		}
		return "SET", s.setTransaction(p)
	case pgsql.SetSessionTransaction:
		set := func(name, v string) error { return s.settings.set(name, &v, false) }
		if p.Isolation != "" {
			if err := set("default_transaction_isolation", p.Isolation); err != nil {
				return "", err
			}
		}
		if p.ReadOnly != nil {
			if err := set("default_transaction_read_only", strconv.FormatBool(*p.ReadOnly)); err != nil {
				return "", err
			}
		}
		s.reportSettings()
		return "SET", nil
	}
	return "", fmt.Errorf("server: unknown transaction statement %d", p.Kind)
}

// chain opens the next transaction of COMMIT or ROLLBACK AND CHAIN, with the modes of the last.
func (s *session) chain(p *pgsql.Transaction, last *transaction) {
	if p.Chain && last != nil {
		s.tran = s.newTransaction(true)
		s.tran.isolation, s.tran.readOnly = last.isolation, last.readOnly
	}
}

func (s *session) runSet(ctx context.Context, p *pgsql.Set) (string, error) {
	tag := "SET"
	if p.Reset {
		tag = "RESET"
	}
	if p.Name == "" {
		if err := s.settings.resetAll(); err != nil {
			return "", err
		}
		s.user = s.info.User
		s.reportSettings()
		return tag, nil
	}
	if p.Local && (s.tran == nil || !s.tran.explicit) {
		s.notice(pgerror.Warning(pgerror.NoActiveSQLTransaction, "SET LOCAL can only be used in transaction blocks"))
	}
	var value *string
	if p.Values != nil {
		v := strings.Join(p.Values, ", ")
		if strings.EqualFold(p.Name, "search_path") {
			quoted := make([]string, len(p.Values))
			for i, w := range p.Values {
				quoted[i] = catalog.QuoteIdent(w)
			}
			v = strings.Join(quoted, ", ")
		}
		value = &v
	}
	if value != nil && strings.EqualFold(p.Name, causalToken) {
		if err := s.awaitToken(ctx, *value); err != nil {
			return "", err
		}
	}
	if err := s.setSetting(p.Name, value, p.Local); err != nil {
		return "", err
	}
	s.reportSettings()
	return tag, nil
}

// setSetting is SET: the settings that are more than a value are dealt with here.
func (s *session) setSetting(name string, value *string, local bool) error {
	switch strings.ToLower(name) {
	case "role", "session_authorization":
		role := s.info.User
		if value != nil && !strings.EqualFold(*value, "none") && !strings.EqualFold(*value, "default") {
			role = *value
		}
		if err := s.maySetRole(role); err != nil {
			return err
		}
		s.user = role
		if strings.EqualFold(name, "session_authorization") {
			return nil
		}
	case "transaction_isolation", "transaction_read_only":
		if s.tran == nil || value == nil {
			return nil
		}
		d, _ := lookupSetting(name)
		v, err := d.normalize(*value)
		if err != nil {
			return err
		}
		if strings.EqualFold(name, "transaction_isolation") {
			return s.setTransaction(&pgsql.Transaction{Isolation: v})
		}
		ro := v == "on"
		return s.setTransaction(&pgsql.Transaction{ReadOnly: &ro})
	}
	return s.settings.set(name, value, local && s.tran != nil)
}

// maySetRole says whether the session's user may become role: itself, a role it is a member of, or any, for a superuser.
func (s *session) maySetRole(role string) error {
	sch := s.schema()
	want := sch.Role(role)
	if want == nil {
		if role == s.info.User {
			return nil // --insecure lets in users that have no role
		}
		return pgerror.New(pgerror.InvalidParameterValue, "role \"%s\" does not exist", role)
	}
	me := sch.Role(s.info.User)
	if role == s.info.User || s.isSuperuser(s.info.User) {
		return nil
	}
	if me != nil && memberOf(sch, me, want.ID, map[catalog.ID]bool{}) {
		return nil
	}
	return pgerror.New(pgerror.InsufficientPrivilege, "permission denied to set role \"%s\"", role)
}

func memberOf(sch *catalog.Schema, r *catalog.Role, id catalog.ID, seen map[catalog.ID]bool) bool {
	for _, m := range r.MemberOf {
		if m == id {
			return true
		}
		if seen[m] {
			continue
		}
		seen[m] = true
		for _, q := range sch.Roles {
			if q.ID == m && memberOf(sch, q, id, seen) {
				return true
			}
		}
	}
	return false
}

func (s *session) runShow(p *pgsql.Show, c *compiled, out sink) error {
	if err := out.columns(c.cols); err != nil {
		return err
	}
	if strings.EqualFold(p.Name, "all") {
		for _, r := range s.settings.rows() {
			v, _ := s.showSetting(r.name)
			if err := out.row([]catalog.Value{catalog.Str(r.name), catalog.Str(v), catalog.Str(r.desc)}); err != nil {
				return err
			}
		}
		return nil
	}
	v, ok := s.showSetting(p.Name)
	if !ok {
		return pgerror.New(pgerror.UndefinedObject, "unrecognized configuration parameter \"%s\"", p.Name)
	}
	return out.row([]catalog.Value{catalog.Str(v)})
}

// prepare keeps a statement under a name.
func (s *session) prepare(ctx context.Context, p *pgsql.Prepare) error {
	if s.statements[p.Name] != nil {
		return pgerror.New(pgerror.DuplicatePreparedStatement, "prepared statement \"%s\" already exists", p.Name)
	}
	c, err := s.compileNow(ctx, p.Query, p.Types)
	if err != nil {
		return err
	}
	s.statements[p.Name] = &prepared{name: p.Name, query: p.Query.Text, stmt: p.Query, types: p.Types, plan: c, sql: true, created: s.node.now()}
	return nil
}

func (s *session) runExecute(ctx context.Context, p *pgsql.Execute, out sink) (string, error) {
	ps, params, err := s.executed(ctx, p)
	if err != nil || ps.stmt == nil {
		return "", err
	}
	return s.execute(ctx, ps.plan, ps.stmt, params, out)
}

// executed finds the statement that EXECUTE names, and works out its parameters.
func (s *session) executed(ctx context.Context, p *pgsql.Execute) (ps *prepared, params []catalog.Value, err error) {
	if ps, err = s.statement(p.Name); err != nil || ps.stmt == nil {
		return ps, nil, err
	}
	if err := s.refresh(ctx, ps); err != nil {
		return nil, nil, err
	}
	if len(ps.plan.params) != p.NArgs {
		return nil, nil, pgerror.New(pgerror.SyntaxError, "wrong number of parameters for prepared statement \"%s\"", p.Name).
			WithDetail("Expected %d parameters but got %d.", len(ps.plan.params), p.NArgs)
	}
	if p.NArgs == 0 {
		return ps, nil, nil
	}
	q, err := p.Bind(ps.plan.params)
	if err != nil {
		return nil, nil, err
	}
	buf := &bufferSink{buf: &rowBuffer{}}
	if _, err := s.runQuery(ctx, &compiled{plan: q, schema: s.schema()}, q, nil, buf); err != nil {
		return nil, nil, err
	}
	params, _, err = buf.buf.cursor().next()
	return ps, params, err
}

func (s *session) deallocate(p *pgsql.Deallocate) (string, error) {
	if p.Name == "" {
		clear(s.statements)
		return "DEALLOCATE ALL", nil
	}
	if _, err := s.statement(p.Name); err != nil {
		return "", err
	}
	delete(s.statements, p.Name)
	return "DEALLOCATE", nil
}

func (s *session) discard(p *pgsql.Discard) (string, error) {
	switch what := strings.ToUpper(p.What); what {
	case "ALL":
		if s.tran != nil && s.tran.explicit {
			return "", pgerror.New(pgerror.ActiveSQLTransaction, "DISCARD ALL cannot run inside a transaction block")
		}
		clear(s.statements)
		clear(s.portals)
		s.unlisten("")
		s.node.locks.releaseFrom(s.advisory, 0)
		s.funcs.forgetSequences()
		s.user = s.info.User
		if err := s.settings.resetAll(); err != nil {
			return "", err
		}
		s.reportSettings()
		return "DISCARD ALL", nil
	case "SEQUENCES":
		s.funcs.forgetSequences()
		return "DISCARD SEQUENCES", nil
	default:
		return "DISCARD " + what, nil
	}
}

// lockTables is LOCK TABLE: modes that let writers in need nothing, the others reserve the table on this node.
func (s *session) lockTables(ctx context.Context, p *pgsql.LockTable) error {
	if s.tran == nil || !s.tran.explicit {
		return pgerror.New(pgerror.NoActiveSQLTransaction, "LOCK TABLE can only be used in transaction blocks")
	}
	switch strings.ToUpper(p.Mode) {
	case "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE":
		return nil
	}
	for _, t := range p.Tables {
		k := tableKey(t.ID)
		if p.NoWait {
			if s.node.locks.try(s.owner, []lockKey{k}, true) != nil {
				return pgerror.New(pgerror.LockNotAvailable, "could not obtain lock on relation \"%s\"", t.Name)
			}
			continue
		}
		if _, err := s.node.locks.acquire(ctx, s.owner, k, true, s.settings.duration("lock_timeout")); err != nil {
			return err
		}
	}
	return nil
}

// notify keeps a notification until the transaction commits.
func (s *session) notify(p *pgsql.Notify) {
	n := pgwire.Notification{PID: s.info.PID, Channel: p.Channel, Payload: p.Payload}
	for _, m := range s.pendingNotify {
		if m == n {
			return
		}
	}
	s.pendingNotify = append(s.pendingNotify, n)
	if s.tran == nil {
		s.flushNotifications()
	}
}

// flushNotifications delivers what the transaction notified to the sessions of this node that listen.
func (s *session) flushNotifications() {
	if len(s.pendingNotify) == 0 {
		return
	}
	s.node.sessions.deliver(s.pendingNotify)
	s.pendingNotify = nil
}

func (s *session) unlisten(channel string) {
	if channel == "" {
		clear(s.listening)
	} else {
		delete(s.listening, channel)
	}
	s.node.sessions.unlisten(s, channel)
}
