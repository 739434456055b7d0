package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"layercake/bench/internal/nodes"
)

const table = "CREATE TABLE t (id int8 PRIMARY KEY, v text)"

// ready starts a cluster with a table t, and connects to its first node at quorum.
func (r *run) ready(n int) (nodes.Cluster, *client, error) {
	c, err := r.Cluster(n)
	if err != nil {
		return nil, nil, err
	}
	if err := r.BootAll(c); err != nil {
		return c, nil, errors.Join(err, c.End())
	}
	conn, err := r.Connect(c[0], "consistency=quorum")
	if err == nil {
		_, err = conn.Exec(r.Ctx, table)
	}
	if err != nil {
		return c, nil, errors.Join(err, c.End())
	}
	return c, &client{r, conn}, nil
}

// catchUp has one node miss rows, and measures how fast it gets them: by the log, in small and great transactions, and
// by a snapshot.
func (r *run) catchUp() (err error) {
	c, conn, err := r.ready(3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	rows := 0
	for _, each := range []int{100, 10_000} {
		if err := c[2].Stop(); err != nil {
			return err
		}
		if err := conn.load("t", rows, r.rows, each); err != nil {
			return err
		}
		rows += r.rows
		if err := r.Boot(c[2]); err != nil {
			return err
		}
		late, err := r.Connect(c[2], "")
		if err != nil {
			return err
		}
		// Whoever asks at none sees what is applied so far.
		if err := r.Poll("the node has all rows", func() (bool, error) {
			n, err := r.count(late, "SELECT count(*) FROM t WHERE id = $1", rows-1)
			return n == 1, err
		}); err != nil {
			return err
		}
		took := time.Since(c[2].Answering)
		r.figure(fmt.Sprintf("catch-up by the log, transactions of %d rows", each), "%.0f rows/s (%d rows in %.1f s after the first answer, %.1f s after the start)",
			float64(r.rows)/took.Seconds(), r.rows, took.Seconds(), time.Since(c[2].Spawned).Seconds())
		if err := late.Close(r.Ctx); err != nil {
			return err
		}
	}
	// A new node, when the logs no longer reach back to the beginning.
	time.Sleep(5 * time.Second)
	more, err := r.Cluster(1)
	if err != nil {
		return err
	}
	more[0].Name, more[0].Args = "n4", []string{"--join", c[0].Gossip}
	defer func() { err = errors.Join(err, more.End()) }()
	if err := r.Boot(more[0]); err != nil {
		return err
	}
	took, size := more[0].Answering.Sub(more[0].Spawned), more[0].Size("layercake.db")
	r.figure(fmt.Sprintf("a new node by a snapshot of %d rows", rows), "%.0f MB/s (%.0f MB, %.1f s from the start to the first answer)",
		float64(size)/1e6/took.Seconds(), float64(size)/1e6, took.Seconds())
	return nil
}

// lag writes at a steady rate on one node, and asks another for what has arrived.
func (r *run) lag() (err error) {
	const rate, seconds, writers = 1000, 20, 64
	c, conn, err := r.ready(3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	if err := conn.reaches(c[1]); err != nil {
		return err
	}
	acked := make([]atomic.Int64, rate*seconds)
	arrived := make([]time.Duration, rate*seconds)
	began := time.Now()
	due := make(chan int)
	var wg sync.WaitGroup
	errs := make([]error, writers+1)
	for w := range writers {
		wg.Go(func() {
			conn, err := r.Connect(c[0], "consistency=none") // acknowledged when it is durable there
			if err != nil {
				errs[w] = err
			}
			for id := range due {
				if errs[w] != nil {
					continue
				}
				if _, errs[w] = conn.Exec(r.Ctx, "INSERT INTO t VALUES ($1, repeat('x', 100))", id); errs[w] == nil {
					acked[id].Store(int64(time.Since(began)))
				}
			}
		})
	}
	wg.Go(func() {
		reader, err := r.Connect(c[1], "")
		if err != nil {
			errs[writers] = err
			return
		}
		seen, low := 0, 0
		for end := began.Add((seconds + 30) * time.Second); seen < len(arrived) && time.Now().Before(end); {
			rows, err := reader.Query(r.Ctx, "SELECT id FROM t WHERE id >= $1", low)
			if err != nil {
				errs[writers] = err
				return
			}
			var ids []int
			for rows.Next() {
				var id int
				if err := rows.Scan(&id); err != nil {
					errs[writers] = err
				}
				ids = append(ids, id)
			}
			now := time.Since(began)
			for _, id := range ids {
				if arrived[id] == 0 {
					arrived[id] = now
					seen++
				}
			}
			for low < len(arrived) && arrived[low] != 0 {
				low++
			}
			time.Sleep(time.Millisecond) // the nodes need the processors too
		}
		if seen < len(arrived) {
			errs[writers] = fmt.Errorf("only %d of %d rows have arrived", seen, len(arrived))
		}
	})
	for id := range rate * seconds {
		if wait := time.Until(began.Add(time.Duration(id) * time.Second / rate)); wait > 0 {
			time.Sleep(wait)
		}
		due <- id
	}
	close(due)
	took := time.Since(began)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	lags := make([]time.Duration, len(arrived))
	for i := range lags {
		lags[i] = max(0, arrived[i]-time.Duration(acked[i].Load()))
	}
	slices.Sort(lags)
	ms := func(p float64) float64 { return float64(lags[int(p*float64(len(lags)-1))].Microseconds()) / 1000 }
	r.figure(fmt.Sprintf("lag at %.0f writes/s: durable on one node to seen by a client that polls another each millisecond", float64(len(lags))/took.Seconds()),
		"p50 %.1f ms, p99 %.1f ms, most %.1f ms", ms(0.5), ms(0.99), ms(1))
	return nil
}

// wire counts what the nodes send each other for a row.
func (r *run) wire() (err error) {
	c, conn, err := r.ready(3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	from := 0
	for _, p := range []struct{ rows, each int }{{min(r.rows, 10_000), 1}, {min(r.rows, 200_000), 100}, {r.rows, 100_000}} {
		before, err := r.sent(c)
		if err != nil {
			return err
		}
		if err := conn.load("t", from, p.rows, p.each); err != nil {
			return err
		}
		from += p.rows
		time.Sleep(3 * time.Second) // acknowledgements and markers that follow
		after, err := r.sent(c)
		if err != nil {
			return err
		}
		r.figure(fmt.Sprintf("bytes on the wire a row of 108 bytes and peer, transactions of %d rows", p.each), "%.0f (acknowledgements and pings of all three nodes counted)",
			float64(after-before)/float64(p.rows)/2)
	}
	return nil
}

// disk compares a table's file with that of SQLite alone.
func (r *run) disk() (err error) {
	c, conn, err := r.ready(1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	empty := c[0].Size("layercake.db")
	if err := conn.load("t", 0, r.rows, 10_000); err != nil {
		return err
	}
	time.Sleep(10 * time.Second)        // the log is trimmed
	if err := c[0].Stop(); err != nil { // all of the WAL goes into the file
		return err
	}
	ours := c[0].Size("layercake.db") + c[0].Size("layercake.db-wal")
	path := filepath.Join(r.Dir, "plain.db")
	script := `import sqlite3,sys
c=sqlite3.connect(sys.argv[1]); c.execute("PRAGMA journal_mode=WAL"); c.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
for i in range(0,int(sys.argv[2]),10000):
    c.executemany("INSERT INTO t VALUES (?,?)",((j,"x"*100) for j in range(i,min(i+10000,int(sys.argv[2]))))); c.commit()
c.execute("PRAGMA wal_checkpoint(TRUNCATE)")`
	if out, err := exec.CommandContext(r.Ctx, "python3", "-c", script, path, fmt.Sprint(r.rows)).CombinedOutput(); err != nil {
		return fmt.Errorf("python3: %w\n%s", err, out)
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	plain := st.Size()
	free, err := c[0].Free()
	if err != nil {
		return err
	}
	used := ours - free - empty
	r.figure(fmt.Sprintf("disk for %d rows of (int8, 100 bytes), log trimmed", r.rows), "%.1f MB in use, %.3f of SQLite alone (%.1f MB): %.1f bytes a row more; and %.1f MB that the log has left free, used again by what is written next",
		float64(used)/1e6, float64(used)/float64(plain), float64(plain)/1e6, float64(used-plain)/float64(r.rows), float64(free)/1e6)
	return os.Remove(path)
}

// greatCopy loads much in one transaction, while others write.
func (r *run) greatCopy() (err error) {
	c, conn, err := r.ready(3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	if _, err := conn.Exec(r.Ctx, "CREATE TABLE other (id int8 PRIMARY KEY)"); err != nil {
		return err
	}
	if err := conn.reaches(c[1]); err != nil {
		return err
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	worst, waited := make([]time.Duration, 2), make([]time.Duration, 2)
	errs := make([]error, 2)
	for i := range 2 {
		wg.Go(func() {
			w, err := r.Connect(c[i], "consistency=none")
			if err != nil {
				errs[i] = err
				return
			}
			for id := i; ; id += 2 {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Millisecond):
				}
				began := time.Now()
				if _, err := w.Exec(r.Ctx, "INSERT INTO other VALUES ($1)", id); err != nil {
					errs[i] = err
					return
				}
				took := time.Since(began)
				worst[i] = max(worst[i], took)
				if took > 20*time.Millisecond {
					waited[i] += took
				}
			}
		})
	}
	anonymous := make([]int64, len(c)) // MiB
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			for i, n := range c {
				anonymous[i] = max(anonymous[i], n.Status("RssAnon"))
			}
		}
	})
	began := time.Now()
	data := &nodes.Rows{Count: 1 << 40, Limit: r.copyMB * 1_000_000} // these bytes can't be packed much
	_, err = conn.PgConn().CopyFrom(r.Ctx, data, "COPY t FROM STDIN")
	next, made := data.Next, data.Made
	took := time.Since(began)
	close(stop)
	wg.Wait()
	if err = errors.Join(append(errs, err)...); err != nil {
		return err
	}
	mb := float64(made) / 1e6
	for _, n := range c[1:] {
		if err := conn.reaches(n); err != nil {
			return err
		}
	}
	everywhere := time.Since(began)
	r.figure(fmt.Sprintf("COPY of %.0f MB (%d rows) in one transaction through one of three nodes, quorum", mb, next), "%.1f s, %.0f MB/s", took.Seconds(), mb/took.Seconds())
	r.figure("the same, until every node has it", "%.1f s", everywhere.Seconds())
	r.figure("other writers (level none) meanwhile, same node", "%.2f s in waits above 20 ms for each 100 MB; longest %.1f s", waited[0].Seconds()/mb*100, worst[0].Seconds())
	r.figure("other writers (level none) meanwhile, another node", "%.2f s in waits above 20 ms for each 100 MB; longest %.1f s", waited[1].Seconds()/mb*100, worst[1].Seconds())
	time.Sleep(10 * time.Second)
	var mem, wal []string
	for _, n := range c {
		mem = append(mem, fmt.Sprint(n.Status("VmHWM")))
		wal = append(wal, fmt.Sprintf("%.1f", float64(n.Size("layercake.db-wal"))/1e6))
	}
	r.figure("most memory of each node meanwhile, with files that it has mapped", "%s MiB", strings.Join(mem, ", "))
	r.figure("the same without files", "%s MiB", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(anonymous)), ", "), "[]"))
	r.figure("write-ahead log of each node 10 s later", "%s MB", strings.Join(wal, ", "))
	return nil
}

// quiet inserts rows and deletes them, and looks at what is left while nobody does anything.
func (r *run) quiet() (err error) {
	c, conn, err := r.ready(3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	if err := conn.load("t", 0, r.rows, 10_000); err != nil {
		return err
	}
	for from := 0; from < r.rows; from += 10_000 {
		if _, err := conn.Exec(r.Ctx, "DELETE FROM t WHERE id >= $1 AND id < $2", from, from+10_000); err != nil {
			return err
		}
	}
	began := time.Now()
	gone := time.Duration(0)
	look := func() (said string, left int64, err error) {
		var s []string
		for _, n := range c {
			k, err := r.Connect(n, "")
			if err != nil {
				return "", 0, err
			}
			tombs, err := r.count(k, "SELECT coalesce(sum(count), 0)::int8 FROM layercake.tombstones")
			if err != nil {
				return "", 0, err
			}
			left += tombs
			s = append(s, fmt.Sprintf("%d tombstones, %.1f + %.1f MB", tombs, float64(n.Size("layercake.db"))/1e6, float64(n.Size("layercake.db-wal"))/1e6))
			if err := k.Close(r.Ctx); err != nil {
				return "", 0, err
			}
		}
		return strings.Join(s, "; "), left, nil
	}
	at0, _, err := look()
	if err != nil {
		return err
	}
	for time.Since(began) < time.Minute {
		_, left, err := look()
		if err != nil {
			return err
		}
		if gone == 0 && left == 0 {
			gone = time.Since(began)
		}
		time.Sleep(time.Second)
	}
	at60, _, err := look()
	if err != nil {
		return err
	}
	log, err := r.count(conn.Conn, "SELECT coalesce(max(lag_entries), 0)::int8 FROM layercake.replication")
	if err != nil {
		return err
	}
	r.figure(fmt.Sprintf("%d rows inserted and deleted: at once (database + WAL)", r.rows), "%s", at0)
	r.figure("after a quiet minute", "%s; greatest lag %d entries; no tombstone left after %.0f s", at60, log, gone.Seconds())
	return nil
}

// addColumn adds a column with a default to a table of many rows.
func (r *run) addColumn() (err error) {
	c, conn, err := r.ready(3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	if err := conn.load("t", 0, r.rows, 100_000); err != nil {
		return err
	}
	time.Sleep(5 * time.Second)
	before, err := r.sent(c)
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := conn.Exec(r.Ctx, "ALTER TABLE t ADD COLUMN more int NOT NULL DEFAULT 5"); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := r.sent(c)
	if err != nil {
		return err
	}
	r.figure(fmt.Sprintf("ADD COLUMN … DEFAULT 5 on %d rows, quorum", r.rows), "%.3f s, %d bytes sent by all nodes together", took.Seconds(), after-before)
	return nil
}

// start starts a node with many rows.
func (r *run) start() (err error) {
	c, conn, err := r.ready(1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	if err := conn.load("t", 0, r.great, 500_000); err != nil {
		return err
	}
	for _, how := range []string{"stopped", "killed"} {
		if how == "killed" {
			if err := conn.load("t", r.great, 100_000, 1000); err != nil {
				return err
			}
			if err := errors.Join(c[0].Cmd.Process.Kill()); err != nil {
				return err
			}
			_ = c[0].Cmd.Wait() // killed
			c[0].Cmd = nil
		} else if err := c[0].Stop(); err != nil {
			return err
		}
		if err := r.Boot(c[0]); err != nil {
			return err
		}
		r.figure(fmt.Sprintf("start of a node with %d rows that was %s, to the first answer", r.great, how), "%.2f s (%.0f MB)",
			c[0].Answering.Sub(c[0].Spawned).Seconds(), float64(c[0].Size("layercake.db"))/1e6)
		again, err := r.Connect(c[0], "consistency=quorum")
		if err != nil {
			return err
		}
		conn = &client{r, again}
	}
	return nil
}
