package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"layercake/server"
)

var backupOptions = []option{
	{name: "url", help: "postgres://user@host:port/database of the node to back up"},
	{name: "timeout", def: "0", help: "how long the whole may take, 0 for as long as it takes"},
	{name: "consistency", def: "none", help: "read level: what the copy has at least, such as quorum"},
	{name: "force", flag: true, help: "replace FILE if it is there"},
}

// runBackup writes a copy of a running node's data to a file: whole, verified and durable, or not at all.
func runBackup(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	path, args, err := takeOperand("backup", "FILE", args)
	if err != nil {
		return err
	}
	o, err := parseOptions("backup FILE", backupOptions, args, getenv, stdout)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil && !o.is("force") {
		return fmt.Errorf("%s exists; --force replaces it", path)
	}
	ctx, cancel, err := bounded(ctx, o.get("timeout"))
	if err != nil {
		return err
	}
	defer cancel()
	conn, err := connect(ctx, o.get("url"), func(c *pgconn.Config) { c.OnNotice = notices(stderr) })
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if _, err := conn.query(ctx, "SELECT set_config('read_consistency', $1, false)", o.get("consistency")); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".partial-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // nothing half is left, whatever went wrong
			err = errors.Join(err, f.Close(), ignoreMissing(os.Remove(f.Name())))
		}
	}()
	if err := receiveBackup(ctx, conn, f); err != nil {
		return err
	}
	info, err := server.ReadBackup(f, true)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil && !o.is("force") {
		return fmt.Errorf("%s exists; --force replaces it", path)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if err := errors.Join(f.Close(), syncFolder(filepath.Dir(path))); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "backed up %s as of %s: %d bytes in %s\n", info.Node, info.Taken.Format(time.RFC3339), info.Size, path)
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// receiveBackup has the node send its backup, and writes the chunks of the COPY one after the other.
func receiveBackup(ctx context.Context, conn *client, to io.Writer) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := copyChunks(to, bufio.NewReaderSize(r, 1<<20))
		r.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		done <- err
	}()
	_, err := conn.CopyTo(ctx, w, "COPY layercake.backup TO STDOUT (FORMAT binary)")
	w.CloseWithError(err) // nil is io.EOF
	if werr := <-done; werr != nil && (err == nil || errors.Is(err, io.ErrClosedPipe)) {
		return werr
	}
	return err
}

// copyChunks writes the fields of COPY's binary format one after the other
// (https://www.postgresql.org/docs/15/sql-copy.html, File Formats).
func copyChunks(to io.Writer, r io.Reader) error {
	var head [19]byte // signature, flags, length of the extension
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("the backup ends too early: %w", err)
	}
	if string(head[:11]) != "PGCOPY\n\xff\r\n\x00" {
		return errors.New("the node does not send COPY's binary format")
	}
	if _, err := io.CopyN(io.Discard, r, int64(binary.BigEndian.Uint32(head[15:]))); err != nil {
		return err
	}
	for {
		var tuple struct{ Fields int16 }
		if err := binary.Read(r, binary.BigEndian, &tuple); err != nil {
			return fmt.Errorf("the backup ends too early: %w", err)
		}
		if tuple.Fields == -1 {
			return nil
		}
		var field struct{ Length int32 }
		if err := binary.Read(r, binary.BigEndian, &field); err != nil || tuple.Fields != 1 || field.Length < 0 {
			return errors.Join(errors.New("the node does not send chunks"), err)
		}
		if _, err := io.CopyN(to, r, int64(field.Length)); err != nil {
			return err
		}
	}
}

var restoreOptions = []option{
	{name: "data", help: "data folder to be made; must not exist, or be empty"},
	{name: "new-cluster", help: "make a new cluster whose only node has this name, instead of an old copy of the node that was backed up"},
}

// runRestore makes a data folder of a backup.
func runRestore(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	path, args, err := takeOperand("restore", "FILE", args)
	if err != nil {
		return err
	}
	o, err := parseOptions("restore FILE", restoreOptions, args, getenv, stdout)
	if err != nil {
		return err
	}
	dir := o.get("data")
	if dir == "" {
		return usageError("--data is needed: the folder to be made")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	log, err := newLogger(stderr, "warn")
	if err != nil {
		return err
	}
	info, err := server.Restore(ctx, server.RestoreConfig{Dir: dir, NewCluster: o.get("new-cluster"), Logger: log}, f)
	switch {
	case errors.Is(err, server.ErrDamagedBackup):
		fmt.Fprintf(stdout, "%s: %v\n", path, err)
		return exitCode(1)
	case err != nil:
		return err
	}
	fmt.Fprintf(stdout, "%s has the data of %s as of %s.\n", dir, info.Node, info.Taken.Format(time.RFC3339))
	if name := o.get("new-cluster"); name != "" {
		if !info.Quorum {
			fmt.Fprintln(stdout, "No majority of the members was there when it was taken: see with setval() to it that sequences go on beyond what rows have.")
		}
		fmt.Fprintf(stdout, "It is the only node of a new cluster: layercake start --name %s --data %s …\n", name, dir)
		return nil
	}
	fmt.Fprintf(stdout, "It is an old copy of %s, and serves when it has caught up with the cluster: layercake start --name %[1]s --data %s …\nThe node itself must not run any more.\n", info.Node, dir)
	return nil
}

// takeOperand takes the one name before (or after) a command's flags.
func takeOperand(cmd, what string, args []string) (string, []string, error) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return args[0], args[1:], nil
	}
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-help" || args[0] == "-h") {
		return "", args, nil
	}
	return "", nil, usageError("usage: layercake " + cmd + " " + what + " [flags]; layercake " + cmd + " --help lists them")
}
