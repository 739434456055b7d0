package cluster

import "testing"

func FuzzMeta(f *testing.F) {
	f.Add(appendMeta(nil, Node{ID: 1, Name: "n1", DC: "dc1", Cluster: 7, RPCAddr: "h:1", PGAddr: "h:2", Addr: "h:3"}))
	f.Add([]byte{metaVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := parseMeta(b)
		if err != nil {
			return
		}
		if again, err := parseMeta(appendMeta(nil, n)); err != nil || again != n {
			t.Errorf("%+v does not survive: %+v, %v", n, again, err)
		}
	})
}
