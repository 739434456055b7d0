package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"os"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/replication"
	"layercake/sqlstore"
)

// A backup is the file that COPY layercake.backup TO STDOUT gives, in chunks: a line that names the format, a line of
// JSON (BackupInfo), the database file, and the SHA-256 of all that.
const backupMagic = "layercake backup 1\n"

// ErrDamagedBackup reports a file that is no backup, or not what was sent.
var ErrDamagedBackup = errors.New("not a layercake backup, or a damaged one")

// BackupInfo is what a backup says of itself.
type BackupInfo struct {
	Node  string    `json:"node"`  // the name of the node that it is a copy of
	Taken time.Time `json:"taken"` // by that node's clock
	Size  int64     `json:"size"`  // of the database, in bytes
	// Numbers are what the cluster's registers of numbers (sequences, numbers of nodes) give next. It is only known when
	// a majority of the members answered (Quorum).
	Numbers map[string]int64 `json:"numbers"`
	Quorum  bool             `json:"quorum"`
}

// isBackup says whether a COPY is that of layercake.backup.
func isBackup(p *pgsql.Copy) bool {
	return p.Stdout && p.Table != nil && p.Table.System && p.Table.Schema == "layercake" && p.Table.Name == "backup"
}

// copyBackup sends a copy of this node's database as of one moment, not before the statement's beginning. It is made
// into a file first, so that a slow client keeps nothing from being forgotten.
func (s *session) copyBackup(ctx context.Context, p *pgsql.Copy, wire *wireSink) (chunks int64, err error) {
	if !s.isSuperuser(s.user) {
		return 0, pgerror.New(pgerror.InsufficientPrivilege, "permission denied to back up the database").WithHint("Only superusers may.")
	}
	if err := s.barrier(ctx, true); err != nil {
		return 0, err
	}
	n := s.node
	taken := n.now().UTC()
	db, size, err := n.store.Copy(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := s.writeBack(ctx, n.store.Vector(), true); err != nil {
		return 0, err
	}
	info := BackupInfo{Node: n.cfg.Name, Taken: taken, Size: size}
	// After the copy: no row of it has a number that these do not lie beyond.
	asking, cancel := context.WithTimeout(ctx, s.settings.timeout)
	info.Numbers, err = n.numbers(asking)
	cancel()
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		s.notice(pgerror.Warning(pgerror.From(err).Code, "no majority of the members says how far sequences are: a new cluster made of this backup may give numbers again that rows have").
			WithDetail("%s", pgerror.From(err).Message))
	default:
		info.Quorum = true
	}
	o := &copySink{s: s, wire: wire, p: p}
	if err := o.columns(p.Query.Columns); err != nil {
		return 0, err
	}
	if err := sendBackup(ctx, o, info, db); err != nil {
		return 0, err
	}
	if err := o.w.Close(); err != nil {
		return 0, err
	}
	return o.n, o.data.Close()
}

func sendBackup(ctx context.Context, out sink, info BackupInfo, db io.Reader) error {
	head, err := json.Marshal(info)
	if err != nil {
		return err
	}
	sum := sha256.New()
	body := io.TeeReader(io.MultiReader(bytes.NewReader([]byte(backupMagic)), bytes.NewReader(append(head, '\n')), io.LimitReader(db, info.Size)), sum)
	chunk := make([]byte, 256<<10)
	for {
		k, err := io.ReadFull(body, chunk)
		if k > 0 {
			if err := out.row([]catalog.Value{catalog.BlobBytes(chunk[:k])}); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return out.row([]catalog.Value{catalog.BlobBytes(sum.Sum(nil))})
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
}

// numbers asks what every register of numbers gives next.
func (n *Node) numbers(ctx context.Context) (map[string]int64, error) {
	names := []string{nodeNumbers}
	for _, t := range n.store.Schema().Relations {
		if t.Kind == catalog.KindSequence {
			names = append(names, registerName(t.ID))
		}
	}
	out := map[string]int64{}
	for _, name := range names {
		next, known, err := n.repl.Number(ctx, name)
		if err != nil {
			return nil, err
		}
		if known {
			out[name] = next
		}
	}
	return out, nil
}

// ReadBackup reads what a backup says of itself and leaves r at the database, Size bytes. With whole it reads to the
// end, compares the checksum, and begins again. Errors that are not of reading are ErrDamagedBackup.
func ReadBackup(r io.ReadSeeker, whole bool) (BackupInfo, error) {
	var info BackupInfo
	damaged := func(why string) (BackupInfo, error) { return info, fmt.Errorf("%w: %s", ErrDamagedBackup, why) }
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return info, err
	}
	var sum hash.Hash = sha256.New()
	br := bufio.NewReader(r)
	magic := make([]byte, len(backupMagic))
	if _, err := io.ReadFull(br, magic); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return info, err
	}
	if string(magic) != backupMagic {
		return damaged("it does not begin as one")
	}
	head, err := br.ReadSlice('\n')
	if err != nil || json.Unmarshal(head, &info) != nil || info.Size <= 0 {
		return damaged("its description can't be read")
	}
	start := int64(len(magic) + len(head))
	if whole {
		sum.Write(magic)
		sum.Write(head)
		k, err := io.Copy(sum, io.LimitReader(br, info.Size))
		if err != nil {
			return info, err
		}
		rest, err := io.ReadAll(io.LimitReader(br, sha256.Size+1))
		switch {
		case err != nil:
			return info, err
		case k < info.Size || len(rest) < sha256.Size:
			return damaged("it ends too early")
		case !bytes.Equal(rest, sum.Sum(nil)):
			return damaged("its checksum is another")
		}
	}
	_, err = r.Seek(start, io.SeekStart)
	return info, err
}

// RestoreConfig says what Restore makes of a backup.
type RestoreConfig struct {
	Dir string // the data folder to be made; must not exist, or be empty
	// NewCluster, if not empty, is the name of the only node of a new cluster that has the backup's data. Otherwise the
	// folder is an old copy of the one that the backup was taken of, and goes by its name.
	NewCluster string
	Logger     *slog.Logger // slog.Default when nil
}

// Restore makes a data folder of a backup, which it verifies. On an error nothing is left behind.
func Restore(ctx context.Context, cfg RestoreConfig, backup *os.File) (BackupInfo, error) {
	info, err := ReadBackup(backup, true)
	if err != nil {
		return info, err
	}
	if cfg.NewCluster != "" {
		if err := validName("new-cluster", cfg.NewCluster); err != nil {
			return info, err
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	registerOnce.Do(registerFunctions)
	fresh := cfg.NewCluster != ""
	config := sqlstore.Config{Dir: cfg.Dir, Logger: cfg.Logger, CompileIndex: pgsql.CompileIndex, MaxEntry: crdt.MaxEntrySize}
	err = sqlstore.Restore(ctx, config, io.LimitReader(backup, info.Size), fresh, func(st *sqlstore.Store) error {
		if !fresh {
			return nil
		}
		if err := replication.Found(st, cfg.NewCluster, info.Numbers); err != nil {
			return err
		}
		if err := st.PutLocal(nodeNumbers, nil); err != nil {
			return err
		}
		return st.PutLocal(nodeNameKey, []byte(cfg.NewCluster))
	})
	if errors.Is(err, sqlstore.ErrNoSnapshot) {
		err = fmt.Errorf("%w: %w", ErrDamagedBackup, err)
	}
	return info, err
}
