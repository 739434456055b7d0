package regex

import "sync"

// opcode is what an instruction does.
type opcode uint8

const (
	opSet     opcode = iota // a character of set, then next
	opSplit                 // next or other, next preferred
	opJump                  // next
	opSave                  // the position into slot arg, then next
	opAssert                // if assert holds, then next
	opLook                  // if look matches here (or does not), then next
	opBackref               // the text of group arg, then next
	opMark                  // the position into mark arg, then next
	opMoved                 // if the position is beyond mark arg, then next
	opMatch
)

type instr struct {
	op          opcode
	next, other int
	arg         int
	set         *charSet
	assert      assertion
	look        *program
	negative    bool
	behind      bool
}

type program struct {
	code     []instr
	anchored bool      // begins with textStart
	first    rune      // the character that every match begins with, or -1
	lists    sync.Pool // *[2]threads, for search
}

// maxProgram bounds the instructions of an expression.
const maxProgram = 100_000

type compiler struct {
	code  []instr
	marks int
	force bool // within {m,m}?, which wants all of it short
}

func compile(root *node) *program {
	c := &compiler{}
	c.node(root)
	c.emit(instr{op: opMatch})
	p := &program{code: c.code, first: -1}
	p.inspect()
	return p
}

// inspect finds what every match begins with.
func (p *program) inspect() {
	for pc := 0; ; pc = p.code[pc].next {
		switch in := p.code[pc]; in.op {
		case opSave, opJump, opMark:
		case opAssert:
			p.anchored = p.anchored || in.assert == textStart
			if in.assert != textStart {
				return
			}
		case opSet:
			if s := in.set; !s.negated && len(s.classes) == 0 && len(s.ranges) == 1 && s.ranges[0][0] == s.ranges[0][1] {
				p.first = s.ranges[0][0]
			}
			return
		default:
			return
		}
	}
}

// emit appends an instruction that goes on with the one behind it.
func (c *compiler) emit(in instr) int {
	if len(c.code) >= maxProgram {
		bad(errTooBig)
	}
	in.next = len(c.code) + 1
	c.code = append(c.code, in)
	return len(c.code) - 1
}

func (c *compiler) node(n *node) {
	switch n.kind {
	case nodeSet:
		c.emit(instr{op: opSet, set: n.set})
	case nodeCat:
		for _, s := range n.subs {
			c.node(s)
		}
	case nodeAlt:
		c.alternatives(n.subs)
	case nodeRepeat:
		c.repeat(n)
	case nodeGroup:
		if n.index > 0 {
			c.emit(instr{op: opSave, arg: 2 * n.index})
		}
		c.node(n.subs[0])
		if n.index > 0 {
			c.emit(instr{op: opSave, arg: 2*n.index + 1})
		}
	case nodeAssert:
		c.emit(instr{op: opAssert, assert: n.assert})
	case nodeLook:
		c.emit(instr{op: opLook, look: compile(n.subs[0]), negative: n.negative, behind: n.behind})
	case nodeBackref:
		c.emit(instr{op: opBackref, arg: n.index})
	}
}

func (c *compiler) alternatives(subs []*node) {
	var ends []int
	for i, s := range subs {
		if i == len(subs)-1 {
			c.node(s)
			break
		}
		split := c.emit(instr{op: opSplit})
		c.node(s)
		ends = append(ends, c.emit(instr{op: opJump}))
		c.code[split].other = len(c.code)
	}
	for _, e := range ends {
		c.code[e].next = len(c.code)
	}
}

func (c *compiler) repeat(n *node) {
	lazily := n.lazy || c.force
	if n.min == n.max && !n.fixed && n.lazy && !c.force {
		c.force = true
		defer func() { c.force = false }()
	}
	for range n.min {
		c.node(n.subs[0])
	}
	if n.max < 0 {
		mark := c.marks
		c.marks++
		split := c.emit(instr{op: opSplit})
		c.emit(instr{op: opMark, arg: mark})
		c.node(n.subs[0])
		c.emit(instr{op: opMoved, arg: mark})
		c.code[c.emit(instr{op: opJump})].next = split
		c.code[split].other = len(c.code)
		c.prefer(split, lazily)
		return
	}
	var splits []int
	for range n.max - n.min {
		splits = append(splits, c.emit(instr{op: opSplit}))
		c.node(n.subs[0])
	}
	for _, s := range splits {
		c.code[s].other = len(c.code)
		c.prefer(s, lazily)
	}
}

// prefer turns a split around for a lazy quantifier.
func (c *compiler) prefer(split int, lazy bool) {
	if in := &c.code[split]; lazy {
		in.next, in.other = in.other, in.next
	}
}
