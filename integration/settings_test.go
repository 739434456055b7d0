package integration

import "testing"

// TestUnusedSettings: PostgreSQL's settings that have no effect here are checked and shown as PostgreSQL does.
func TestUnusedSettings(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	for _, tc := range []struct{ name, value, want string }{ // what SHOW says, or the SQLSTATE and message
		{"work_mem", "'1.5MB'", "1536kB"},
		{"work_mem", "8192", "8MB"},
		{"work_mem", "'abc'", `22023 invalid value for parameter "work_mem": "abc"`},
		{"work_mem", "1", `22023 1 kB is outside the valid range for parameter "work_mem" (64 .. 2147483647)`},
		{"effective_cache_size", "1000", "8000kB"},
		{"effective_cache_size", "0", `22023 0 8kB is outside the valid range for parameter "effective_cache_size" (1 .. 2147483647)`},
		{"random_page_cost", "1.10", "1.1"},
		{"random_page_cost", "-1", `22023 -1 is outside the valid range for parameter "random_page_cost" (0 .. 1.79769e+308)`},
		{"geqo_threshold", "2.6", "3"},
		{"geqo_threshold", "'2kB'", `22023 invalid value for parameter "geqo_threshold": "2kB"`},
		{"enable_seqscan", "off", "off"},
		{"enable_seqscan", "'maybe'", `22023 parameter "enable_seqscan" requires a Boolean value`},
		{"log_min_duration_statement", "'1s'", "1s"},
		{"synchronous_commit", "off", "off"},
		{"synchronous_commit", "'nope'", `22023 invalid value for parameter "synchronous_commit": "nope"`},
		{"session_replication_role", "'origin'", "origin"},
		{"session_replication_role", "'replica'", "0A000 session_replication_role = replica is not supported: foreign keys are always checked"},
		{"client_encoding", "'nope'", `22023 invalid value for parameter "client_encoding": "nope"`},
	} {
		sql := "SET " + tc.name + " = " + tc.value
		if len(tc.want) > 6 && tc.want[5] == ' ' {
			if e := fails(t, conn, tc.want[:5], sql); e.Message != tc.want[6:] {
				t.Errorf("%s: %s", sql, e.Message)
			}
			continue
		}
		exec(t, conn, sql)
		if got := one(t, conn, "SELECT current_setting($1)", tc.name); got != tc.want {
			t.Errorf("%s: %s, want %s", sql, got, tc.want)
		}
	}
	exec(t, conn, "RESET ALL")
	if got := one(t, conn, "SELECT setting || unit FROM pg_settings WHERE name = 'work_mem'"); got != "4096kB" {
		t.Errorf("pg_settings: %s", got)
	}
}
