package sqlfunc_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/sqlstore/sqlfunc"
	"layercake/sqlstore/sqlite"
)

func open(t testing.TB) *sqlite.Conn {
	t.Helper()
	sqlfunc.Register()
	c, err := sqlite.Open("", sqlite.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// literal is an argument of a golden call: a constant in PostgreSQL's text form, with its type.
type literal struct {
	typ  uint32
	mod  int32
	null bool
	text string
}

var env = catalog.DefaultOutput()

func init() {
	env.TimeZone, env.TimeZoneName = catalog.LookupZone("Europe/Berlin")
}

// golden is a line of a golden file: call, result type, result or SQLSTATE, separated by tabs. A call is a function's
// name, or an operator, and arguments type'text' (or NULL).
type golden struct {
	line   int
	call   string
	typ    string
	result string
}

func readGoldens(t *testing.T, path string) []golden {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []golden
	for i, l := range strings.Split(string(b), "\n") {
		f := strings.Split(l, "\t")
		if len(f) == 3 {
			out = append(out, golden{i + 1, f[0], f[1], f[2]})
		}
	}
	return out
}

var argForm = regexp.MustCompile(`^([a-z0-9_]+)(?:\((-?\d+)\))?(?:'((?:[^']|'')*)'|(NULL))`)

// parseCall reads "name(a, b)", "a OP b", "OP a" or "a::type".
func parseCall(t *testing.T, s string) (name string, args []literal, cast string) {
	t.Helper()
	arg := func() bool {
		s = strings.TrimLeft(s, " ,")
		m := argForm.FindStringSubmatch(s)
		if m == nil {
			return false
		}
		typ := catalog.TypeByName(m[1])
		if typ == nil {
			t.Fatalf("unknown type %q", m[1])
		}
		l := literal{typ: typ.OID, mod: -1, null: m[4] != "", text: strings.ReplaceAll(m[3], "''", "'")}
		if m[2] != "" {
			n, _ := strconv.Atoi(m[2])
			l.mod = int32(n)
		}
		args = append(args, l)
		s = s[len(m[0]):]
		return true
	}
	if m := regexp.MustCompile(`^([a-z0-9_]+)\(`).FindString(s); m != "" && !argForm.MatchString(s) {
		name, s = m[:len(m)-1], s[len(m):]
		for arg() {
		}
		return name, args, ""
	}
	arg()
	s = strings.TrimLeft(s, " ")
	if rest, ok := strings.CutPrefix(s, "::"); ok {
		return "", args, rest
	}
	name, s, _ = strings.Cut(s, " ")
	arg()
	return name, args, ""
}

// emit makes the SQL of a template.
func emit(impl string, args []literal, vals []string, ret uint32, mod int32) string {
	if !strings.ContainsAny(impl, "$( '") && !regexp.MustCompile(`^[0-9.]+$`).MatchString(impl) {
		return impl + "(" + strings.Join(vals, ", ") + ")"
	}
	var all, typed []string
	for i, a := range args {
		all = append(all, vals[i])
		typed = append(typed, fmt.Sprintf("%d, %d, %s", a.typ, a.mod, vals[i]))
	}
	impl = strings.ReplaceAll(impl, "$args", strings.Join(all, ", "))
	if len(typed) > 0 {
		impl = strings.ReplaceAll(impl, ", $targs2", strings.Join(append([]string{""}, typed[1:]...), ", "))
	}
	impl = strings.ReplaceAll(impl, "$targs", strings.Join(typed, ", "))
	return regexp.MustCompile(`\$[a-z]*[0-9]?`).ReplaceAllStringFunc(impl, func(v string) string {
		switch v {
		case "$tz":
			return "'" + env.TimeZoneName + "'"
		case "$env":
			return "'" + env.String() + "'"
		case "$rt":
			return strconv.Itoa(int(ret))
		case "$m":
			return strconv.Itoa(int(mod))
		case "$x":
			return "1"
		case "$now", "$snow":
			return "757382400000000" // 2024-01-01
		}
		n := int(v[len(v)-1] - '1')
		switch v[:len(v)-1] {
		case "$t":
			return strconv.Itoa(int(args[n].typ))
		case "$m":
			return strconv.Itoa(int(args[n].mod))
		}
		return vals[n]
	})
}

// resolve finds the function or operator whose arguments are exactly those given, or that they match polymorphically.
func matches(want []uint32, variadic bool, args []literal) bool {
	if variadic && len(args) >= len(want) {
		last := want[len(want)-1]
		if last == catalog.AnyOID {
			want = append([]uint32{}, want[:len(want)-1]...)
			for len(want) < len(args) {
				want = append(want, catalog.AnyOID)
			}
		}
	}
	if len(want) != len(args) {
		return false
	}
	for i, w := range want {
		if w == args[i].typ {
			continue
		}
		name := catalog.TypeByOID(w).Name
		array := catalog.ElemOf(args[i].typ) != 0
		switch name {
		case "any", "anyelement":
		case "anycompatible":
			if array && len(args) == 2 && args[0].typ == args[1].typ {
				return false
			}
		case "anyarray", "anycompatiblearray":
			if !array {
				return false
			}
		case "anynonarray":
			if array {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// run works out a golden call as pgsql would, and gives its result as text.
func run(t *testing.T, c *sqlite.Conn, g golden) (string, error) {
	t.Helper()
	name, args, cast := parseCall(t, g.call)
	retType := catalog.TypeByName(g.typ)
	if retType == nil {
		t.Fatalf("line %d: unknown type %q", g.line, g.typ)
	}
	ret, mod := retType.OID, int32(-1)
	var vals []string
	var binds []catalog.Value
	for i, a := range args {
		v := catalog.Value{}
		if !a.null {
			var err error
			if v, err = catalog.DecodeText(a.typ, a.mod, []byte(a.text), env); err != nil {
				return "", err
			}
		}
		binds = append(binds, v)
		vals = append(vals, fmt.Sprintf("?%d", i+1))
	}
	impl, set := "", false
	switch {
	case cast != "":
		to, m, err := catalog.LookupType(cast)
		if err != nil {
			t.Fatal(err)
		}
		impl, ret, mod = "$1", to, m
		if to != args[0].typ {
			k, ok := catalog.FindCast(args[0].typ, to)
			if !ok {
				return "", pgerror.New("42846", "no cast")
			}
			if k.Impl != "" {
				impl = k.Impl
			}
		}
		if m >= 0 {
			if k, ok := catalog.FindCast(to, to); ok {
				impl = strings.ReplaceAll(k.Impl, "$1", emit(impl, args, vals, ret, m))
			}
		}
	default:
		for _, f := range catalog.FunctionsNamed(name) {
			for i, def := range f.ArgDefaults {
				if n := len(f.Args) - len(f.ArgDefaults) + i; len(args) == n && matches(f.Args[:n], false, args) {
					args = append(args, literal{typ: f.Args[n], mod: -1, text: strings.Trim(def, "'")})
					v, err := catalog.DecodeText(f.Args[n], -1, []byte(strings.Trim(def, "'")), env)
					if err != nil {
						t.Fatal(err)
					}
					binds, vals = append(binds, v), append(vals, fmt.Sprintf("?%d", n+1))
				}
			}
			if matches(f.Args, f.Variadic, args) {
				impl, set = f.Impl, f.RetSet
				if f.Impl == "@cast" {
					k, _ := catalog.FindCast(args[0].typ, f.Ret)
					if impl = k.Impl; impl == "" {
						impl = "$1"
					}
				}
				if set && !catalog.IsPseudo(f.Ret) {
					ret = f.Ret
				}
				if len(f.OutTypes) > 1 {
					ret = catalog.RecordOID
				}
				break
			}
		}
		best := -1
		for _, o := range catalog.OperatorsNamed(name) {
			want := []uint32{o.Left, o.Right}
			if o.Left == 0 {
				want = want[1:]
			}
			exact := 0
			for i := range want {
				if i < len(args) && want[i] == args[i].typ {
					exact++
				}
			}
			if matches(want, false, args) && exact > best {
				impl, best = o.Impl, exact
			}
		}
	}
	if impl == "" {
		t.Errorf("line %d: %s: no such function", g.line, g.call)
		return "", nil
	}
	sql := "SELECT " + emit(impl, args, vals, ret, mod)
	if set && !strings.HasPrefix(impl, "lc_series(") && !strings.HasPrefix(impl, "lc_unnest(") {
		sql = "SELECT value FROM lc_unnest(" + strings.TrimPrefix(sql, "SELECT ") + ")"
	} else if set {
		sql = "SELECT value FROM " + strings.TrimPrefix(sql, "SELECT ")
	}
	stmt, err := c.Stmt(sql)
	if err != nil {
		t.Errorf("line %d: %s: %s: %v", g.line, g.call, sql, err)
		return "", nil
	}
	rows, err := stmt.Query(binds)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		v := rows.Values()[0]
		if v.IsNull() {
			out = append(out, "NULL")
			continue
		}
		out = append(out, string(catalog.AppendText(nil, ret, mod, v, env)))
	}
	return strings.Join(out, "|"), rows.Err()
}

func TestGolden(t *testing.T) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	c := open(t)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".tsv") {
			continue
		}
		t.Run(strings.TrimSuffix(f.Name(), ".tsv"), func(t *testing.T) {
			for _, g := range readGoldens(t, "testdata/"+f.Name()) {
				got, err := run(t, c, g)
				if err != nil {
					e := pgerror.From(err)
					got = "ERROR " + e.Code + ": " + e.Message
				}
				if got = strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(got); got != g.result {
					t.Errorf("line %d: %s\n got  %s\n want %s", g.line, g.call, got, g.result)
				}
			}
		})
	}
}
