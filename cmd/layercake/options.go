package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/BurntSushi/toml"
)

// option is one setting of a command: a flag --name, an environment variable LAYERCAKE_NAME and a key of the config
// file, in this order of precedence.
type option struct {
	name, def, help string
	many            bool // may be given more than once; comma-separated in the environment, a list in the file
	flag            bool // takes no value
}

func (o *option) env() string {
	return "LAYERCAKE_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// options are a command's values, by name.
type options struct {
	values   map[string][]string
	settings map[string]string // the config file's [settings]
}

func (o *options) get(name string) string {
	if v := o.values[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

func (o *options) list(name string) []string { return o.values[name] }
func (o *options) is(name string) bool       { return o.get(name) == "true" }

// listValue collects a flag's values.
type listValue struct {
	values []string
	isFlag bool
}

func (l *listValue) String() string { return "" }
func (l *listValue) Set(v string) error {
	if l.isFlag && v != "true" && v != "false" {
		return fmt.Errorf("takes true or false")
	}
	l.values = append(l.values, v)
	return nil
}
func (l *listValue) IsBoolFlag() bool { return l.isFlag }

// parseOptions reads a command's flags, environment and config file.
func parseOptions(command string, defs []option, args []string, getenv func(string) string, stderr io.Writer) (*options, error) {
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprintf(stderr, "usage: layercake %s [flags]\n\nEach flag has an environment variable and, if the command reads one, a key in the config file.\n\n", command)
		for i := range defs {
			d := &defs[i]
			def := ""
			if d.def != "" {
				def = " (default " + d.def + ")"
			}
			fmt.Fprintf(stderr, "  --%-22s %s%s\n      %s\n", d.name, d.help, def, d.env())
		}
	}
	given := map[string]*listValue{}
	for i := range defs {
		v := &listValue{isFlag: defs[i].flag}
		given[defs[i].name] = v
		fs.Var(v, defs[i].name, defs[i].help)
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, errHelp
		}
		return nil, usageError(err.Error())
	}
	if fs.NArg() > 0 {
		return nil, usageError(fmt.Sprintf("unexpected argument %q", fs.Arg(0)))
	}
	o := &options{values: map[string][]string{}}
	for i := range defs {
		d := &defs[i]
		if v := given[d.name].values; v != nil {
			o.values[d.name] = v
		} else if v := getenv(d.env()); v != "" {
			if d.many {
				o.values[d.name] = strings.Split(v, ",")
			} else {
				o.values[d.name] = []string{v}
			}
		}
	}
	if given["config"] != nil {
		if err := o.readFile(o.get("config"), defs); err != nil {
			return nil, err
		}
	}
	for i := range defs {
		d := &defs[i]
		if o.values[d.name] == nil && d.def != "" {
			o.values[d.name] = []string{d.def}
		}
		if v := o.get(d.name); d.flag && v != "" && v != "true" && v != "false" {
			return nil, usageError(fmt.Sprintf("%s takes true or false, not %q", d.name, v))
		}
	}
	return o, nil
}

// readFile fills in what flags and environment left open.
func (o *options) readFile(path string, defs []option) error {
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("config file: %w", err)
	}
	var file map[string]any
	if err := toml.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("config file %s: %w", path, err)
	}
	known := map[string]bool{}
	for i := range defs {
		known[defs[i].name] = true
	}
	for k, v := range file {
		if k == "settings" {
			m, ok := v.(map[string]any)
			if !ok {
				return fmt.Errorf("config file %s: [settings] must be a table", path)
			}
			o.settings = map[string]string{}
			for name, val := range m {
				o.settings[name] = fmt.Sprint(val)
			}
			continue
		}
		if !known[k] || k == "config" {
			return fmt.Errorf("config file %s: unknown key %q", path, k)
		}
		if o.values[k] != nil {
			continue
		}
		if list, ok := v.([]any); ok {
			for _, e := range list {
				o.values[k] = append(o.values[k], fmt.Sprint(e))
			}
			continue
		}
		o.values[k] = []string{fmt.Sprint(v)}
	}
	return nil
}
