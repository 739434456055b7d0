//go:build !linux

package pgwire

import "net"

// peerClosed needs POLLRDHUP; without it a vanished client is noticed when its statement writes or ends.
func peerClosed(net.Conn) bool { return false }
