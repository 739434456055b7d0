package server

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
)

// TestContention: a profile is switched on while requests with ?seconds are served, once, and off after the last of them.
func TestContention(t *testing.T) {
	var switched []bool
	c := contention{set: func(on bool) { switched = append(switched, on) }}
	ask := func(query string, during func()) {
		h := c.during(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { during() }))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/debug/pprof/mutex"+query, nil))
	}
	for _, query := range []string{"", "?debug=1", "?seconds=0", "?seconds=-1", "?seconds=x"} {
		ask(query, func() {
			if len(switched) != 0 {
				t.Errorf("%q switched it on", query)
			}
		})
	}
	ask("?seconds=1", func() {
		if want := []bool{true}; !slices.Equal(switched, want) {
			t.Errorf("during the first: %v, want %v", switched, want)
		}
		ask("?seconds=5", func() {})
		if want := []bool{true}; !slices.Equal(switched, want) {
			t.Errorf("after the second, during the first: %v, want %v", switched, want)
		}
	})
	if want := []bool{true, false}; !slices.Equal(switched, want) {
		t.Errorf("after both: %v, want %v", switched, want)
	}
	func() {
		defer func() { _ = recover() }()
		ask("?seconds=1", func() { panic("in the handler") })
	}()
	if want := []bool{true, false, true, false}; !slices.Equal(switched, want) {
		t.Errorf("after a panic: %v, want %v", switched, want)
	}
}

// TestMutexFraction: it is the runtime's rate that is switched, and it is zero otherwise.
func TestMutexFraction(t *testing.T) {
	read := func() int { return runtime.SetMutexProfileFraction(-1) }
	if got := read(); got != 0 {
		t.Fatalf("the fraction is %d before", got)
	}
	h := mutexContention.during(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if got := read(); got != mutexFraction {
			t.Errorf("the fraction is %d during a request, want %d", got, mutexFraction)
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/debug/pprof/mutex?seconds=1", nil))
	if got := read(); got != 0 {
		t.Errorf("the fraction is %d after", got)
	}
}

// TestProfileRoutes: the node's handler leads both profiles through the switch: the index's handler would take no notice.
func TestProfileRoutes(t *testing.T) {
	mux, ok := (&Node{}).handler().(*http.ServeMux)
	if !ok {
		t.Fatal("the handler is no mux")
	}
	for _, path := range []string{"/debug/pprof/mutex", "/debug/pprof/block"} {
		if _, pattern := mux.Handler(httptest.NewRequest("GET", path, nil)); pattern != path {
			t.Errorf("%s is served as %q", path, pattern)
		}
	}
}
