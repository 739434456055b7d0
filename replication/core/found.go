package core

import "layercake/crdt"

// FirstRegister is the state of a register, as the Put of RegisterKey has it, that the only member of a new cluster has
// decided on by itself.
func FirstRegister(self crdt.NodeID, value []byte) []byte {
	b := Ballot{N: 1, Node: self}
	return (&register{promised: b, accepted: b, value: value}).encode()
}
