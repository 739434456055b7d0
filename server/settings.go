package server

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/replication"
)

// setting is one configuration parameter that a session knows.
type setting struct {
	name     string // as shown
	value    string // built-in default
	desc     string
	vartype  string // "string", "bool", "integer", "real", "enum"
	unit     string
	values   []string // enum
	readOnly bool
	report   bool // told to the client with ParameterStatus
	check    func(v string) (string, error)
}

const (
	serverVersion    = "15.18"
	serverVersionNum = "150018"
)

func isLevel(v string) (string, error) {
	l, err := replication.ParseLevel(v)
	if err != nil {
		return "", err
	}
	return l.String(), nil
}

// settingList has every parameter.
var settingList = append(unusedSettings(), []setting{
	{name: "application_name", vartype: "string", report: true, desc: "Sets the application name to be reported in statistics and logs."},
	{name: "backslash_quote", value: "safe_encoding", vartype: "enum", values: []string{"safe_encoding", "on", "off"}, desc: "Sets whether \"\\'\" is allowed in string literals."},
	{name: "bytea_output", value: "hex", vartype: "enum", values: []string{"escape", "hex"}, desc: "Sets the output format for bytea."},
	{name: "check_function_bodies", value: "on", vartype: "bool", desc: "Check routine bodies during CREATE FUNCTION."},
	{name: "client_encoding", value: "UTF8", vartype: "string", report: true, check: checkEncoding, desc: "Sets the client's character set encoding."},
	{name: "client_min_messages", value: "notice", vartype: "enum", values: []string{"debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"}, desc: "Sets the message levels that are sent to the client."},
	{name: "consistency", value: "", vartype: "enum", check: checkConsistency, desc: "Sets both consistency levels: how many nodes a statement waits for."},
	{name: "consistency_timeout", value: "5s", vartype: "integer", unit: "ms", check: checkDuration, desc: "Bounds the wait for other nodes."},
	{name: "DateStyle", value: "ISO, MDY", vartype: "string", report: true, check: checkDateStyle, desc: "Sets the display format for date and time values."},
	{name: "default_table_access_method", value: "heap", vartype: "string", desc: "Sets the default table access method for new tables."},
	{name: "default_tablespace", value: "", vartype: "string", desc: "Sets the default tablespace to create tables and indexes in."},
	{name: "default_transaction_deferrable", value: "off", vartype: "bool", desc: "Sets the default deferrable status of new transactions."},
	{name: "default_transaction_isolation", value: "read committed", vartype: "enum", values: []string{"serializable", "repeatable read", "read committed", "read uncommitted"}, desc: "Sets the transaction isolation level of each new transaction."},
	{name: "default_transaction_read_only", value: "off", vartype: "bool", report: true, desc: "Sets the default read-only status of new transactions."},
	{name: "extra_float_digits", value: "1", vartype: "integer", check: checkIntRange(-15, 3), desc: "Sets the number of digits displayed for floating-point values."},
	{name: "idle_in_transaction_session_timeout", value: "0", vartype: "integer", unit: "ms", check: checkDuration, desc: "Sets the maximum allowed idle time between queries, when in a transaction."},
	{name: "idle_session_timeout", value: "0", vartype: "integer", unit: "ms", check: checkDuration, desc: "Sets the maximum allowed idle time between queries, when not in a transaction."},
	{name: "in_hot_standby", value: "off", vartype: "bool", readOnly: true, report: true, desc: "Shows whether hot standby is currently active."},
	{name: "integer_datetimes", value: "on", vartype: "bool", readOnly: true, report: true, desc: "Shows whether datetimes are integer based."},
	{name: "IntervalStyle", value: "postgres", vartype: "enum", values: []string{"postgres", "postgres_verbose", "sql_standard", "iso_8601"}, report: true, desc: "Sets the display format for interval values."},
	{name: "is_superuser", value: "on", vartype: "bool", readOnly: true, report: true, desc: "Shows whether the current user is a superuser."},
	{name: causalToken, value: "", vartype: "string", check: checkToken, desc: "Names what the session has seen elsewhere (layercake.session_token()): setting it waits until this node has that too."},
	{name: "lc_collate", value: "C", vartype: "string", readOnly: true, desc: "Shows the collation order locale."},
	{name: "lc_ctype", value: "C.UTF-8", vartype: "string", readOnly: true, desc: "Shows the character classification and case conversion locale."},
	{name: "lc_messages", value: "C", vartype: "string", desc: "Sets the language in which messages are displayed."},
	{name: "lc_monetary", value: "C", vartype: "string", desc: "Sets the locale for formatting monetary amounts."},
	{name: "lc_numeric", value: "C", vartype: "string", desc: "Sets the locale for formatting numbers."},
	{name: "lc_time", value: "C", vartype: "string", desc: "Sets the locale for formatting date and time values."},
	{name: "lock_timeout", value: "0", vartype: "integer", unit: "ms", check: checkDuration, desc: "Sets the maximum allowed duration of any wait for a lock."},
	{name: "max_connections", value: "1000", vartype: "integer", readOnly: true, desc: "Sets the maximum number of concurrent connections."},
	{name: "max_identifier_length", value: "63", vartype: "integer", readOnly: true, desc: "Shows the maximum identifier length."},
	{name: "max_index_keys", value: "32", vartype: "integer", readOnly: true, desc: "Shows the maximum number of index keys."},
	{name: "read_consistency", value: "none", vartype: "enum", check: isLevel, desc: "Sets how many nodes a read first catches up with."},
	{name: "row_security", value: "on", vartype: "bool", desc: "Enable row security."},
	{name: "role", value: "none", vartype: "string", desc: "Sets the current role."},
	{name: "search_path", value: `"$user", public`, vartype: "string", desc: "Sets the schema search order for names that are not schema-qualified."},
	{name: "server_encoding", value: "UTF8", vartype: "string", readOnly: true, report: true, desc: "Shows the server (database) character set encoding."},
	{name: "server_version", value: serverVersion, vartype: "string", readOnly: true, report: true, desc: "Shows the server version."},
	{name: "server_version_num", value: serverVersionNum, vartype: "integer", readOnly: true, desc: "Shows the server version as an integer."},
	{name: "session_authorization", value: "", vartype: "string", report: true, desc: "Sets the session user name."},
	{name: "standard_conforming_strings", value: "on", vartype: "bool", report: true, check: mustBe("on"), desc: "Causes '...' strings to treat backslashes literally."},
	{name: "statement_timeout", value: "0", vartype: "integer", unit: "ms", check: checkDuration, desc: "Sets the maximum allowed duration of any statement."},
	{name: "synchronous_commit", value: "on", vartype: "enum", check: checkSynchronous, desc: "Accepted for PostgreSQL's clients: every commit is fsynced here; write_consistency says where else."},
	{name: "synchronize_seqscans", value: "on", vartype: "bool", desc: "Enable synchronized sequential scans."},
	{name: "TimeZone", value: "UTC", vartype: "string", report: true, check: checkTimeZone, desc: "Sets the time zone for displaying and interpreting time stamps."},
	{name: "transaction_deferrable", value: "off", vartype: "bool", desc: "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures."},
	{name: "transaction_isolation", value: "read committed", vartype: "enum", values: []string{"serializable", "repeatable read", "read committed", "read uncommitted"}, desc: "Sets the current transaction's isolation level."},
	{name: "transaction_read_only", value: "off", vartype: "bool", desc: "Sets the current transaction's read-only status."},
	{name: "write_consistency", value: "quorum", vartype: "enum", check: isLevel, desc: "Sets on how many nodes a write is durable before it returns."},
	{name: "xmloption", value: "content", vartype: "enum", values: []string{"content", "document"}, desc: "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments."},
}...)

var settingByName = func() map[string]*setting {
	m := make(map[string]*setting, len(settingList))
	for i := range settingList {
		m[strings.ToLower(settingList[i].name)] = &settingList[i]
	}
	return m
}()

func lookupSetting(name string) (*setting, error) {
	if s := settingByName[strings.ToLower(name)]; s != nil {
		return s, nil
	}
	return nil, pgerror.New(pgerror.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
}

// isCustom says whether name is a placeholder of an application's own ("myapp.user").
func isCustom(name string) bool { return strings.Contains(name, ".") }

// normalize checks a value for s and returns its canonical form.
func (s *setting) normalize(v string) (string, error) {
	if s.check != nil {
		w, err := s.check(v)
		if err != nil {
			if _, ok := err.(*pgerror.Error); ok {
				return "", err
			}
			return "", pgerror.New(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", s.name, v).WithHint("%s", err)
		}
		return w, nil
	}
	switch s.vartype {
	case "bool":
		b, ok := parseBool(v)
		if !ok {
			return "", pgerror.New(pgerror.InvalidParameterValue, "parameter \"%s\" requires a Boolean value", s.name)
		}
		return b, nil
	case "enum":
		for _, w := range s.values {
			if strings.EqualFold(v, w) {
				return w, nil
			}
		}
		return "", pgerror.New(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", s.name, v).
			WithHint("Available values: %s.", strings.Join(s.values, ", "))
	}
	return v, nil
}

// checkSetting holds the value of ALTER ROLE or DATABASE … SET against what the setting takes.
func checkSetting(p *pgsql.Set) error {
	if p.Values == nil || p.Name == "" {
		return nil
	}
	d, err := lookupSetting(p.Name)
	if err != nil {
		if isCustom(p.Name) {
			return nil
		}
		return err
	}
	if d.readOnly {
		return pgerror.New("55P02", "parameter \"%s\" cannot be changed", d.name)
	}
	_, err = d.normalize(strings.Join(p.Values, ", "))
	return err
}

// settings are one session's values. Layers, later ones first: SET LOCAL, SET, the start-up packet, ALTER ROLE … SET,
// ALTER DATABASE … SET, the node's configuration, the built-in default.
type settings struct {
	defaults map[string]string // what RESET goes back to; keys in lower case
	values   map[string]string // SET
	local    map[string]string // SET LOCAL, until the end of the transaction
	sources  map[string]string // where a default comes from, for pg_settings

	// derived from the above, renewed at each change
	output      catalog.OutputSettings
	read, write replication.Level
	timeout     time.Duration
	searchPath  []string
	env         string
	durations   map[string]time.Duration // as asked for; dropped at each change
}

func newSettings() *settings {
	return &settings{defaults: map[string]string{}, values: map[string]string{}, sources: map[string]string{}}
}

func (s *settings) get(name string) (string, bool) {
	k := strings.ToLower(name)
	for _, layer := range []map[string]string{s.local, s.values, s.defaults} {
		if v, ok := layer[k]; ok {
			return v, true
		}
	}
	if d := settingByName[k]; d != nil {
		return d.value, true
	}
	return "", false
}

func (s *settings) must(name string) string { v, _ := s.get(name); return v }

// set changes one parameter; value nil means its default.
func (s *settings) set(name string, value *string, local bool) error {
	k := strings.ToLower(name)
	d := settingByName[k]
	if d == nil && !isCustom(name) {
		return pgerror.New(pgerror.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
	}
	if d != nil && d.readOnly {
		return pgerror.New("55P02", "parameter \"%s\" cannot be changed", d.name)
	}
	var v string
	switch {
	case value == nil:
		if dv, ok := s.defaults[k]; ok {
			v = dv
		} else if d != nil {
			v = d.value
		}
	case d != nil:
		var err error
		if v, err = d.normalize(*value); err != nil {
			return err
		}
	default:
		v = *value
	}
	put := func(k, v string) { // in new maps: a transaction may have the old ones, to go back to
		s.local = maps.Clone(s.local)
		if local {
			if s.local == nil {
				s.local = map[string]string{}
			}
			s.local[k] = v
		} else {
			s.values = maps.Clone(s.values)
			s.values[k] = v
			delete(s.local, k)
		}
	}
	put(k, v)
	if k == "consistency" {
		if value == nil || v == "" {
			for _, w := range []string{"read_consistency", "write_consistency"} {
				if err := s.set(w, nil, local); err != nil {
					return err
				}
			}
		} else {
			put("read_consistency", v)
			put("write_consistency", v)
		}
	}
	return s.derive()
}

func (s *settings) resetAll() error {
	s.values = map[string]string{}
	s.local = nil
	return s.derive()
}

// snapshot returns the settings as they are, for restore.
func (s *settings) snapshot() (values, local map[string]string) { return s.values, s.local }

func (s *settings) restore(values, local map[string]string) {
	s.values, s.local = values, local
	if err := s.derive(); err != nil {
		// The values were valid when they were set.
		panic("settings that were valid are not: " + err.Error())
	}
}

// setDefault sets what RESET goes back to, from source ("configuration file", "database", "user", "client").
func (s *settings) setDefault(name, value, source string) error {
	k := strings.ToLower(name)
	d := settingByName[k]
	if d == nil && !isCustom(name) {
		return pgerror.New(pgerror.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
	}
	if d != nil {
		if d.readOnly {
			return pgerror.New("55P02", "parameter \"%s\" cannot be changed", d.name)
		}
		var err error
		if value, err = d.normalize(value); err != nil {
			return err
		}
	}
	s.defaults[k], s.sources[k] = value, source
	s.durations = nil
	if k == "consistency" && value != "" {
		for _, w := range []string{"read_consistency", "write_consistency"} {
			s.defaults[w], s.sources[w] = value, source
		}
	}
	return nil
}

// derive renews what the session reads at each statement.
func (s *settings) derive() error {
	s.durations = nil
	var err error
	o := &s.output
	if o.TimeZoneName, o.TimeZone, err = loadZone(s.must("timezone")); err != nil {
		return err
	}
	if o.DateStyle, o.DateOrder, err = parseDateStyle(s.must("datestyle")); err != nil {
		return err
	}
	o.IntervalStyle = s.must("intervalstyle")
	o.ByteaOutput = s.must("bytea_output")
	if o.ExtraFloatDigits, err = strconv.Atoi(s.must("extra_float_digits")); err != nil {
		return err
	}
	s.env = o.String()
	if s.read, err = replication.ParseLevel(s.must("read_consistency")); err != nil {
		return err
	}
	if s.write, err = replication.ParseLevel(s.must("write_consistency")); err != nil {
		return err
	}
	if s.timeout, err = parseDuration(s.must("consistency_timeout")); err != nil {
		return err
	}
	s.searchPath = splitIdentifiers(s.must("search_path"))
	return nil
}

// duration is a setting's value as time. Every statement asks for some, so they are parsed once a change.
func (s *settings) duration(name string) time.Duration {
	d, ok := s.durations[name]
	if !ok {
		d, _ = parseDuration(s.must(name))
		if s.durations == nil {
			s.durations = map[string]time.Duration{}
		}
		s.durations[name] = d
	}
	return d
}

// splitIdentifiers splits a comma-separated list of names, quoted or not.
func splitIdentifiers(v string) []string {
	var out []string
	for v = strings.TrimSpace(v); v != ""; v = strings.TrimSpace(v) {
		var name string
		if v[0] == '"' {
			i := 1
			var b strings.Builder
			for i < len(v) {
				if v[i] == '"' {
					if i+1 < len(v) && v[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(v[i])
				i++
			}
			name = b.String()
			v = v[min(i+1, len(v)):]
			if j := strings.IndexByte(v, ','); j >= 0 {
				v = v[j+1:]
			} else {
				v = ""
			}
		} else {
			var rest string
			name, rest, _ = strings.Cut(v, ",")
			name, v = strings.ToLower(strings.TrimSpace(name)), rest
		}
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}

// settingRows are pg_settings' rows for the session: one for each parameter, in order of name.
func (s *settings) rows() []settingRow {
	out := make([]settingRow, 0, len(settingList))
	for i := range settingList {
		d := &settingList[i]
		k := strings.ToLower(d.name)
		r := settingRow{setting: d, value: s.must(d.name), source: "default"}
		if src, ok := s.sources[k]; ok {
			r.source = src
		}
		_, set := s.values[k]
		_, loc := s.local[k]
		if set || loc {
			r.source = "session"
		}
		r.reset = d.value
		if v, ok := s.defaults[k]; ok {
			r.reset = v
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b settingRow) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	return out
}

type settingRow struct {
	*setting
	value, source, reset string
}
