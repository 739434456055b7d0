package server

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"layercake/pgerror"
)

// unusedSettings are PostgreSQL's settings for its planner, memory, disks and log that clients and dumps set. They are
// checked as PostgreSQL does, kept and shown, and have no effect: SQLite plans and keeps its memory in its own way.
func unusedSettings() []setting {
	out := []setting{
		{name: "constraint_exclusion", value: "partition", vartype: "enum", values: []string{"partition", "on", "off"}, desc: "Enables the planner to use constraints to optimize queries."},
		{name: "escape_string_warning", value: "on", vartype: "bool", desc: "Warn about backslash escapes in ordinary string literals."},
		{name: "geqo", value: "on", vartype: "bool", desc: "Enables genetic query optimization."},
		{name: "jit", value: "on", vartype: "bool", desc: "Allow JIT compilation."},
		{name: "log_duration", value: "off", vartype: "bool", desc: "Logs the duration of each completed SQL statement."},
		{name: "log_statement", value: "none", vartype: "enum", values: []string{"none", "ddl", "mod", "all"}, desc: "Sets the type of statements logged."},
		{name: "parallel_leader_participation", value: "on", vartype: "bool", desc: "Controls whether Gather and Gather Merge also run subplans."},
		{name: "plan_cache_mode", value: "auto", vartype: "enum", values: []string{"auto", "force_generic_plan", "force_custom_plan"}, desc: "Controls the planner's selection of custom or generic plan."},
		{name: "session_replication_role", value: "origin", vartype: "enum", check: checkReplicationRole, desc: "Sets the session's behavior for triggers and rewrite rules: foreign keys are never switched off here."},
	}
	for _, n := range strings.Fields(`async_append bitmapscan gathermerge hashagg hashjoin incremental_sort indexonlyscan indexscan
		material memoize mergejoin nestloop parallel_append parallel_hash partition_pruning partitionwise_aggregate
		partitionwise_join seqscan sort tidscan`) {
		s := setting{name: "enable_" + n, value: "on", vartype: "bool", desc: "Accepted for PostgreSQL's clients: SQLite chooses the plans."}
		if strings.HasPrefix(n, "partitionwise") {
			s.value = "off"
		}
		out = append(out, s)
	}
	for _, n := range []struct {
		name, value, unit string
		lo, hi            float64
	}{
		{"default_statistics_target", "100", "", 1, 10000},
		{"effective_cache_size", "4GB", "8kB", 1, math.MaxInt32},
		{"effective_io_concurrency", "1", "", 0, 1000},
		{"from_collapse_limit", "8", "", 1, math.MaxInt32},
		{"geqo_effort", "5", "", 1, 10},
		{"geqo_generations", "0", "", 0, math.MaxInt32},
		{"geqo_pool_size", "0", "", 0, math.MaxInt32},
		{"geqo_threshold", "12", "", 2, math.MaxInt32},
		{"join_collapse_limit", "8", "", 1, math.MaxInt32},
		{"log_min_duration_statement", "-1", "ms", -1, math.MaxInt32},
		{"logical_decoding_work_mem", "64MB", "kB", 64, math.MaxInt32},
		{"maintenance_io_concurrency", "10", "", 0, 1000},
		{"maintenance_work_mem", "64MB", "kB", 1024, math.MaxInt32},
		{"max_parallel_maintenance_workers", "2", "", 0, 1024},
		{"max_parallel_workers", "8", "", 0, 1024},
		{"max_parallel_workers_per_gather", "2", "", 0, 1024},
		{"min_parallel_index_scan_size", "512kB", "8kB", 0, math.MaxInt32 / 3},
		{"min_parallel_table_scan_size", "8MB", "8kB", 0, math.MaxInt32 / 3},
		{"temp_buffers", "8MB", "8kB", 100, math.MaxInt32 / 2},
		{"work_mem", "4MB", "kB", 64, math.MaxInt32},
	} {
		out = append(out, setting{name: n.name, value: n.value, vartype: "integer", unit: n.unit,
			check: checkNumber(n.name, n.unit, n.lo, n.hi, true), desc: "Accepted for PostgreSQL's clients, without effect."})
	}
	for _, n := range []struct {
		name, value string
		lo, hi      float64
	}{
		{"cpu_index_tuple_cost", "0.005", 0, math.MaxFloat64}, {"cpu_operator_cost", "0.0025", 0, math.MaxFloat64},
		{"cpu_tuple_cost", "0.01", 0, math.MaxFloat64}, {"cursor_tuple_fraction", "0.1", 0, 1}, {"geqo_seed", "0", 0, 1},
		{"geqo_selection_bias", "2", 1.5, 2}, {"hash_mem_multiplier", "2", 1, 1000}, {"jit_above_cost", "100000", -1, math.MaxFloat64},
		{"jit_inline_above_cost", "500000", -1, math.MaxFloat64}, {"jit_optimize_above_cost", "500000", -1, math.MaxFloat64},
		{"parallel_setup_cost", "1000", 0, math.MaxFloat64}, {"parallel_tuple_cost", "0.1", 0, math.MaxFloat64},
		{"random_page_cost", "4", 0, math.MaxFloat64}, {"seq_page_cost", "1", 0, math.MaxFloat64},
	} {
		out = append(out, setting{name: n.name, value: n.value, vartype: "real",
			check: checkNumber(n.name, "", n.lo, n.hi, false), desc: "Accepted for PostgreSQL's clients, without effect."})
	}
	return out
}

// checkReplicationRole takes what leaves foreign keys in force.
func checkReplicationRole(v string) (string, error) {
	switch w := strings.ToLower(v); w {
	case "origin":
		return w, nil
	case "replica", "local":
		return "", pgerror.New(pgerror.FeatureNotSupported, "session_replication_role = %s is not supported: foreign keys are always checked", w)
	}
	return "", pgerror.New(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", "session_replication_role", v).
		WithHint("Available values: origin, replica, local.")
}

// settingUnit is a unit that a setting may be written in.
type settingUnit struct {
	name string
	size float64 // in bytes, or ms
}

var (
	memoryUnits = []settingUnit{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"B", 1}}
	timeUnits   = []settingUnit{{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {"us", 0.001}}
)

// checkNumber reads a number as PostgreSQL does (parse_int, parse_real in guc.c): in the setting's own unit ("", "kB",
// "8kB", "ms") or with one behind it, and shows it in the largest unit that leaves it whole.
func checkNumber(name, unit string, lo, hi float64, whole bool) func(string) (string, error) {
	units, hint, base := memoryUnits, `Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".`, 1.0
	switch unit {
	case "kB":
		base = 1 << 10
	case "8kB":
		base = 8 << 10
	case "ms":
		units, hint = timeUnits, `Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".`
	default:
		units = nil
	}
	return func(v string) (string, error) {
		invalid := pgerror.New(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", name, v)
		num, of := cutNumber(strings.TrimSpace(v))
		f, err := strconv.ParseFloat(num, 64)
		if n, e := strconv.ParseInt(num, 0, 64); e == nil && whole {
			f, err = float64(n), nil // 0x10 and 010 too
		}
		if err != nil || math.IsNaN(f) {
			return "", invalid
		}
		if of != "" {
			i := slices.IndexFunc(units, func(u settingUnit) bool { return u.name == of })
			if i < 0 {
				if units != nil {
					invalid = invalid.WithHint("%s", hint)
				}
				return "", invalid
			}
			f = f * units[i].size / base
		}
		if whole {
			f = math.RoundToEven(f)
			if math.Abs(f) > math.MaxInt32 {
				return "", invalid.WithHint("Value exceeds integer range.")
			}
		}
		show := func(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }
		if whole {
			show = func(f float64) string { return strconv.FormatInt(int64(f), 10) }
		}
		if f < lo || f > hi {
			shown := show(f)
			if unit != "" {
				shown += " " + unit
			}
			return "", pgerror.New(pgerror.InvalidParameterValue, "%s is outside the valid range for parameter \"%s\" (%s .. %s)", shown, name, show(lo), show(hi))
		}
		if f > 0 {
			for _, u := range units {
				if n := f * base / u.size; n == math.Trunc(n) {
					return show(n) + u.name, nil
				}
			}
		}
		return show(f), nil
	}
}

// inUnit is a value as pg_settings has it: a number of the setting's unit.
func (s *setting) inUnit(v string) string {
	units, base := memoryUnits, map[string]float64{"kB": 1 << 10, "8kB": 8 << 10, "ms": 1}[s.unit]
	if s.unit == "ms" {
		units = timeUnits
	}
	num, of := cutNumber(v)
	i := slices.IndexFunc(units, func(u settingUnit) bool { return u.name == of })
	f, err := strconv.ParseFloat(num, 64)
	if base == 0 || i < 0 || err != nil {
		return v
	}
	return strconv.FormatFloat(f*units[i].size/base, 'f', -1, 64)
}

// cutNumber splits a number and the unit behind it.
func cutNumber(v string) (num, unit string) {
	if len(v) > 1 && v[0] == '0' && (v[1] == 'x' || v[1] == 'X') {
		return v, ""
	}
	i := 0
	for i < len(v) && (v[i] >= '0' && v[i] <= '9' || v[i] == '.' || (v[i] == '+' || v[i] == '-') && (i == 0 || v[i-1] == 'e' || v[i-1] == 'E') ||
		(v[i] == 'e' || v[i] == 'E') && i > 0 && i+1 < len(v) && strings.IndexByte("+-0123456789", v[i+1]) >= 0) {
		i++
	}
	return v[:i], strings.TrimSpace(v[i:])
}
