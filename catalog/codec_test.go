package catalog_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"layercake/catalog"
	"layercake/pgerror"
)

var update = flag.Bool("update", false, "write the golden files anew; asks the PostgreSQL 15 that psql finds")

// codecCase is an input and what PostgreSQL makes of it.
type codecCase struct {
	Type     string `json:"t"`
	Settings string `json:"s,omitempty"`
	In       string `json:"i"`
	Out      string `json:"o,omitempty"`
	Bin      string `json:"b,omitempty"` // hex
	Code     string `json:"c,omitempty"`
	Message  string `json:"m,omitempty"`
	Detail   string `json:"d,omitempty"`
	Hint     string `json:"h,omitempty"`
	Where    string `json:"w,omitempty"`
}

const codecGolden = "testdata/codec.golden"

// codecOracle is a function that tells how a value of a type is read, shown and sent.
const codecOracle = `
create or replace function pg_temp.try(typ text, src text) returns json language plpgsql as $$
declare out text; bin text; code text; msg text; det text; hint text; ctx text; send text;
begin
  select t.typsend::text into send from pg_type t where t.oid = typ::regtype;
  execute format('select format(''%%s'', %L::%s), encode(%s(%L::%s), ''hex'')', src, typ, send, src, typ) into out, bin;
  if typ like 'character%' then -- a literal's cast to a length cuts silently; what comes in from outside does not
    create temp table if not exists try_column ();
    execute format('alter table try_column drop column if exists v, add column v %s', typ);
    execute format('insert into try_column values (%L)', src);
  end if;
  return json_build_object('o', out, 'b', bin);
exception when others then
  get stacked diagnostics code = returned_sqlstate, msg = message_text, det = pg_exception_detail, hint = pg_exception_hint, ctx = pg_exception_context;
  if ctx not like 'JSON data%' then ctx := ''; end if;
  if position(E'\nSQL statement' in ctx) > 0 then ctx := left(ctx, position(E'\nSQL statement' in ctx) - 1); end if;
  if position(E'\nPL/pgSQL' in ctx) > 0 then ctx := left(ctx, position(E'\nPL/pgSQL' in ctx) - 1); end if;
  return json_build_object('c', code, 'm', msg, 'd', det, 'h', hint, 'w', ctx);
end $$;
`

// readCodecInputs returns the cases of the input file, without answers.
func readCodecInputs(t *testing.T) []codecCase {
	t.Helper()
	data, err := os.ReadFile("testdata/codec_inputs.txt")
	if err != nil {
		t.Fatal(err)
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\e`, "")
	var cases []codecCase
	typ, settings := "", ""
	for line := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "# "):
		case strings.HasPrefix(line, "= "):
			typ = line[2:]
		case strings.HasPrefix(line, "@ ") && strings.Contains(line, "="):
			settings = line[2:]
		default:
			cases = append(cases, codecCase{Type: typ, Settings: settings, In: unescape.Replace(line)})
		}
	}
	return cases
}

// askPostgres answers the cases by the server that psql connects to.
func askPostgres(t *testing.T, cases []codecCase) {
	t.Helper()
	var sql bytes.Buffer
	sql.WriteString(codecOracle)
	last := "?"
	for i := range cases {
		c := &cases[i]
		if c.Settings != last {
			sql.WriteString("set timezone='UTC'; set datestyle='ISO,MDY'; set intervalstyle='postgres'; set extra_float_digits=1; set bytea_output='hex';\n")
			for kv := range strings.FieldsSeq(c.Settings) {
				k, v, _ := strings.Cut(kv, "=")
				fmt.Fprintf(&sql, "set %s='%s';\n", k, v)
			}
			last = c.Settings
		}
		fmt.Fprintf(&sql, "select pg_temp.try(%s, %s);\n", catalog.QuoteLiteral(c.Type), catalog.QuoteLiteral(c.In))
	}
	cmd := exec.Command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
	cmd.Stdin, cmd.Stderr = &sql, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(cases) {
		t.Fatalf("psql answered %d lines to %d cases", len(lines), len(cases))
	}
	for i := range cases {
		if err := json.Unmarshal([]byte(lines[i]), &cases[i]); err != nil {
			t.Fatalf("%q: %v", lines[i], err)
		}
	}
}

// outputSettings makes the settings that a case names.
func outputSettings(t *testing.T, text string) *catalog.OutputSettings {
	t.Helper()
	s := catalog.DefaultOutput()
	for kv := range strings.FieldsSeq(text) {
		k, v, _ := strings.Cut(kv, "=")
		switch k {
		case "timezone":
			s.TimeZone, s.TimeZoneName = catalog.LookupZone(v)
		case "datestyle":
			style, order, ok := strings.Cut(v, ",")
			s.DateStyle = style
			if ok {
				s.DateOrder = order
			} else if style == "German" {
				s.DateOrder = "DMY"
			}
		case "intervalstyle":
			s.IntervalStyle = v
		case "extra_float_digits":
			fmt.Sscan(v, &s.ExtraFloatDigits)
		case "bytea_output":
			s.ByteaOutput = v
		default:
			t.Fatalf("unknown setting %q", kv)
		}
	}
	return s
}

// TestCodecsAgainstPostgres compares reading and showing of values, and the complaints, with PostgreSQL's.
func TestCodecsAgainstPostgres(t *testing.T) {
	if *update {
		cases := readCodecInputs(t)
		askPostgres(t, cases)
		var out bytes.Buffer
		for _, c := range cases {
			b, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(append(b, '\n'))
		}
		if err := os.WriteFile(codecGolden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(codecGolden)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(data) {
		var c codecCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		checkCodecCase(t, c)
		n++
	}
	if n < 500 {
		t.Errorf("only %d cases", n)
	}
}

func checkCodecCase(t *testing.T, c codecCase) {
	t.Helper()
	name := fmt.Sprintf("%s %q [%s]", c.Type, c.In, c.Settings)
	oid, typmod, err := catalog.LookupType(c.Type)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	s := outputSettings(t, c.Settings)
	v, err := catalog.DecodeText(oid, typmod, []byte(c.In), s)
	if c.Code != "" {
		var e *pgerror.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, %q; want error %s %s", name, err, catalog.AppendText(nil, oid, typmod, v, s), c.Code, c.Message)
			return
		}
		got := codecCase{Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint, Where: e.Where}
		want := codecCase{Code: c.Code, Message: c.Message, Detail: c.Detail, Hint: c.Hint, Where: c.Where}
		if got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v; want %q", name, err, c.Out)
		return
	}
	if got := string(catalog.AppendText(nil, oid, typmod, v, s)); got != c.Out {
		t.Errorf("%s: shown as %q, want %q", name, got, c.Out)
	}
	bin, err := catalog.AppendBinary(nil, oid, typmod, v)
	if got := hex.EncodeToString(bin); err != nil || got != c.Bin {
		t.Errorf("%s: sent as %s, %v; want %s", name, got, err, c.Bin)
	}
	want, _ := hex.DecodeString(c.Bin)
	back, err := catalog.DecodeBinary(oid, typmod, want)
	if err != nil || !back.Equal(v) {
		t.Errorf("%s: %s received as %v, %v; want %v", name, c.Bin, back, err, v)
	}
}
