package sqlstore_test

import (
	"context"
	"errors"
	"testing"

	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// TestHold: while a store is held its own transactions wait, and everything else goes on.
func TestHold(t *testing.T) {
	n, other := open(t), open(t)
	p := n.MustCreate(people)
	other.Pull(n)
	other.Insert(p, integer(1), text("from the other"), null)

	// A Write under way is waited for.
	inside, finish := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
			close(inside)
			<-finish
			_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(2), null, null))
			return err
		})
		first <- err
	}()
	<-inside
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := n.Hold(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("held in the middle of a Write: %v", err)
	}
	close(finish)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	release, err := n.Hold(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Hold(context.Background()); err == nil {
		t.Error("held twice")
	}
	v := n.Vector()
	if _, err := n.Write(ended, func(*sqlstore.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a Write got through: %v", err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
			_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(3), null, null))
			return err
		})
		waiting <- err
	}()
	if err := n.PutLocal("note", []byte("x")); err != nil {
		t.Error(err)
	}
	if err := n.Try(context.Background(), func(*sqlstore.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
	n.Pull(other)
	n.Want(p, "1 from the other -", "2 - -")
	for o, seq := range n.Vector() {
		if o.Node == n.Self() && v[o] != seq {
			t.Errorf("held, and its own vector goes from %d to %d", v[o], seq)
		}
	}
	release()
	release() // harmless
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	n.Want(p, "1 from the other -", "2 - -", "3 - -")
}
