package sqlfunc

import (
	"math"
	"strings"
	"unicode/utf8"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

// format has $env, the format and the typed arguments.
func format(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if len(args) < 2 {
		return null, badArgs("lc_format", errCount)
	}
	s, err := settings(args[0])
	if err != nil {
		return null, err
	}
	list, err := typedArgs(args[2:])
	if err != nil || args[1].IsNull() {
		return null, err
	}
	f := formatter{rest: text(args[1]), args: list, settings: s}
	if err := f.run(); err != nil {
		return null, err
	}
	return catalog.Str(f.out.String()), nil
}

// formatter runs through a format string: literal text and specifiers %[n$][-][width]type.
type formatter struct {
	rest     string
	args     []typed
	settings *catalog.OutputSettings
	next     int // argument that comes next, from 0
	out      strings.Builder
}

func (f *formatter) run() error {
	for {
		at := strings.IndexByte(f.rest, '%')
		if at < 0 {
			f.out.WriteString(f.rest)
			return nil
		}
		f.out.WriteString(f.rest[:at])
		f.rest = f.rest[at+1:]
		if strings.HasPrefix(f.rest, "%") {
			f.out.WriteByte('%')
			f.rest = f.rest[1:]
			continue
		}
		if err := f.specifier(); err != nil {
			return err
		}
	}
}

// errUnfinished is the complaint about a specifier at the end of the format.
func errUnfinished() error {
	return withHint(errf("22023", "unterminated format() type specifier"), "For a single \"%\" use \"%%\".")
}

// digits takes a number; ok false if none stands here.
func (f *formatter) digits() (n int, ok bool, err error) {
	for f.rest != "" && f.rest[0] >= '0' && f.rest[0] <= '9' {
		if n > (math.MaxInt32-9)/10 {
			return 0, false, errf("22003", "number is out of range")
		}
		n, ok = n*10+int(f.rest[0]-'0'), true
		f.rest = f.rest[1:]
	}
	if ok && f.rest == "" {
		return 0, false, errUnfinished()
	}
	return n, ok, nil
}

// take returns argument n, from 1; 0 is the next one.
func (f *formatter) take(n int) (typed, error) {
	if n == 0 {
		f.next++
		n = f.next
	} else {
		f.next = n
	}
	if n > len(f.args) {
		return typed{}, errf("22023", "too few arguments for format()")
	}
	return f.args[n-1], nil
}

func (f *formatter) specifier() error {
	if f.rest == "" {
		return errUnfinished()
	}
	arg, width, left := 0, 0, false
	n, ok, err := f.digits()
	if err != nil {
		return err
	}
	switch {
	case ok && strings.HasPrefix(f.rest, "$"):
		if arg, f.rest = n, f.rest[1:]; arg == 0 {
			return errf("22023", "format specifies argument 0, but arguments are numbered from 1")
		}
		ok = false
	case ok:
		width = n
	}
	if !ok {
		for strings.HasPrefix(f.rest, "-") {
			left, f.rest = true, f.rest[1:]
		}
		if strings.HasPrefix(f.rest, "*") {
			if width, err = f.widthArgument(); err != nil {
				return err
			}
		} else if width, _, err = f.digits(); err != nil {
			return err
		}
	}
	if f.rest == "" {
		return errUnfinished()
	}
	typ, size := utf8.DecodeRuneInString(f.rest)
	if typ != 's' && typ != 'I' && typ != 'L' {
		return withHint(errf("22023", "unrecognized format() type specifier \"%c\"", typ), "For a single \"%\" use \"%%\".")
	}
	f.rest = f.rest[size:]
	a, err := f.take(arg)
	if err != nil {
		return err
	}
	return f.convert(typ, a, width, left)
}

// widthArgument reads *, or *n$: a width that is an argument.
func (f *formatter) widthArgument() (int, error) {
	f.rest = f.rest[1:]
	n, ok, err := f.digits()
	if err != nil {
		return 0, err
	}
	if ok {
		if !strings.HasPrefix(f.rest, "$") {
			return 0, errf("22023", "width argument position must be ended by \"$\"")
		}
		if f.rest = f.rest[1:]; n == 0 {
			return 0, errf("22023", "format specifies argument 0, but arguments are numbered from 1")
		}
	}
	a, err := f.take(n)
	if err != nil || a.v.IsNull() {
		return 0, err
	}
	w, err := catalog.DecodeText(catalog.Int4OID, -1, a.appendText(nil, f.settings), f.settings)
	return int(w.Int()), err
}

func (f *formatter) convert(typ rune, a typed, width int, left bool) error {
	s := string(a.appendText(nil, f.settings))
	switch {
	case a.v.IsNull() && typ == 'I':
		return errf("22004", "null values cannot be formatted as an SQL identifier")
	case a.v.IsNull() && typ == 'L':
		s = "NULL"
	case typ == 'I':
		s = catalog.QuoteIdent(s)
	case typ == 'L':
		s = catalog.QuoteLiteral(s)
	}
	if width < 0 {
		left, width = true, -width
	}
	if width > maxText {
		return errf("22003", "number is out of range")
	}
	fill := max(0, width-utf8.RuneCountInString(s))
	if !left {
		f.out.WriteString(strings.Repeat(" ", fill))
	}
	f.out.WriteString(s)
	if left {
		f.out.WriteString(strings.Repeat(" ", fill))
	}
	return nil
}
