package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/pprof/profile"

	"layercake/bench/internal/nodes"
)

// profiles are those of one node, all of the same seconds.
type profiles struct {
	cpu, mutex, block *profile.Profile
	processor         time.Duration // that the kernel counted meanwhile

	allocs *profile.Profile // of a little more
	over   time.Duration    // of how much
}

// fetch takes the profiles of all nodes at once. What is allocated becomes known when the garbage collector has run: so it
// does before and after.
func (r *run) fetch(c nodes.Cluster) ([]profiles, error) {
	out := make([]profiles, len(c))
	heaps := func() ([]*profile.Profile, error) {
		return r.each(c, func(n *nodes.Node) (*profile.Profile, error) { return r.get(n, "heap?gc=1") })
	}
	before, err := heaps()
	began := time.Now()
	if err != nil {
		return nil, err
	}
	if err := r.window(c, out); err != nil {
		return nil, err
	}
	over := time.Since(began)
	after, err := heaps()
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].over = over
		before[i].Scale(-1)
		if out[i].allocs, err = profile.Merge([]*profile.Profile{before[i], after[i]}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// window takes the profiles that last.
func (r *run) window(c nodes.Cluster, out []profiles) error {
	before, err := processors(c)
	if err != nil {
		return err
	}
	var got [3][]*profile.Profile
	var errs [3]error
	var wg sync.WaitGroup
	for i, name := range []string{"profile", "mutex", "block"} {
		wg.Go(func() {
			got[i], errs[i] = r.each(c, func(n *nodes.Node) (*profile.Profile, error) {
				return r.get(n, fmt.Sprintf("%s?seconds=%d", name, r.seconds))
			})
		})
	}
	wg.Wait()
	after, err := processors(c)
	if err := errors.Join(append(errs[:], err)...); err != nil {
		return err
	}
	for i := range out {
		out[i] = profiles{cpu: got[0][i], mutex: got[1][i], block: got[2][i], processor: after[i] - before[i]}
	}
	return nil
}

// each asks all nodes at once.
func (r *run) each(c nodes.Cluster, ask func(*nodes.Node) (*profile.Profile, error)) ([]*profile.Profile, error) {
	out, errs := make([]*profile.Profile, len(c)), make([]error, len(c))
	var wg sync.WaitGroup
	for i, n := range c {
		wg.Go(func() { out[i], errs[i] = ask(n) })
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

// get takes one profile.
func (r *run) get(n *nodes.Node, what string) (*profile.Profile, error) {
	req, err := http.NewRequestWithContext(r.Ctx, http.MethodGet, "http://"+n.HTTP+"/debug/pprof/"+what, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, fmt.Errorf("%s of %s: %s: %s", what, n.Name, resp.Status, why)
	}
	p, err := profile.Parse(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", what, n.Name, err)
	}
	return p, nil
}
