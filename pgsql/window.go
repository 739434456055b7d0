package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// windowDef is a named window of WINDOW.
type windowDef struct {
	name      string
	partition []string
	order     []sortTerm
	frame     string
}

// PostgreSQL's FRAMEOPTION bits (parsenodes.h).
const (
	frameNonDefault     = 0x00001
	frameRange          = 0x00002
	frameRows           = 0x00004
	frameGroups         = 0x00008
	frameBetween        = 0x00010
	frameStartUnbounded = 0x00020
	frameEndUnboundedP  = 0x00040
	frameStartUnboundF  = 0x00080
	frameEndUnbounded   = 0x00100
	frameStartCurrent   = 0x00200
	frameEndCurrent     = 0x00400
	frameStartPreceding = 0x00800
	frameEndPreceding   = 0x01000
	frameStartFollowing = 0x02000
	frameEndFollowing   = 0x04000
	frameExcludeCurrent = 0x08000
	frameExcludeGroup   = 0x10000
	frameExcludeTies    = 0x20000
)

// namedWindows compiles WINDOW.
func (c *compiler) namedWindows(list []*pg.Node, s *scope) {
	for _, n := range list {
		d := n.GetWindowDef()
		for _, w := range s.windows {
			if w.name == d.Name {
				c.failAt(d.Location, pgerror.WindowingError, "window \"%s\" is already defined", d.Name)
			}
		}
		w := c.windowSpec(d, s)
		w.name = d.Name
		s.windows = append(s.windows, w)
	}
}

// overClause is what follows OVER.
func (c *compiler) overClause(d *pg.WindowDef, s *scope) string {
	if d.Name != "" {
		w := c.findWindow(d.Name, d.Location, s)
		return w.text()
	}
	return c.windowSpec(d, s).text()
}

func (c *compiler) findWindow(name string, loc int32, s *scope) *windowDef {
	for _, w := range s.windows {
		if w.name == name {
			return w
		}
	}
	c.failAt(loc, pgerror.UndefinedObject, "window \"%s\" does not exist", name)
	return nil
}

func (w *windowDef) text() string {
	var parts []string
	if len(w.partition) > 0 {
		parts = append(parts, "PARTITION BY "+strings.Join(w.partition, ", "))
	}
	if len(w.order) > 0 {
		parts = append(parts, "ORDER BY "+sortText(w.order))
	}
	if w.frame != "" {
		parts = append(parts, w.frame)
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// windowSpec compiles a window specification.
func (c *compiler) windowSpec(d *pg.WindowDef, s *scope) *windowDef {
	w := &windowDef{}
	if d.Refname != "" {
		base := c.findWindow(d.Refname, d.Location, s)
		*w = windowDef{partition: base.partition, order: base.order}
		if len(d.PartitionClause) > 0 {
			c.failAt(d.Location, pgerror.WindowingError, "cannot override PARTITION BY clause of window \"%s\"", d.Refname)
		}
		if len(d.OrderClause) > 0 && len(base.order) > 0 {
			c.failAt(d.Location, pgerror.WindowingError, "cannot override ORDER BY clause of window \"%s\"", d.Refname)
		}
		if base.frame != "" {
			c.failAt(d.Location, pgerror.WindowingError, "cannot copy window \"%s\" because it has a frame clause", d.Refname)
		}
	}
	saved, inWindow := s.ctx, s.inWindow
	s.inWindow = true
	s.ctx = ctxWindowPartition
	for _, n := range d.PartitionClause {
		e := c.resolveUnknown(c.expr(n, s))
		c.hashable(e)
		w.partition = append(w.partition, c.sortKey(e))
	}
	s.ctx = ctxWindowOrder
	for _, n := range d.OrderClause {
		sb := n.GetSortBy()
		w.order = c.sortTerms(w.order, c.expr(sb.Node, s), sb, -1)
	}
	s.ctx = ctxWindowFrame
	w.frame = c.frame(d, w, s)
	s.ctx, s.inWindow = saved, inWindow
	return w
}

// frame compiles a frame clause, "" for the default.
func (c *compiler) frame(d *pg.WindowDef, w *windowDef, s *scope) string {
	o := d.FrameOptions
	if o&frameNonDefault == 0 {
		return ""
	}
	mode := "RANGE"
	switch {
	case o&frameRows != 0:
		mode = "ROWS"
	case o&frameGroups != 0:
		mode = "GROUPS"
		if len(w.order) == 0 {
			c.failAt(d.Location, pgerror.WindowingError, "GROUPS mode requires an ORDER BY clause")
		}
	}
	offset := func(n *pg.Node, bound string) string { return c.frameOffset(n, mode, bound, d, w, s) }
	start := "UNBOUNDED PRECEDING"
	switch {
	case o&frameStartCurrent != 0:
		start = "CURRENT ROW"
	case o&frameStartPreceding != 0:
		start = offset(d.StartOffset, "starting") + " PRECEDING"
	case o&frameStartFollowing != 0:
		start = offset(d.StartOffset, "starting") + " FOLLOWING"
	}
	end := "CURRENT ROW"
	switch {
	case o&frameEndUnbounded != 0:
		end = "UNBOUNDED FOLLOWING"
	case o&frameEndPreceding != 0:
		end = offset(d.EndOffset, "ending") + " PRECEDING"
	case o&frameEndFollowing != 0:
		end = offset(d.EndOffset, "ending") + " FOLLOWING"
	}
	text := mode + " BETWEEN " + start + " AND " + end
	switch {
	case o&frameExcludeCurrent != 0:
		text += " EXCLUDE CURRENT ROW"
	case o&frameExcludeGroup != 0:
		text += " EXCLUDE GROUP"
	case o&frameExcludeTies != 0:
		text += " EXCLUDE TIES"
	}
	return text
}

// frameOffset compiles the offset of a frame's bound. SQLite adds it to the order's value, so that must be stored as a
// plain number.
func (c *compiler) frameOffset(n *pg.Node, mode, bound string, d *pg.WindowDef, w *windowDef, s *scope) string {
	e := c.expr(n, &scope{outer: s.outer, ctes: s.ctes, ctx: ctxWindowFrame})
	if mode != "RANGE" {
		f := c.coerceTo(e, catalog.Int8OID, mode)
		if f.kind == exprConst {
			switch {
			case f.val.IsNull():
				c.fail(pgerror.New(pgerror.NullValueNotAllowed, "frame %s offset must not be null", bound))
			case f.val.Int() < 0:
				c.fail(pgerror.New(pgerror.InvalidPrecedingOrFollowingSize, "frame %s offset must not be negative", bound))
			}
			return itoa(int(f.val.Int()))
		}
		return c.operand(f)
	}
	if len(w.order) != 1 {
		c.failAt(d.Location, pgerror.WindowingError, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
	}
	key := w.order[0].e
	switch key.typ {
	case catalog.Int2OID, catalog.Int4OID, catalog.Int8OID:
		f := c.coerceTo(e, catalog.Int8OID, "RANGE")
		return c.operand(f)
	case catalog.Float4OID, catalog.Float8OID:
		f := c.coerceTo(e, catalog.Float8OID, "RANGE")
		return c.operand(f)
	case catalog.DateOID, catalog.TimestampOID, catalog.TimestamptzOID, catalog.TimeOID:
		f := c.coerceTo(e, catalog.IntervalOID, "RANGE")
		if f.kind == exprConst {
			if us, ok := fixedInterval(f.val); ok {
				if key.typ == catalog.DateOID {
					if us%86400000000 != 0 {
						break
					}
					us /= 86400000000
				}
				return itoa(int(us))
			}
		}
	}
	c.unsupported(e.loc, "RANGE with offset PRECEDING/FOLLOWING for column type %s and offset type %s", typeDisplay(key.typ), typeDisplay(argType(e)))
	return ""
}

// fixedInterval is the length in µs of an interval constant without months, which has the same length everywhere.
func fixedInterval(v catalog.Value) (int64, bool) {
	_, display, ok := strings.Cut(string(v.Bytes), "|")
	if !ok {
		return 0, false
	}
	f := strings.Fields(display)
	if len(f) != 3 || f[0] != "0" {
		return 0, false
	}
	var n [2]int64
	for i, t := range f[1:] {
		neg := strings.HasPrefix(t, "-")
		for _, d := range strings.TrimPrefix(t, "-") {
			n[i] = n[i]*10 + int64(d-'0')
		}
		if neg {
			n[i] = -n[i]
		}
	}
	return n[0]*86400000000 + n[1], true
}
