package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/pgwire"
	"layercake/sqlstore"
)

// session is one client's session: its settings, prepared statements, portals and transaction. It is used by one
// goroutine at a time, its connection's.
type session struct {
	node     *Node
	info     pgwire.ConnInfo
	log      *slog.Logger
	user     string // current_user: SET ROLE may change it
	database string
	settings *settings
	started  time.Time

	statements map[string]*prepared
	portals    map[string]*portal
	tran       *transaction
	owner      *lockOwner // reservations of the open transaction, or of the statement under way
	advisory   *lockOwner // advisory locks of the session
	funcs      functions
	lastEnv    environment // what environment worked out last
	literals   struct {    // memory for shared
		key  []byte
		list []pgsql.Literal
	}

	stmtStart     time.Time
	late          bool              // the statement came when the node was stopping already
	reported      map[string]string // settings as the client was told
	pendingNotify []pgwire.Notification
	listening     map[string]bool
	notices       func(*pgerror.Error)
	activity      activity
	idle          *time.Timer // ends the session when its client is silent for too long
}

// prepared is a prepared statement.
type prepared struct {
	name    string
	query   string
	stmt    *pgsql.Statement // nil for an empty query
	types   []uint32         // as the client gave them
	plan    *compiled
	sql     bool // made by PREPARE
	created time.Time
}

// portal is a bound statement, under way or not, or a cursor.
type portal struct {
	name    string
	stmt    *prepared
	plan    *compiled
	params  []catalog.Value
	formats []int16
	hold    bool

	cursor  bool // made by DECLARE
	scroll  bool
	created time.Time

	done   bool
	result *rowBuffer // what the statement answered, once it ran with a row limit
	at     *cursor
	pos    int // cursor: rows before the current one, plus one when on a row
	tag    string
}

var _ pgwire.Session = (*session)(nil)

// Parameters implements pgwire.Session.
func (s *session) Parameters() []pgwire.ParameterStatus {
	var out []pgwire.ParameterStatus
	for i := range settingList {
		if d := &settingList[i]; d.report {
			v, _ := s.showSetting(d.name)
			s.reported[d.name] = v
			out = append(out, pgwire.ParameterStatus{Name: d.name, Value: v})
		}
	}
	return out
}

// reportSettings tells the client of reported settings that changed.
func (s *session) reportSettings() {
	for i := range settingList {
		d := &settingList[i]
		if !d.report {
			continue
		}
		if v, _ := s.showSetting(d.name); s.reported[d.name] != v {
			s.reported[d.name] = v
			s.info.Notify(pgwire.ParameterStatus{Name: d.name, Value: v})
		}
	}
}

// showSetting is what SHOW says of a setting.
func (s *session) showSetting(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "session_authorization":
		return s.info.User, true
	case "is_superuser":
		if s.isSuperuser(s.user) {
			return "on", true
		}
		return "off", true
	case "consistency":
		r, w := s.settings.read.String(), s.settings.write.String()
		if r == w {
			return r, true
		}
		return "read " + r + ", write " + w, true
	case "transaction_isolation":
		if s.tran != nil {
			return s.tran.isolation, true
		}
		return s.settings.get("default_transaction_isolation")
	case "transaction_read_only":
		if s.tran != nil {
			return map[bool]string{true: "on", false: "off"}[s.tran.readOnly], true
		}
		return s.settings.get("default_transaction_read_only")
	}
	return s.settings.get(name)
}

// TxStatus implements pgwire.Session.
func (s *session) TxStatus() byte {
	switch {
	case s.tran == nil || !s.tran.explicit:
		return 'I'
	case s.tran.failed:
		return 'E'
	}
	return 'T'
}

// Output implements pgwire.Session.
func (s *session) Output() *catalog.OutputSettings { return &s.settings.output }

// Close implements pgwire.Session.
func (s *session) Close() {
	s.busy()
	s.rollback()
	s.node.locks.releaseFrom(s.advisory, 0)
	s.node.sessions.remove(s)
}

// schema is the schema as this session sees it.
func (s *session) schema() *catalog.Schema {
	if s.tran != nil && s.tran.schema != nil {
		return s.tran.schema
	}
	if s.tran != nil && s.tran.snapshot != nil {
		return s.tran.snapshot.Schema()
	}
	return s.node.store.Schema()
}

func (s *session) searchPath() []string {
	out := make([]string, 0, len(s.settings.searchPath))
	for _, n := range s.settings.searchPath {
		if n == "$user" {
			n = s.user
		}
		out = append(out, n)
	}
	return out
}

func (s *session) env() *pgsql.Env {
	return &pgsql.Env{Schema: s.schema(), SearchPath: s.searchPath(), User: s.user, Superuser: s.isSuperuser(s.user), Database: s.database,
		NewID: s.node.store.NewID, Output: &s.settings.output}
}

func (s *session) notice(n *pgerror.Error) {
	if s.notices != nil && s.settings.must("client_min_messages") != "error" &&
		!(n.Severity == "NOTICE" && s.settings.must("client_min_messages") == "warning") {
		s.notices(n)
	}
}

// begin and end of a statement, for the clock, the time-out and pg_stat_activity.
func (s *session) start(ctx context.Context, query string) (context.Context, context.CancelFunc) {
	s.busy()
	s.stmtStart = s.node.now()
	s.node.count.statements.Add(1)
	s.funcs.fetched = nil
	s.late = s.node.state.Load() == stateStopping // before pg_stat_activity shows it as under way
	s.activity.begin(query, s.stmtStart)
	if d := s.settings.duration("statement_timeout"); d > 0 {
		return context.WithTimeoutCause(ctx, d, pgerror.New(pgerror.QueryCanceled, "canceling statement due to statement timeout"))
	}
	return ctx, func() {}
}

// takes refuses a statement that came when the node was stopping already, and ends its session as a stop does (57P01):
// clients and their pools know how to deal with that. One that came before may finish, its commit included. Where the
// node has fenced itself all are refused.
func (s *session) takes() error {
	if s.late {
		return pgerror.Fatal(pgerror.AdminShutdown, "terminating connection due to administrator command").
			WithDetail("The node is shutting down; the statement was not executed.")
	}
	return s.node.repl.Fenced()
}

// rest notes that the session waits for its client, and ends it if it waits for too long.
func (s *session) rest() {
	if s.tran == nil {
		s.node.locks.releaseFrom(s.owner, 0) // advisory locks of a statement that was a transaction of its own
	}
	s.activity.end(s.TxStatus(), s.settings.must("application_name"))
	setting := "idle_session_timeout"
	inTransaction := s.tran != nil && s.tran.explicit
	if inTransaction {
		setting = "idle_in_transaction_session_timeout"
	}
	d := s.settings.duration(setting)
	if d <= 0 {
		return
	}
	why := pgerror.Fatal("57P05", "terminating connection due to idle-session timeout")
	if inTransaction {
		why = pgerror.Fatal(pgerror.IdleInTransactionSessionTimeout, "terminating connection due to idle-in-transaction timeout")
	}
	s.idle = time.AfterFunc(d, func() { s.node.wire.End(s.info.PID, why) })
}

// busy ends a rest.
func (s *session) busy() {
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
}

// failed notes that a statement ended in an error: an explicit transaction can then only be rolled back.
func (s *session) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s.node.count.errors.Add(1)
	s.funcs.later, s.funcs.wait, s.funcs.fetched = nil, nil, nil
	if s.tran != nil {
		s.abort()
	} else {
		s.node.locks.releaseFrom(s.owner, 0)
	}
	if ctx.Err() != nil && (pgerror.Code(err) == pgerror.QueryCanceled || errors.Is(err, context.Cause(ctx))) {
		var cause *pgerror.Error
		if errors.As(context.Cause(ctx), &cause) {
			return cause
		}
		return pgerror.From(ctx.Err())
	}
	e := pgerror.From(err)
	if e.Code == pgerror.InternalError {
		s.log.Error("statement failed", "err", err)
	}
	return e
}

// storeError gives the store's errors their SQLSTATE.
func (s *session) storeError(err error) error {
	switch {
	case errors.Is(err, sqlstore.ErrSchemaChanged) && s.tran == nil:
		return errStale
	case errors.Is(err, sqlstore.ErrSchemaChanged):
		return errSchemaChanged()
	case s.tran != nil && pgerror.Code(err) == pgerror.DataCorrupted && strings.HasPrefix(pgerror.From(err).Message, "malformed row set"):
		return errSchemaChanged() // what the transaction wrote was for another form of the table
	case errors.Is(err, sqlstore.ErrClosed):
		return pgerror.Fatal(pgerror.CannotConnectNow, "the node is shutting down")
	}
	return err
}

// checkActive refuses statements in a failed transaction, save those that end it.
func (s *session) checkActive(plan pgsql.Plan) error {
	if s.tran == nil || !s.tran.failed {
		return nil
	}
	if t, ok := plan.(*pgsql.Transaction); ok {
		switch t.Kind {
		case pgsql.Commit, pgsql.Rollback, pgsql.RollbackTo:
			return nil
		}
	}
	return pgerror.New(pgerror.InFailedSQLTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

// SimpleQuery implements pgwire.Session.
func (s *session) SimpleQuery(ctx context.Context, query string, w pgwire.ResultWriter) (err error) {
	s.notices = func(n *pgerror.Error) { _ = w.Notice(n) }
	defer func() { s.notices = nil; s.rest() }()
	ctx, cancel := s.start(ctx, query)
	defer cancel()
	delete(s.portals, "")
	delete(s.statements, "")
	var batch []*pgsql.Statement
	c, st, params, shared := s.shared(query)
	text := ""
	if shared {
		batch, text = []*pgsql.Statement{st}, query
	} else if batch, err = s.node.plans.parse(query); err != nil {
		return s.endImplicit(ctx, s.fail(ctx, err))
	}
	if len(batch) == 0 {
		return w.Empty()
	}
	if len(batch) > 1 && s.tran == nil {
		s.tran = s.newTransaction(false)
	}
	for i, st := range batch {
		if i > 0 {
			s.stmtStart = s.node.now()
		}
		if s.tran == nil && len(batch) > 1 {
			s.tran = s.newTransaction(false)
		}
		tag, err := s.runSimple(ctx, st, c, params, text, w)
		if err != nil {
			return s.endImplicit(ctx, s.fail(ctx, err))
		}
		if i == len(batch)-1 {
			// The last tag waits for the commit: it must not say that something happened that then does not.
			if err := s.endImplicit(ctx, nil); err != nil {
				return err
			}
		}
		if err := w.Complete(tag); err != nil {
			return err
		}
	}
	return nil
}

// endImplicit ends the implicit transaction of a message.
func (s *session) endImplicit(ctx context.Context, err error) error {
	if s.tran == nil || s.tran.explicit {
		return err
	}
	if err != nil {
		s.rollback()
		return err
	}
	return s.fail(ctx, s.commit(ctx))
}

// runSimple runs one statement of a Query message, and returns its tag. c is its plan if that is known already, params are
// the values of the literals of text that it has parameters for.
func (s *session) runSimple(ctx context.Context, st *pgsql.Statement, c *compiled, params []catalog.Value, text string, w pgwire.ResultWriter) (string, error) {
	if s.tran != nil && s.tran.failed && !st.EndsTransaction() {
		return "", s.checkActive(nil)
	}
	if c == nil {
		var err error
		if c, err = s.compileNow(ctx, st, nil); err != nil {
			return "", err
		}
	}
	if len(c.params) > len(params) {
		return "", pgerror.New(pgerror.UndefinedParameter, "there is no parameter $1")
	}
	return s.executeText(ctx, c, st, params, text, &wireSink{w: w, header: true})
}
