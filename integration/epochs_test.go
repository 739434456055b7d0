package integration

import (
	"fmt"
	"testing"
)

// TestEpochsAreRetired starts each node several times, and writes in between: session tokens name members, not lives, once
// all have heard of all; a token of before is still good, and what was written is everywhere.
func TestEpochsAreRetired(t *testing.T) {
	t.Parallel()
	nodes := processes(t, 3)
	first := dialNode(t, nodes[0], "")
	exec(t, first, "CREATE TABLE lives (k int PRIMARY KEY)")
	early := one(t, first, "SELECT layercake.session_token()")
	k := 0
	for range 3 {
		for _, n := range nodes {
			sigkill(n)
			reboot(t, n)
			exec(t, dialNode(t, n, "consistency=quorum"), "INSERT INTO lives VALUES ($1)", k)
			k++
		}
	}
	for _, n := range nodes {
		conn := dialNode(t, n, "")
		eventually(t, conn, "116", "SELECT length(layercake.session_token())") // three of 28 bytes, in base64, with a prefix
		exec(t, conn, "SELECT layercake.wait_for($1)", early)
		eventually(t, conn, fmt.Sprint(k), "SELECT count(*) FROM lives")
	}
}
