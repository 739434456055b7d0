package server

import (
	"context"
	"time"
)

// Between tries to carry over what could not be: the disk is full, say.
const (
	carryPause    = time.Second
	mostCarryWait = time.Minute
)

// carry gives columns whose type other nodes have changed what this node had written into them meanwhile, whenever there
// may be something of the kind, until ctx ends.
func (n *Node) carry(ctx context.Context) {
	pause := carryPause
	again := time.NewTimer(mostCarryWait)
	again.Stop()
	for {
		select {
		case <-n.store.Carries():
		case <-again.C:
		case <-ctx.Done():
			return
		}
		err := n.store.Carry(ctx)
		switch {
		case err == nil:
			pause = carryPause
		case ctx.Err() == nil:
			n.log.Warn("what was written into columns whose type was changed could not be carried over yet", "err", err, "retry", pause)
			again.Reset(pause)
			pause = min(2*pause, mostCarryWait)
		}
	}
}
