package sqlfunc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/sqlstore/sqlfunc"
	"layercake/sqlstore/sqlite"
)

// fakeSession notes what is asked of it.
type fakeSession struct {
	calls    []string
	next     int64
	remember int
}

var _ sqlfunc.Session = (*fakeSession)(nil)

func (s *fakeSession) note(format string, args ...any) {
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
}

func (s *fakeSession) NextVal(seq uint32) (int64, error) {
	s.note("nextval %d", seq)
	if seq == 404 {
		return 0, pgerror.New(pgerror.UndefinedTable, "relation with OID 404 does not exist")
	}
	s.next++
	return s.next, nil
}
func (s *fakeSession) CurrVal(seq uint32) (int64, error) { return s.next, nil }
func (s *fakeSession) LastVal() (int64, error)           { return s.next, nil }
func (s *fakeSession) SetVal(seq uint32, v int64, called bool) error {
	s.note("setval %d %d %v", seq, v, called)
	return nil
}
func (s *fakeSession) SequenceLastValue(seq uint32) (int64, bool, error) { return 0, false, nil }
func (s *fakeSession) Setting(name string) (string, bool) {
	if name == "server_version" {
		return "15.8", true
	}
	return "", false
}
func (s *fakeSession) SetConfig(name, value string, local bool) (string, error) {
	s.note("set %s=%s %v", name, value, local)
	return value, nil
}
func (s *fakeSession) AdvisoryLock(k sqlfunc.LockKey, wait bool) (bool, error) {
	s.note("lock %+v %v", k, wait)
	return false, nil
}
func (s *fakeSession) AdvisoryUnlock(k sqlfunc.LockKey) (bool, error) { return true, nil }
func (s *fakeSession) AdvisoryUnlockAll() error                       { return nil }
func (s *fakeSession) PID() uint32                                    { return 42 }
func (s *fakeSession) Signal(pid uint32, terminate bool) (bool, error) {
	s.note("signal %d %v", pid, terminate)
	return pid == 7, nil
}
func (s *fakeSession) Notify(channel, payload string) error {
	s.note("notify %s %s", channel, payload)
	return nil
}
func (s *fakeSession) Listening() []string { return []string{"a", "b"} }
func (s *fakeSession) Sleep(d time.Duration) error {
	s.note("sleep %v", d)
	return nil
}
func (s *fakeSession) TransactionID(assign bool) (int64, error) {
	if assign {
		return 9, nil
	}
	return 0, nil
}
func (s *fakeSession) Remember(f func() (catalog.Value, error)) (catalog.Value, error) {
	s.remember++
	return f()
}
func (s *fakeSession) NodeName() string              { return "n1" }
func (s *fakeSession) StartTime() int64              { return 0 }
func (s *fakeSession) UniqueID() (int64, error)      { return 77, nil }
func (s *fakeSession) SessionToken() (string, error) { return "tok", nil }
func (s *fakeSession) WaitFor(token string) error {
	s.note("wait %s", token)
	return nil
}
func (s *fakeSession) TransactionStatus(id string) (string, error) { return "committed", nil }
func (s *fakeSession) Verify() ([]sqlfunc.VerifyRow, error) {
	return []sqlfunc.VerifyRow{{Node: "n1", Relation: "t", Rows: 3, Digest: "ab", OK: true, Detail: "fine"}}, nil
}
func (s *fakeSession) RemoveNode(name string) (string, error) { return name + " is removed", nil }
func (s *fakeSession) Leave() (string, error)                 { return "n1 has left", nil }
func (s *fakeSession) Repair(table uint32) (int64, error)     { return 2, nil }

func queryText(t *testing.T, c *sqlite.Conn, sql string) (string, error) {
	t.Helper()
	stmt, err := c.Stmt(sql)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := stmt.Query(nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		for _, v := range rows.Values() {
			switch v.Kind {
			case catalog.Integer:
				out = append(out, fmt.Sprint(v.Int()))
			case catalog.Real:
				out = append(out, fmt.Sprint(v.Float()))
			case catalog.Null:
				out = append(out, "NULL")
			default:
				out = append(out, string(v.Bytes))
			}
		}
	}
	return strings.Join(out, " "), rows.Err()
}

func TestSessionFunctions(t *testing.T) {
	c := open(t)
	s := &fakeSession{}
	c.Session = s
	for _, test := range []struct{ sql, want, call string }{
		{"lc_nextval(5)", "1", "nextval 5"},
		{"lc_nextval(5)", "2", "nextval 5"},
		{"lc_nextval(NULL)", "NULL", ""},
		{"lc_nextval(404)", "42P01", "nextval 404"},
		{"lc_currval(5)", "2", ""},
		{"lc_lastval()", "2", ""},
		{"lc_setval(5, 10, 1)", "10", "setval 5 10 true"},
		{"lc_sequence_last_value(5)", "NULL", ""},
		{"lc_setting('server_version', 0)", "15.8", ""},
		{"lc_setting('nosuch', 1)", "NULL", ""},
		{"lc_setting('nosuch', 0)", "42704", ""},
		{"lc_set_config('a', 'b', 1)", "b", "set a=b true"},
		{"lc_set_config(NULL, 'b', 1)", "22004", ""},
		{"lc_advisory_lock(5, NULL, 0, 1, 1)", "", "lock {Two:false Key:5 Key2:0 Shared:false Transactional:true} true"},
		{"lc_advisory_lock(5, 6, 1, 0, 0)", "0", "lock {Two:true Key:5 Key2:6 Shared:true Transactional:false} false"},
		{"lc_advisory_unlock(5, NULL, 0)", "1", ""},
		{"lc_backend_pid()", "42", ""},
		{"lc_cancel_backend(7)", "1", "signal 7 false"},
		{"lc_terminate_backend(8, 0)", "0", "signal 8 true"},
		{"lc_notify('c', 'p')", "", "notify c p"},
		{"lc_notify('', 'p')", "22023", ""},
		{"lc_sleep(0.25)", "", "sleep 250ms"},
		{"lc_sleep(-1)", "", ""},
		{"lc_txid_current()", "9", ""},
		{"lc_txid_current_if_assigned()", "NULL", ""},
		{"lc_node_name()", "n1", ""},
		{"lc_unique_id()", "77", ""},
		{"lc_session_token()", "tok", ""},
		{"lc_wait_for('x')", "", "wait x"},
		{"lc_transaction_status('x')", "committed", ""},
		{"lc_repair(5)", "2", ""},
		{"(SELECT group_concat(c0 || c1 || c2 || c3 || c4 || c5) FROM lc_rows(lc_verify(), 6))", "n1t3ab1fine", ""},
		{"(SELECT group_concat(value) FROM lc_unnest(lc_listening_channels()))", "a,b", ""},
		{"substr(lc_version(), 1, 15)", "PostgreSQL 15.8", ""},
	} {
		s.calls = nil
		got, err := queryText(t, c, "SELECT "+test.sql)
		if err != nil {
			got = pgerror.Code(err)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.sql, got, test.want)
		}
		if call := strings.Join(s.calls, ";"); call != test.call {
			t.Errorf("%s: asked %q, want %q", test.sql, call, test.call)
		}
	}
}

// TestRemembered: values that differ from run to run go through the session, which keeps them for a replay.
func TestRemembered(t *testing.T) {
	c := open(t)
	s := &fakeSession{}
	c.Session = s
	for _, f := range []string{"lc_session_random()", "lc_gen_random_uuid()", "lc_clock_timestamp()", "lc_unique_id()"} {
		before := s.remember
		if _, err := queryText(t, c, "SELECT "+f); err != nil {
			t.Fatal(err)
		}
		if s.remember != before+1 {
			t.Errorf("%s was not remembered", f)
		}
	}
}

// TestWithoutSession: a connection without a session answers with an error, and what needs none works.
func TestWithoutSession(t *testing.T) {
	c := open(t)
	if _, err := queryText(t, c, "SELECT lc_nextval(1)"); pgerror.Code(err) != "55000" {
		t.Errorf("nextval: got %v, want 55000", err)
	}
	a, err := queryText(t, c, "SELECT lc_session_random()")
	b, _ := queryText(t, c, "SELECT lc_session_random()")
	if err != nil || a == b {
		t.Errorf("random: got %q and %q, %v", a, b, err)
	}
}

func TestAggregateForms(t *testing.T) {
	c := open(t)
	env := "'" + catalog.DefaultOutput().String() + "'"
	for _, test := range []struct{ sql, want string }{
		{"SELECT '[' || ltrim(lc_string_agg(lc_json_item(x, 23, -1, " + env + "), ', '), ' ' || char(10)) || ']' FROM (SELECT 1 AS x UNION ALL SELECT NULL)", "[1, null]"},
		{"SELECT '{ ' || lc_string_agg(lc_json_pair(k, 25, -1, v, 23, -1, " + env + "), ', ') || ' }' FROM (SELECT 'a' AS k, 1 AS v UNION ALL SELECT 'b', NULL)", `{ "a" : 1, "b" : null }`},
		{"SELECT lc_jsonb('{' || lc_string_agg(lc_json_pair(k, 25, -1, v, 23, -1, " + env + "), ', ') || '}') FROM (SELECT 'b' AS k, 1 AS v UNION ALL SELECT 'a', 2)", `{"a": 2, "b": 1}`},
		{"SELECT group_concat(value) FROM lc_unnest((SELECT lc_array_of(lc_pack(1), 23)))", "1"},
		{"SELECT lc_json_row(" + env + ", 'id', 23, -1, 1, 'na\"me', 25, -1, 'x')", `{"id":1,"na\"me":"x"}`},
		{"SELECT lc_record_out(lc_record(23, 1, 25, 'a b', 25, NULL))", `(1,"a b",)`},
		{"SELECT lc_record_cmp(lc_record(23, 1, 25, 'a'), lc_record(23, 1, 25, 'b'))", "-1"},
		{"SELECT lc_format_type(1700, 655366)", "numeric(10,2)"},
		{"SELECT lc_concat(" + env + ", 25, -1, 'x', 1007, -2, lc_array(23, 1, NULL, 2))", "x12"},
		{"SELECT lc_format_type(23, NULL)", "integer"},
	} {
		got, err := queryText(t, c, test.sql)
		if err != nil || got != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.sql, got, err, test.want)
		}
	}
	// sum and avg of interval
	var pack []byte
	for _, s := range []string{"1 day", "02:00", "1 mon"} {
		v, err := catalog.DecodeText(catalog.IntervalOID, -1, []byte(s), nil)
		if err != nil {
			t.Fatal(err)
		}
		pack = catalog.AppendValue(pack, v)
	}
	for f, want := range map[string]string{"lc_sum_packed_iv": "1 mon 1 day 02:00:00", "lc_avg_packed_iv": "10 days 08:40:00"} {
		stmt, err := c.Stmt("SELECT " + f + "(?1)")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := stmt.Query([]catalog.Value{catalog.BlobBytes(pack)})
		if err != nil {
			t.Fatal(err)
		}
		rows.Next()
		if got := string(catalog.AppendText(nil, catalog.IntervalOID, -1, rows.Values()[0], nil)); got != want {
			t.Errorf("%s: got %q, want %q", f, got, want)
		}
		rows.Close()
	}
}
