package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var testOptions = []option{
	{name: "name", help: "a name"},
	{name: "level", def: "info", help: "has a default"},
	{name: "join", many: true, help: "a list"},
	{name: "insecure", flag: true, help: "takes no value"},
	{name: "config", help: "the file"},
}

func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// TestPrecedence: a flag goes before its variable, the variable before the key in the file, the key before the default.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.toml")
	text := "name = \"file\"\nlevel = \"debug\"\njoin = [\"f1:1\", \"f2:2\"]\ninsecure = true\n[settings]\nwork_mem = 64\nconsistency = \"one\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name                        string
		args                        []string
		env                         map[string]string
		wantName, wantLevel, wantTo string
		insecure                    bool
	}{
		{"defaults", nil, nil, "", "info", "", false},
		{"file", []string{"--config", file}, nil, "file", "debug", "f1:1 f2:2", true},
		{"file named by the environment", nil, map[string]string{"LAYERCAKE_CONFIG": file}, "file", "debug", "f1:1 f2:2", true},
		{"environment before file", []string{"--config", file}, map[string]string{"LAYERCAKE_NAME": "env", "LAYERCAKE_JOIN": "e1:1,e2:2", "LAYERCAKE_INSECURE": "false"}, "env", "debug", "e1:1 e2:2", false},
		{"flag before environment", []string{"--config", file, "--name", "flag", "--join=a:1", "--join", "b:2", "--insecure=false"},
			map[string]string{"LAYERCAKE_NAME": "env", "LAYERCAKE_JOIN": "e1:1", "LAYERCAKE_INSECURE": "true"}, "flag", "debug", "a:1 b:2", false},
		{"the last of a flag given twice", []string{"--name", "a", "--name", "b"}, nil, "b", "info", "", false},
		{"a flag without a value", []string{"--insecure"}, nil, "", "info", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o, err := parseOptions("test", testOptions, tc.args, environment(tc.env), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if got := o.get("name"); got != tc.wantName {
				t.Errorf("name: got %q, want %q", got, tc.wantName)
			}
			if got := o.get("level"); got != tc.wantLevel {
				t.Errorf("level: got %q, want %q", got, tc.wantLevel)
			}
			if got := strings.Join(o.list("join"), " "); got != tc.wantTo {
				t.Errorf("join: got %q, want %q", got, tc.wantTo)
			}
			if got := o.is("insecure"); got != tc.insecure {
				t.Errorf("insecure: got %v, want %v", got, tc.insecure)
			}
			if tc.wantLevel == "debug" && (o.settings["work_mem"] != "64" || o.settings["consistency"] != "one") {
				t.Errorf("settings: got %v", o.settings)
			}
		})
	}
}

// TestBadOptions: what makes no sense is refused by name.
func TestBadOptions(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{[]string{"--colour", "blue"}, nil, "colour"},
		{[]string{"--name"}, nil, "name"},
		{[]string{"stray"}, nil, "stray"},
		{[]string{"--insecure=perhaps"}, nil, "insecure"},
		{nil, map[string]string{"LAYERCAKE_INSECURE": "perhaps"}, "perhaps"},
		{[]string{"--config", filepath.Join(dir, "nowhere")}, nil, "nowhere"},
		{[]string{"--config", file("a.toml", "colour = 1\n")}, nil, "colour"},
		{[]string{"--config", file("b.toml", "config = 'other'\n")}, nil, "config"},
		{[]string{"--config", file("c.toml", "settings = 1\n")}, nil, "settings"},
		{[]string{"--config", file("d.toml", "insecure = 'perhaps'\n")}, nil, "perhaps"},
		{[]string{"--config", file("e.toml", "name =\n")}, nil, "e.toml"},
	} {
		_, err := parseOptions("test", testOptions, tc.args, environment(tc.env), io.Discard)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v %v: got %v, want an error that names %q", tc.args, tc.env, err, tc.want)
		}
	}
	if _, err := parseOptions("test", testOptions, []string{"--help"}, environment(nil), io.Discard); !errors.Is(err, errHelp) {
		t.Errorf("--help: got %v", err)
	}
}

// TestExitCodes: 0 all is well, 1 something is not, 2 it could not be told, or the command line makes no sense.
func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		args string
		code int
		want string // in stdout or stderr
	}{
		{"", 2, "usage:"},
		{"help", 0, "verify"},
		{"version", 0, "layercake " + version},
		{"bake", 2, `unknown command "bake"`},
		{"node", 2, "node list"},
		{"start --name x", 2, "--data"},
		{"start --help", 0, "LAYERCAKE_GOSSIP_ADDR"},
		{"demo --nodes ten", 2, "--nodes"},
		{"demo --pg-port 0", 2, "--pg-port"},
		{"status --timeout soon", 2, "--timeout"},
		{"verify --url mysql://x", 2, "--url"},
		{"health --http-addr nowhere", 2, "--http-addr"},
		{"health --http-addr 127.0.0.1:1", 1, "127.0.0.1:1"}, // nobody listens
		{"node list --url postgres://a@127.0.0.1:1/postgres", 2, "127.0.0.1"},
	} {
		var stdout, stderr bytes.Buffer
		code := Main(context.Background(), strings.Fields(tc.args), environment(nil), &stdout, &stderr)
		if code != tc.code {
			t.Errorf("layercake %s: exit code %d, want %d", tc.args, code, tc.code)
		}
		if out := stdout.String() + stderr.String(); !strings.Contains(out, tc.want) {
			t.Errorf("layercake %s: no %q in:\n%s", tc.args, tc.want, out)
		}
	}
}
