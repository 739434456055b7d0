package server

import (
	"context"
	"fmt"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore/sqlfunc"
	"layercake/sqlstore/sqlite"
)

// bind gives the arguments of one SQLite statement their values.
func (s *session) bind(ctx context.Context, args []pgsql.Arg, params []catalog.Value, ra *rowArgs) ([]catalog.Value, error) {
	if len(args) == 0 {
		return nil, nil
	}
	out := make([]catalog.Value, len(args))
	for i := range args {
		v, err := s.argValue(ctx, &args[i], params, ra)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (s *session) argValue(ctx context.Context, a *pgsql.Arg, params []catalog.Value, ra *rowArgs) (catalog.Value, error) {
	switch a.Kind {
	case pgsql.ArgConst:
		return a.Value, nil
	case pgsql.ArgParam:
		if a.Index >= len(params) {
			return catalog.Value{}, pgerror.New(pgerror.UndefinedParameter, "there is no parameter $%d", a.Index+1)
		}
		return params[a.Index], nil
	case pgsql.ArgSession:
		return s.sessionValue(a.Name)
	case pgsql.ArgProvided:
		rows, err := s.provided(ctx, a.Name)
		if err != nil {
			return catalog.Value{}, err
		}
		return catalog.BlobBytes(rows), nil
	case pgsql.ArgNextVal:
		v, err := s.funcs.NextVal(uint32(a.Index))
		return catalog.Int(v), err
	case pgsql.ArgUUID:
		return s.funcs.Remember(sqlfunc.RandomUUID)
	case pgsql.ArgHidden:
		return s.tran.overlays[a.Table].hiddenRows(), nil
	case pgsql.ArgOwn:
		return s.tran.overlays[a.Table].ownRows(), nil
	case pgsql.ArgPack:
		data := []byte{}
		for i := range a.Pack {
			v, err := s.argValue(ctx, &a.Pack[i], params, ra)
			if err != nil {
				return catalog.Value{}, err
			}
			data = catalog.AppendValue(data, v)
		}
		return catalog.BlobBytes(data), nil
	}
	if ra == nil {
		return catalog.Value{}, fmt.Errorf("server: argument of kind %d without a row", a.Kind)
	}
	switch a.Kind {
	case pgsql.ArgNew:
		return ra.new[a.Index], nil
	case pgsql.ArgOld:
		return ra.old[a.Index], nil
	case pgsql.ArgRowID:
		return catalog.Int(ra.rowid), nil
	case pgsql.ArgLoop:
		return ra.loops[a.Loop], nil
	case pgsql.ArgWork:
		return ra.work, nil
	case pgsql.ArgCTE:
		data, err := ra.ctes[a.Index].whole()
		return catalog.BlobBytes(data), err
	}
	return catalog.Value{}, fmt.Errorf("server: unknown kind of argument: %d", a.Kind)
}

// sessionValue gives a value of the session by the name that pgsql knows it by.
func (s *session) sessionValue(name string) (catalog.Value, error) {
	switch name {
	case "now":
		t := s.stmtStart
		if s.tran != nil {
			t = s.tran.start
		}
		return catalog.Int(micros(t)), nil
	case "statement_now":
		return catalog.Int(micros(s.stmtStart)), nil
	case "TimeZone":
		return catalog.Str(s.settings.output.TimeZoneName), nil
	case "env":
		return catalog.Str(s.settings.env), nil
	case "user":
		return catalog.Str(s.user), nil
	case "session_user":
		return catalog.Str(s.info.User), nil
	case "database":
		return catalog.Str(s.database), nil
	case "pid":
		return catalog.Int(int64(s.info.PID)), nil
	}
	if strings.HasPrefix(name, "search_path") {
		return s.searchPathArray(name == "search_path_implicit"), nil
	}
	if n, ok := strings.CutPrefix(name, "setting:"); ok {
		if v, ok := s.showSetting(n); ok {
			return catalog.Str(v), nil
		}
		return catalog.Value{}, nil
	}
	return catalog.Value{}, fmt.Errorf("server: unknown session value %q", name)
}

// searchPathArray is current_schemas(implicit): the schemas of the search path that exist.
func (s *session) searchPathArray(implicit bool) catalog.Value {
	var names []catalog.Value
	sch := s.schema()
	if implicit {
		names = append(names, catalog.Str("pg_catalog"))
	}
	for _, n := range s.searchPath() {
		if sch.Namespace(n) != nil {
			names = append(names, catalog.Str(n))
		}
	}
	return catalog.EncodeArray(catalog.NameOID, nil, names)
}

// attach makes the worker's session known to the SQL functions that run on its connection; the result undoes it.
func (s *session) attach(c *sqlite.Conn, w *worker) func() {
	before, q := c.Session, s.funcs.q
	s.funcs.ctx, s.funcs.q, s.funcs.taken = w.ctx, w.q, s.funcs.taken[:0]
	c.Session = &s.funcs
	return func() { c.Session, s.funcs.q = before, q }
}
