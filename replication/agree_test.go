package replication_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication"
)

// witness notes a digest of a node's rows, and holds its puts.
type witness struct {
	n       *node
	gate    sync.RWMutex // held for reading by puts
	broken  atomic.Bool  // holds nothing
	stuck   atomic.Bool  // Note fails
	answers atomic.Int64
	holds   atomic.Int64
	late    atomic.Bool // Note blocks until its time is up
}

func (w *witness) Hold(ctx context.Context) (func(), error) {
	if w.broken.Load() {
		return func() {}, nil
	}
	for !w.gate.TryLock() {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond): // somebody puts
		}
	}
	w.holds.Add(1)
	return w.gate.Unlock, nil
}

func (w *witness) Note(ctx context.Context, _ uint64, v crdt.Vector, ask []byte) ([]byte, error) {
	if w.stuck.Load() {
		return nil, errors.New("it cannot")
	}
	if w.late.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	at := w.n.store.Seen() // before the rows: what is in them is in the vector after them
	var rows []string
	for k, c := range w.n.store.Rows() {
		rows = append(rows, k+"="+c.Value)
	}
	if !at.Equal(v) || !w.n.store.Seen().Equal(v) {
		return nil, errors.New("the vector moved")
	}
	slices.Sort(rows)
	sum := sha256.Sum256([]byte(fmt.Sprint(string(ask), rows)))
	return sum[:], nil
}

func (w *witness) Answer(_ context.Context, ask []byte) ([]byte, error) {
	w.answers.Add(1)
	return append([]byte(w.n.name+" "), ask...), nil
}

// put commits as a server does, not while the node holds, and waits until level is reached.
func (w *witness) put(key, value string, level replication.Level) error {
	w.gate.RLock()
	o, seq, err := w.n.store.Commit(key, value)
	w.gate.RUnlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return w.n.Confirm(ctx, level, o, seq, time.Minute)
}

func witnesses(t *testing.T, names ...string) (*network, []*witness) {
	t.Helper()
	nw := newNetwork()
	var ws []*witness
	for i, name := range names {
		w := &witness{n: newNode(t, nw, name, "dc1", crdt.NodeID(i+1))}
		w.n.tweak = func(c *replication.Config) { c.Witness = w }
		w.n.start()
		if i == 0 {
			if err := w.n.Bootstrap(within(t, 5*time.Second)); err != nil {
				t.Fatal(err)
			}
		} else if err := w.n.Join(within(t, 20*time.Second), []string{ws[0].n.Addr()}); err != nil {
			t.Fatal(err)
		}
		ws = append(ws, w)
	}
	for _, w := range ws {
		eventually(t, w.n.name+" sees that all have joined", func() bool {
			return !slices.ContainsFunc(w.n.Members(), func(m replication.Member) bool { return m.State != "alive" })
		})
	}
	return nw, ws
}

// TestAgreeWhileAllWrite: every member notes the same, though none of them ever stops writing.
func TestAgreeWhileAllWrite(t *testing.T) {
	_, ws := witnesses(t, "n1", "n2", "n3")
	stop := make(chan struct{})
	var writers sync.WaitGroup
	var puts [3]atomic.Int64
	for i, w := range ws {
		writers.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := w.put(fmt.Sprint("k", k%50), fmt.Sprint(w.n.name, k), replication.Quorum); err != nil {
					t.Error(err)
					return
				}
				puts[i].Add(1)
			}
		})
	}
	defer writers.Wait()
	defer close(stop)
	var last crdt.Vector
	for round := range 6 {
		before := [3]int64{puts[0].Load(), puts[1].Load(), puts[2].Load()}
		// Two at a time, now and then: they must not keep each other from agreeing.
		var others sync.WaitGroup
		if round%2 == 1 {
			others.Go(func() {
				if _, _, _, err := ws[(round+1)%3].n.Agree(within(t, time.Minute), []byte("other")); err != nil {
					t.Error(err)
				}
			})
		}
		w := ws[round%3]
		_, v, out, err := w.n.Agree(within(t, time.Minute), []byte("ask"))
		for try := 0; err == nil && try < 5 && slices.ContainsFunc(out, func(o replication.Testimony) bool { return o.Err != nil }); try++ {
			// On a machine that is busy enough a link counts as silent for a moment: who is not there is named, rightly.
			eventually(t, "all are linked again", func() bool { return w.n.Check(replication.All, replication.Read) == nil })
			_, v, out, err = w.n.Agree(within(t, time.Minute), []byte("ask"))
		}
		others.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if len(out) != 3 || out[0].Name != w.n.name {
			t.Fatalf("testimonies %+v, want three, that of %s first", out, w.n.name)
		}
		for _, o := range out {
			if o.Err != nil || !slices.Equal(o.Body, out[0].Body) {
				t.Errorf("round %d: %s notes %x, %s %x (%v)", round, o.Name, o.Body, out[0].Name, out[0].Body, o.Err)
			}
		}
		if last != nil && (!v.Covers(last) || v.Equal(last)) {
			t.Errorf("round %d: the vector %v does not go on from %v", round, v, last)
		}
		last = v
		eventually(t, "all write on", func() bool {
			for i := range puts {
				if puts[i].Load() == before[i] {
					return false
				}
			}
			return true
		})
	}
}

// TestAgreeWithoutHolding: a member whose own commits go on is never taken at its word for a state that it left.
func TestAgreeWithoutHolding(t *testing.T) {
	_, ws := witnesses(t, "n1", "n2")
	ws[1].broken.Store(true)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for k := 0; ; k++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := ws[1].put(fmt.Sprint("k", k), "v", replication.Quorum); err != nil {
				t.Error(err)
				return
			}
		}
	})
	_, _, out, err := ws[0].n.Agree(within(t, time.Minute), nil)
	close(stop)
	writer.Wait()
	if err == nil && out[1].Err == nil && !slices.Equal(out[0].Body, out[1].Body) {
		t.Errorf("different states were noted as one: %x and %x", out[0].Body, out[1].Body)
	}
}

// TestAgreeWithoutSome: members that are away or cannot note are named, the others agree, and nobody stays held.
func TestAgreeWithoutSome(t *testing.T) {
	nw, ws := witnesses(t, "n1", "n2", "n3")
	for _, w := range ws {
		if err := w.put(w.n.name, "v", replication.None); err != nil {
			t.Fatal(err)
		}
	}
	ws[2].stuck.Store(true)
	_, _, out, err := ws[0].n.Agree(within(t, time.Minute), nil)
	if err != nil || len(out) != 3 || out[2].Err == nil || out[1].Err != nil || !slices.Equal(out[0].Body, out[1].Body) {
		t.Errorf("with n3 unable to note: %+v, %v", out, err)
	}
	for _, w := range ws {
		if err := w.put("after", w.n.name, replication.None); err != nil { // it would wait for ever
			t.Fatal(err)
		}
	}
	ws[2].stuck.Store(false)
	nw.Cut("n3", "n1", "n2")
	eventually(t, "n3 is missed", func() bool { return ws[0].n.Check(replication.All, replication.Read) != nil })
	_, _, out, err = ws[0].n.Agree(within(t, time.Minute), nil)
	if err != nil || len(out) != 3 || out[2].Err == nil || out[1].Err != nil || !slices.Equal(out[0].Body, out[1].Body) {
		t.Errorf("with n3 away: %+v, %v", out, err)
	}
}

// TestAHoldEndsByItself: a member that dies in the middle of an agreement holds nobody up.
func TestAHoldEndsByItself(t *testing.T) {
	nw, ws := witnesses(t, "n1", "n2")
	ws[0].late.Store(true) // n1 never gets to note, and says no more
	ws[1].late.Store(true)
	before := ws[1].holds.Load()
	ctx, cancel := context.WithCancel(context.Background())
	agreed := make(chan struct{})
	go func() {
		defer close(agreed)
		_, _, _, _ = ws[0].n.Agree(ctx, nil)
	}()
	eventually(t, "n2 holds", func() bool { return ws[1].holds.Load() >= before+2 }) // the first was whether it could
	nw.Cut("n1", "n2")
	if err := ws[1].put("k", "v", replication.None); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-agreed
}

// TestAgreeWaitsForOneThatIsBusy: a member that has a long transaction under way is tried again, not left out.
func TestAgreeWaitsForOneThatIsBusy(t *testing.T) {
	_, ws := witnesses(t, "n1", "n2", "n3")
	ws[2].gate.RLock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, _, _, err := ws[0].n.Agree(ctx, nil); err == nil {
		t.Error("they agreed without the one that is busy")
	}
	ws[2].gate.RUnlock()
	if _, _, out, err := ws[0].n.Agree(within(t, time.Minute), nil); err != nil || out[2].Err != nil {
		t.Errorf("afterwards: %+v, %v", out, err)
	}
}

// TestAsk: questions reach the Witness of the member that they are for.
func TestAsk(t *testing.T) {
	_, ws := witnesses(t, "n1", "n2")
	for i, w := range ws {
		b, err := ws[0].n.Ask(within(t, time.Minute), w.n.store.Self(), []byte("q"))
		if err != nil || string(b) != w.n.name+" q" || w.answers.Load() != 1 {
			t.Errorf("witness %d answers %q, %v", i+1, b, err)
		}
	}
}
