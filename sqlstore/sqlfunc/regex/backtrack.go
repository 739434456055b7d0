package regex

import (
	"strings"
	"unicode/utf8"
)

// backtracker finds what each group took, by trying the ways through a program in order of preference.
//
// Without back references the end of the match is known, and no (instruction, position) is tried twice: time and
// memory are bounded by their number. With them what was captured matters too, so steps are counted instead.
type backtracker struct {
	m       *machine
	prog    *program
	caps    []int
	start   int
	end     int // of the match; -1: not known
	visited []uint64
	marks   []int
	steps   int
	stack   []resume
}

// resume is a way not yet tried: or, with slot >= 0, a value to put back.
type resume struct{ pc, pos, slot, old int }

// maxSteps bounds the steps of a match with back references.
const maxSteps = 20_000_000

// run tries to match from pc at pos; the captures then hold what was taken.
func (b *backtracker) run(pc, pos int) bool {
	b.stack = append(b.stack[:0], resume{pc, pos, -1, 0})
	for len(b.stack) > 0 {
		top := b.stack[len(b.stack)-1]
		b.stack = b.stack[:len(b.stack)-1]
		if top.slot >= 0 {
			b.slot(top.slot, top.old)
			continue
		}
		if b.forward(top.pc, top.pos) {
			return true
		}
	}
	return false
}

// slot sets a capture, or a mark: those come behind the captures.
func (b *backtracker) slot(i, v int) (old int) {
	if i < len(b.caps) {
		old, b.caps[i] = b.caps[i], v
		return old
	}
	i -= len(b.caps)
	for len(b.marks) <= i {
		b.marks = append(b.marks, -1)
	}
	old, b.marks[i] = b.marks[i], v
	return old
}

func (b *backtracker) keep(i, v int) {
	b.stack = append(b.stack, resume{slot: i, old: b.slot(i, v)})
}

// forward follows one way until it fails or matches.
func (b *backtracker) forward(pc, pos int) bool {
	for {
		if b.visited != nil {
			bit := pc*(b.end-b.start+1) + pos - b.start
			if b.visited[bit/64]&(1<<(bit%64)) != 0 {
				return false
			}
			b.visited[bit/64] |= 1 << (bit % 64)
		} else if b.steps++; b.steps > maxSteps {
			return false
		}
		in := &b.prog.code[pc]
		switch in.op {
		case opMatch:
			if b.end >= 0 && pos != b.end {
				return false
			}
			b.caps[1] = pos
			return true
		case opSet:
			if pos >= len(b.m.s) || b.end >= 0 && pos >= b.end {
				return false
			}
			r, size := utf8.DecodeRuneInString(b.m.s[pos:])
			if !in.set.has(r) {
				return false
			}
			pos += size
		case opSplit:
			b.stack = append(b.stack, resume{in.other, pos, -1, 0})
		case opSave:
			b.keep(in.arg, pos)
		case opMark:
			if b.visited == nil {
				b.keep(len(b.caps)+in.arg, pos)
			}
		case opMoved:
			if b.visited == nil && b.marks[in.arg] == pos {
				return false
			}
		case opAssert:
			if !b.m.holds(in.assert, pos) {
				return false
			}
		case opLook:
			if !b.m.looks(in, pos) {
				return false
			}
		case opBackref:
			from, to := b.caps[2*in.arg], b.caps[2*in.arg+1]
			if from < 0 || to < from || !strings.HasPrefix(b.m.s[pos:], b.m.s[from:to]) {
				return false
			}
			pos += to - from
		}
		pc = in.next
	}
}

// backtrackFrom is Find for expressions with back references.
func (m *machine) backtrackFrom(re *Regexp, from int) ([]int, error) {
	b := backtracker{m: m, prog: re.prog, caps: make([]int, 2*(re.groups+1)), end: -1}
	for pos := from; pos <= len(m.s); {
		for i := range b.caps {
			b.caps[i] = -1
		}
		b.caps[0] = pos
		if b.run(0, pos) {
			return b.caps, nil
		}
		if b.steps > maxSteps {
			return nil, ErrTooComplex
		}
		if pos == len(m.s) || re.prog.anchored {
			break
		}
		_, size := utf8.DecodeRuneInString(m.s[pos:])
		pos += size
	}
	return nil, nil
}
