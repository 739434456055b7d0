package regex

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrTooComplex reports a match with back references that took too many steps.
var ErrTooComplex = errors.New("regular expression is too complex")

// Regexp is a compiled expression. It may be used by many goroutines at once.
type Regexp struct {
	prog     *program
	groups   int
	shortest bool
	backrefs bool
}

// Compile compiles an expression with option letters (PostgreSQL's "i", "n", "x" …). The error is an *Error or an
// *Unsupported.
func Compile(src, options string) (re *Regexp, err error) {
	var f flags
	if err := f.apply(options); err != nil {
		return nil, err
	}
	p, root, err := parse(src, f)
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			re, err = nil, e
		}
	}()
	return &Regexp{prog: compile(root), groups: p.groups, shortest: root.greed() == lazy, backrefs: p.hasBackref}, nil
}

// Groups returns how many capturing groups the expression has.
func (re *Regexp) Groups() int { return re.groups }

// Match says whether the expression matches somewhere in s.
func (re *Regexp) Match(s string) (bool, error) {
	if re.backrefs {
		loc, err := re.Find(s, 0)
		return loc != nil, err
	}
	m := newMachine(s)
	_, _, ok := m.search(re.prog, 0, existing)
	return ok, nil
}

// Find returns the first match at or behind the offset from: the byte offsets of the whole and of each group, -1 for a
// group that took no part; nil for no match.
func (re *Regexp) Find(s string, from int) ([]int, error) {
	m := newMachine(s)
	if re.backrefs {
		return m.backtrackFrom(re, from)
	}
	how := longest
	if re.shortest {
		how = shortest
	}
	start, end, ok := m.search(re.prog, from, how)
	if !ok {
		return nil, nil
	}
	if re.groups == 0 {
		return []int{start, end}, nil
	}
	b := backtracker{m: m, prog: re.prog, caps: make([]int, 2*(re.groups+1)), end: end, start: start}
	b.visited = make([]uint64, (len(re.prog.code)*(end-start+1)+63)/64)
	for i := range b.caps {
		b.caps[i] = -1
	}
	b.caps[0], b.caps[1] = start, end
	b.run(0, start)
	return b.caps, nil
}

// preference says which of the matches from the leftmost start is wanted.
type preference uint8

const (
	existing preference = iota // any
	longest
	shortest
)

// machine runs programs over one text.
type machine struct{ s string }

func newMachine(s string) *machine { return &machine{s} }

type thread struct{ pc, start int }

// threads is a list of threads in order, at most one for an instruction.
type threads struct {
	list   []thread
	sparse []int
}

func (t *threads) has(pc int) bool {
	i := t.sparse[pc]
	return i < len(t.list) && t.list[i].pc == pc
}

func (t *threads) add(pc, start int) {
	t.sparse[pc] = len(t.list)
	t.list = append(t.list, thread{pc, start})
}

// threadLists returns two empty lists for a run of p.
func (p *program) threadLists() *[2]threads {
	l, ok := p.lists.Get().(*[2]threads)
	if !ok {
		l = &[2]threads{{sparse: make([]int, len(p.code))}, {sparse: make([]int, len(p.code))}}
	}
	l[0].list, l[1].list = l[0].list[:0], l[1].list[:0]
	return l
}

// search finds the leftmost match at or behind from, by running all threads side by side. Threads stand in the order
// of their starts, so that of two that meet, the one with the earlier start goes on.
func (m *machine) search(p *program, from int, how preference) (start, end int, ok bool) {
	lists := p.threadLists()
	defer p.lists.Put(lists)
	cur, next := &lists[0], &lists[1]
	start = -1
	for pos := from; ; {
		if start < 0 && (!p.anchored || pos == 0) {
			if len(cur.list) == 0 && p.first >= 0 {
				i := strings.IndexRune(m.s[pos:], p.first)
				if i < 0 {
					return 0, 0, false
				}
				pos += i
			}
			m.follow(p, cur, 0, pos, pos)
		}
		if len(cur.list) == 0 && (start >= 0 || p.anchored) {
			break
		}
		r, size := rune(-1), 0
		if pos < len(m.s) {
			if r, size = rune(m.s[pos]), 1; r >= utf8.RuneSelf {
				r, size = utf8.DecodeRuneInString(m.s[pos:])
			}
		}
		next.list = next.list[:0]
		for _, t := range cur.list {
			if start >= 0 && (t.start > start || how == shortest && t.start == start) {
				break
			}
			switch in := &p.code[t.pc]; in.op {
			case opMatch:
				if how == existing {
					return t.start, pos, true
				}
				start, end = t.start, pos
			case opSet:
				if size > 0 && in.set.has(r) {
					m.follow(p, next, in.next, t.start, pos+size)
				}
			}
		}
		if size == 0 {
			break
		}
		pos += size
		cur, next = next, cur
	}
	return start, end, start >= 0
}

// follow adds the threads that pc leads to without a character: those at characters and at the end.
func (m *machine) follow(p *program, t *threads, pc, start, pos int) {
	if t.has(pc) {
		return
	}
	t.add(pc, start)
	switch in := &p.code[pc]; in.op {
	case opJump, opSave, opMark, opMoved:
		m.follow(p, t, in.next, start, pos)
	case opSplit:
		m.follow(p, t, in.next, start, pos)
		m.follow(p, t, in.other, start, pos)
	case opAssert:
		if m.holds(in.assert, pos) {
			m.follow(p, t, in.next, start, pos)
		}
	case opLook:
		if m.looks(in, pos) {
			m.follow(p, t, in.next, start, pos)
		}
	}
}

func (m *machine) holds(a assertion, pos int) bool {
	switch a {
	case textStart:
		return pos == 0
	case textEnd:
		return pos == len(m.s)
	case lineStart:
		return pos == 0 || m.s[pos-1] == '\n'
	case lineEnd:
		return pos == len(m.s) || m.s[pos] == '\n'
	}
	before, _ := utf8.DecodeLastRuneInString(m.s[:pos])
	after, _ := utf8.DecodeRuneInString(m.s[pos:])
	wb, wa := pos > 0 && isWord(before), pos < len(m.s) && isWord(after)
	switch a {
	case wordStart:
		return !wb && wa
	case wordEnd:
		return wb && !wa
	case wordEdge:
		return wb != wa
	}
	return wb == wa
}

// looks evaluates a lookahead or lookbehind constraint.
func (m *machine) looks(in *instr, pos int) bool {
	found := false
	if in.behind {
		for at := pos; at >= 0 && !found; at-- {
			if at == len(m.s) || utf8.RuneStart(m.s[at]) {
				found = m.matchesAt(in.look, at, pos)
			}
		}
	} else {
		found = m.matchesAt(in.look, pos, -1)
	}
	return found != in.negative
}

// matchesAt says whether p matches from start, up to exactly end unless that is -1.
func (m *machine) matchesAt(p *program, start, end int) bool {
	lists := p.threadLists()
	defer p.lists.Put(lists)
	cur, next := &lists[0], &lists[1]
	m.follow(p, cur, 0, start, start)
	for pos := start; len(cur.list) > 0; {
		r, size := rune(-1), 0
		if pos < len(m.s) {
			r, size = utf8.DecodeRuneInString(m.s[pos:])
		}
		next.list = next.list[:0]
		for _, t := range cur.list {
			switch in := &p.code[t.pc]; in.op {
			case opMatch:
				if end < 0 || pos == end {
					return true
				}
			case opSet:
				if size > 0 && in.set.has(r) && (end < 0 || pos+size <= end) {
					m.follow(p, next, in.next, start, pos+size)
				}
			}
		}
		if size == 0 {
			return false
		}
		pos += size
		cur, next = next, cur
	}
	return false
}
