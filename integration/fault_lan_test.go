package integration

import (
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// lan is a network of namespaces, one a node, that meet on a bridge. The bridge is in a namespace of its own, where no
// rule of the machine's firewall counts; this process is on it too, so that clients reach every node whatever is cut
// between the nodes.
type lan struct {
	t     *testing.T
	names []string // of the nodes' namespaces
	addrs []string
}

// newLAN makes a network for so many nodes, or skips the test where that can't be.
func newLAN(t *testing.T, nodes int) *lan {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip", "iptables"} {
		if _, err := osexec.LookPath(tool); err != nil {
			t.Skipf("network namespaces need %s: %v", tool, err)
		}
	}
	id := os.Getpid()
	prefix := fmt.Sprintf("lc%d", id)
	subnet := fmt.Sprintf("10.%d.%d.", 200+id/250%50, id%250)
	hub := prefix + "hub"
	n := &lan{t: t}
	if out, err := osexec.Command("ip", "netns", "add", hub).CombinedOutput(); err != nil {
		t.Skipf("network namespaces can't be made: %v: %s", err, bytes.TrimSpace(out))
	}
	t.Cleanup(func() { n.ip("netns", "del", hub) }) // and with it its ends of all links
	n.ip("-n", hub, "link", "add", "bridge", "type", "bridge")
	n.ip("-n", hub, "link", "set", "bridge", "up")
	n.plug(hub, "host", prefix+"h", "", subnet+"254/24")
	for i := range nodes {
		name, addr := fmt.Sprintf("%sn%d", prefix, i+1), fmt.Sprintf("%s%d", subnet, i+1)
		n.ip("netns", "add", name)
		t.Cleanup(func() { n.ip("netns", "del", name) })
		n.ip("-n", name, "link", "set", "lo", "up")
		n.plug(hub, fmt.Sprintf("n%d", i+1), "eth0", name, addr+"/24")
		n.names, n.addrs = append(n.names, name), append(n.addrs, addr)
	}
	if out, err := n.try(0, "iptables", "-A", "INPUT", "-m", "statistic", "--mode", "random", "--probability", "0.2", "-s", "192.0.2.1", "-j", "DROP"); err != nil {
		t.Skipf("iptables can't be used: %v: %s", err, out)
	}
	n.heal()
	return n
}

// plug links a namespace ("" is this process's) to the bridge.
func (n *lan) plug(hub, port, dev, name, addr string) {
	n.t.Helper()
	args, in := []string{"-n", hub, "link", "add", port, "type", "veth", "peer", "name", dev}, []string(nil)
	if name == "" {
		args = append(args, "netns", "1")
		args[len(args)-1] = fmt.Sprint(os.Getpid())
	} else {
		args, in = append(args, "netns", name), []string{"-n", name}
	}
	n.ip(args...)
	n.ip("-n", hub, "link", "set", port, "master", "bridge", "up")
	n.ip(append(in, "addr", "add", addr, "dev", dev)...)
	n.ip(append(in, "link", "set", dev, "up")...)
}

func (n *lan) ip(args ...string) {
	n.t.Helper()
	if out, err := osexec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Errorf("ip %v: %v: %s", args, err, out)
		if args[0] != "netns" || args[1] != "del" {
			n.t.FailNow()
		}
	}
}

// try runs a command in a node's namespace.
func (n *lan) try(node int, args ...string) (string, error) {
	out, err := osexec.Command("ip", append([]string{"netns", "exec", n.names[node]}, args...)...).CombinedOutput()
	return string(bytes.TrimSpace(out)), err
}

func (n *lan) iptables(node int, args ...string) {
	n.t.Helper()
	if out, err := n.try(node, append([]string{"iptables", "-w"}, args...)...); err != nil {
		n.t.Fatalf("iptables %v: %v: %s", args, err, out)
	}
}

// drop drops, silently, all that node to would receive from node from: one direction.
func (n *lan) drop(from, to int) { n.iptables(to, "-A", "INPUT", "-s", n.addrs[from], "-j", "DROP") }

// part drops everything between the nodes of two groups.
func (n *lan) part(a, b []int) {
	for _, i := range a {
		for _, j := range b {
			n.drop(i, j)
			n.drop(j, i)
		}
	}
}

// lose drops a share of the packets between all nodes, in both directions.
func (n *lan) lose(share float64) {
	for to := range n.addrs {
		for from := range n.addrs {
			if from != to {
				n.iptables(to, "-A", "INPUT", "-s", n.addrs[from], "-m", "statistic", "--mode", "random", "--probability", fmt.Sprint(share), "-j", "DROP")
			}
		}
	}
}

// heal takes all of it back.
func (n *lan) heal() {
	for i := range n.names {
		n.iptables(i, "-F", "INPUT")
	}
}

// dropped is how many packets the rules have dropped since the last heal.
func (n *lan) dropped() int {
	n.t.Helper()
	sum := 0
	for i := range n.names {
		out, err := n.try(i, "iptables", "-w", "-L", "INPUT", "-v", "-x", "-n")
		if err != nil {
			n.t.Fatalf("iptables -L: %v: %s", err, out)
		}
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) > 2 && f[2] == "DROP" {
				k, err := strconv.Atoi(f[0])
				if err != nil {
					n.t.Fatalf("iptables -L: %q", line)
				}
				sum += k
			}
		}
	}
	return sum
}

// processes starts a node in each namespace.
func (n *lan) processes() []*node {
	n.t.Helper()
	dir := n.t.TempDir()
	var nodes []*node
	for i, addr := range n.addrs {
		name := fmt.Sprintf("n%d", i+1)
		at := addr + ":0"
		node := &node{args: []string{"--name", name, "--data", filepath.Join(dir, name), "--insecure"},
			through: []string{"ip", "netns", "exec", n.names[i]}, pg: at, rpc: at, gossip: at, health: "127.0.0.1:0"}
		if i > 0 {
			node.args = append(node.args, "--join", nodes[0].gossip)
		}
		node.boot(n.t)
		nodes = append(nodes, node)
	}
	return nodes
}
