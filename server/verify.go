package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication"
	"layercake/sqlstore"
	"layercake/sqlstore/sqlfunc"
)

// comparison compares the members' databases at a vector that they agreed on.
type comparison struct {
	n       *Node
	round   uint64
	members []replication.Testimony // all of them, this node first
	notes   [][]noted               // of each; nil for one that did not take part
	names   map[catalog.ID]string
	tables  []catalog.ID // of names, by name
}

// compare has the members note what ask says. Whoever asks for snapshots must call close.
func (n *Node) compare(ctx context.Context, ask string) (*comparison, error) {
	round, _, members, err := n.repl.Agree(ctx, []byte(ask))
	if err != nil {
		if pgerror.Code(err) == pgerror.InternalError && ctx.Err() == nil {
			err = pgerror.New(pgerror.InsufficientResources, "the members could not be compared: %v; safe to retry", err)
		}
		return nil, err
	}
	c := &comparison{n: n, round: round, members: members, notes: make([][]noted, len(members)), names: map[catalog.ID]string{}}
	for i := range members {
		t := &members[i]
		if t.Err != nil {
			continue
		}
		if err := json.Unmarshal(t.Body, &c.notes[i]); err != nil {
			t.Err = fmt.Errorf("malformed answer: %w", err)
			c.notes[i] = nil
			continue
		}
		for _, d := range c.notes[i] {
			if _, known := c.names[d.Table]; !known {
				c.names[d.Table] = d.Name
				c.tables = append(c.tables, d.Table)
			}
		}
	}
	slices.SortFunc(c.tables, func(a, b catalog.ID) int {
		return cmp.Or(cmp.Compare(c.names[a], c.names[b]), crdt.ID(a).Compare(crdt.ID(b)))
	})
	return c, nil
}

// digest is a member's digest of a keyspace: that of no rows if it never had one.
func (c *comparison) digest(member int, table catalog.ID) noted {
	for _, d := range c.notes[member] {
		if d.Table == table {
			return d
		}
	}
	return noted{Table: table}
}

// taking lists the members that take part.
func (c *comparison) taking() []int {
	var out []int
	for i := range c.members {
		if c.members[i].Err == nil {
			out = append(out, i)
		}
	}
	return out
}

// ask puts a question about the snapshot to one member, and reads the answer into out.
func (c *comparison) ask(ctx context.Context, member int, q question, out any) error {
	q.Round = c.round
	b, err := json.Marshal(q)
	if err != nil {
		return err
	}
	t := &c.members[member]
	if b, err = c.n.repl.Ask(ctx, t.Node, b); err == nil && out != nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return nil
}

// askAll puts a question to all who take part, at a time. The answers stand where their members do.
func askAll[T any](ctx context.Context, c *comparison, q question) ([]T, error) {
	out, errs := make([]T, len(c.members)), make([]error, len(c.members))
	var wg sync.WaitGroup
	for _, i := range c.taking() {
		wg.Go(func() { errs[i] = c.ask(ctx, i, q, &out[i]) })
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

// close lets the members' snapshots go. One that cannot be told lets its own go after a while.
func (c *comparison) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, i := range c.taking() {
		wg.Go(func() {
			if err := c.ask(ctx, i, question{What: askClose}, nil); err != nil {
				c.n.log.Debug("a snapshot is left to its time-out", "err", err)
			}
		})
	}
	wg.Wait()
}

// digests compares the digests that are kept with the writes: what layercake.digests shows.
func (n *Node) digests(ctx context.Context) ([]sqlfunc.VerifyRow, error) {
	c, err := n.compare(ctx, noteDigests)
	if err != nil {
		return nil, err
	}
	out := c.absent()
	for _, id := range c.tables {
		first := c.digest(0, id)
		same := true
		start := len(out)
		for _, i := range c.taking() {
			d := c.digest(i, id)
			same = same && d.Digest == first.Digest && d.Rows == first.Rows
			out = append(out, sqlfunc.VerifyRow{Node: c.members[i].Name, Relation: c.names[id], Rows: d.Rows, Digest: d.Digest.String()})
		}
		for i := range out[start:] {
			out[start+i].OK = same
		}
	}
	return out, nil
}

// absent has a row for each member that did not take part.
func (c *comparison) absent() []sqlfunc.VerifyRow {
	out := []sqlfunc.VerifyRow{}
	for _, t := range c.members {
		if t.Err != nil {
			out = append(out, sqlfunc.VerifyRow{Node: t.Name, Digest: "no answer: " + t.Err.Error(), Detail: "no answer: " + t.Err.Error()})
		}
	}
	return out
}

// verify has every member read all its rows, compares them, and names the rows that differ.
func (n *Node) verify(ctx context.Context) ([]sqlfunc.VerifyRow, error) {
	c, err := n.compare(ctx, noteSnapshot)
	if err != nil {
		return nil, err
	}
	defer c.close()
	out := c.absent()
	for _, id := range c.tables {
		scans, err := askAll[sqlstore.Scan](ctx, c, question{What: askScan, Table: id})
		var details []string
		if err == nil {
			details, err = c.explain(ctx, id, scans)
		}
		if err != nil {
			return nil, pgerror.New(pgerror.InsufficientResources, "the members' rows of %s could not be compared: %v; safe to retry", c.names[id], err)
		}
		for _, i := range c.taking() {
			s := &scans[i]
			ok := details[i] == ""
			for _, j := range c.taking() {
				ok = ok && s.Digest == scans[j].Digest && s.Rows == scans[j].Rows
			}
			out = append(out, sqlfunc.VerifyRow{Node: c.members[i].Name, Relation: c.names[id], Rows: s.Rows, Digest: s.Digest.String(), OK: ok, Detail: details[i]})
		}
	}
	return out, nil
}

// explain says for each member what is wrong with its rows of a table, "" for nothing.
func (c *comparison) explain(ctx context.Context, id catalog.ID, scans []sqlstore.Scan) ([]string, error) {
	out := make([]string, len(c.members))
	taking := c.taking()
	equal := true
	for _, i := range taking {
		equal = equal && scans[i].Digest == scans[taking[0]].Digest
	}
	if !equal {
		differing, more, err := c.differing(ctx, id, scans)
		if err != nil {
			return nil, err
		}
		for _, i := range taking {
			out[i] = describeDiffering(differing, i, more)
		}
	}
	for _, i := range taking {
		if scans[i].Wrong() {
			out[i] = join(out[i], fmt.Sprintf("the rows changed without a write: %d rows, %d are recorded", scans[i].Rows, scans[i].KeptRows))
		}
		if scans[i].Damaged > 0 {
			out[i] = join(out[i], fmt.Sprintf("%d damaged", scans[i].Damaged))
		}
	}
	return out, nil
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// differing is a row that members hold differently.
type differing struct {
	key    []byte
	show   string
	hashes map[int][]crdt.Digest // by member: of each row with this key
	common string                // the state that most members agree on, see stateOf
}

// stateOf is what a member holds of the row, as text to be compared.
func (d *differing) stateOf(member int) string { return fmt.Sprint(d.hashes[member]) }

// differing lists the rows of a table that the members hold differently; more says that there are others.
func (c *comparison) differing(ctx context.Context, id catalog.ID, scans []sqlstore.Scan) (out []differing, more bool, err error) {
	taking := c.taking()
	var buckets []int
	for b := range scanBuckets {
		for _, i := range taking {
			if len(scans[i].Buckets) != scanBuckets {
				return nil, false, fmt.Errorf("%s: malformed answer", c.members[i].Name)
			}
			if scans[i].Buckets[b] != scans[taking[0]].Buckets[b] {
				buckets = append(buckets, b)
				break
			}
		}
	}
	// A few buckets at a time: what differs is known once all of a bucket's rows are.
	rows := int64(1)
	for _, i := range taking {
		rows = max(rows, scans[i].Rows)
	}
	atOnce := max(1, int(someRows*scanBuckets/rows))
	for len(buckets) > 0 && !more {
		part := buckets[:min(len(buckets), atOnce)]
		buckets = buckets[len(part):]
		answers, err := askAll[shownRows](ctx, c, question{What: askRows, Table: id, Buckets: part})
		if err != nil {
			return nil, false, err
		}
		byKey := map[string]*differing{}
		for _, i := range taking {
			if answers[i].More {
				return nil, false, fmt.Errorf("%s: more rows differ than can be told apart", c.members[i].Name)
			}
			for _, r := range answers[i].Rows {
				d := byKey[string(r.Key)]
				if d == nil {
					d = &differing{key: r.Key, show: r.Show, hashes: map[int][]crdt.Digest{}}
					byKey[string(r.Key)] = d
				}
				d.hashes[i] = append(d.hashes[i], r.Hash)
			}
		}
		for _, d := range byKey {
			if d.settle(taking) {
				out = append(out, *d)
			}
		}
		more = more || len(buckets) > 0 && len(out) >= someRows
	}
	slices.SortFunc(out, func(a, b differing) int { return cmp.Compare(a.show, b.show) })
	return out, more, nil
}

// settle says whether the members hold the row differently, and notes what most of them do.
func (d *differing) settle(members []int) bool {
	votes := map[string]int{}
	for _, i := range members {
		h := d.hashes[i]
		slices.SortFunc(h, func(a, b crdt.Digest) int { return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo)) })
		s := d.stateOf(i)
		if votes[s]++; votes[s] > votes[d.common] || votes[s] == votes[d.common] && len(h) > 0 {
			d.common = s
		}
	}
	return len(votes) > 1
}

// describeDiffering names the rows in which a member is not with the others.
func describeDiffering(rows []differing, member int, more bool) string {
	const named = 20
	var changed, missing, extra []string
	empty := fmt.Sprint([]crdt.Digest(nil))
	for i := range rows {
		d := &rows[i]
		switch s := d.stateOf(member); {
		case s == d.common:
		case s == empty:
			missing = append(missing, d.show)
		case d.common == empty:
			extra = append(extra, d.show)
		default:
			changed = append(changed, d.show)
		}
	}
	var out string
	for _, l := range []struct {
		what string
		rows []string
	}{{"other than elsewhere", changed}, {"missing", missing}, {"nowhere else", extra}} {
		if k := len(l.rows); k > 0 {
			text := strings.Join(l.rows[:min(k, named)], ", ")
			if k > named {
				text += fmt.Sprintf(" … %s (%d rows)", l.rows[k-1], k)
			}
			out = join(out, l.what+": "+text)
		}
	}
	if more {
		out = join(out, "there are more rows that differ")
	}
	return out
}
