package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"layercake/bench/internal/figures"
)

// chart is some operations measured over steps of one quantity.
type chart struct {
	name     string // of its file, and on the command line
	title    string
	quantity string // that of the x axis, with its unit
	step     func(x float64) string
	linear   bool // the x axis: its steps are not multiplicative
	panels   []panel
	of       string // what the cost is of
	series   []*series
}

// panel is one y axis, or one column of the table for each series.
type panel struct {
	label string
	value func(point) float64
}

// costs are what is held against the logarithm.
var costs = []panel{
	{"time", func(p point) float64 { return 1 / p.rate }},
	{"processor time", func(p point) float64 { return p.cpu }},
}

// processor is a column beside the panels.
var processor = panel{"processor time, µs", func(p point) float64 { return p.cpu }}

// series is one line.
type series struct {
	name   string
	hue    int
	dashed bool
	points []point
}

var hues = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
}

const (
	panelWidth  = 4.4 * vg.Inch
	panelHeight = 3.2 * vg.Inch
	strip       = 0.35 * vg.Inch // the title's, and that of the names of the lines
	margin      = 0.12 * vg.Inch
	dpi         = 110
)

func init() { plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"} }

// png draws the panels side by side, below the title and above the names of the lines.
func (c *chart) png() ([]byte, error) {
	width, height := panelWidth*vg.Length(len(c.panels)), panelHeight+2*strip
	img := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
	all := draw.New(img)
	plots := make([]*plot.Plot, len(c.panels))
	for i, p := range c.panels {
		var err error
		if plots[i], err = c.plot(p); err != nil {
			return nil, err
		}
	}
	middle := draw.Crop(all, margin, -margin, strip, -strip)
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadX: margin}
	for i, at := range plot.Align([][]*plot.Plot{plots}, tiles, middle)[0] {
		plots[i].Draw(at)
	}
	title := plot.New().Title.TextStyle
	title.Font.Size *= 1.2
	title.XAlign, title.YAlign = text.XCenter, text.YCenter
	all.FillText(title, vg.Point{X: width / 2, Y: height - strip/2}, c.title)
	cells := draw.Tiles{Rows: 1, Cols: len(c.series)}
	for i, s := range c.series {
		if len(c.series) == 1 {
			break // the title says what it is
		}
		line, dots, err := s.plotters(c.panels[0].value)
		if err != nil {
			return nil, err
		}
		legend := plot.NewLegend()
		legend.Left, legend.Top = true, true
		legend.Add(s.name, line, dots)
		cell := cells.At(draw.Crop(all, 0, 0, 0, strip-height), i, 0)
		entry := legend.Rectangle(cell).Size()
		legend.XOffs, legend.YOffs = (cell.Size().X-entry.X)/2, -(cell.Size().Y-entry.Y)/2
		legend.Draw(cell)
	}
	var out bytes.Buffer
	_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(&out)
	return out.Bytes(), err
}

// plot is one panel.
func (c *chart) plot(panel panel) (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Title.Text = c.quantity, panel.label
	p.Title.TextStyle.Font.Size = p.X.Label.TextStyle.Font.Size
	p.Y.Scale = plot.LogScale{}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xdd}, color.Gray{0xdd}
	p.Add(grid)
	var marks plot.ConstantTicks
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range c.series {
		line, dots, err := s.plotters(panel.value)
		if err != nil {
			return nil, err
		}
		p.Add(line, dots)
		for _, at := range s.points {
			y := panel.value(at)
			if y <= 0 {
				return nil, fmt.Errorf("%s, %s: %v has no place on a logarithmic axis", c.name, s.name, y)
			}
			low, high = min(low, y), max(high, y)
		}
	}
	first, last := math.Inf(1), math.Inf(-1)
	for _, at := range c.series[0].points {
		marks = append(marks, plot.Tick{Value: at.x, Label: c.step(at.x)})
		first, last = min(first, at.x), max(last, at.x)
	}
	p.X.Tick.Marker = marks
	if c.linear {
		p.X.Min, p.X.Max = first-(last-first)/12, last+(last-first)/12
	} else {
		p.X.Scale = plot.LogScale{}
		beside := math.Pow(last/first, 1./12)
		p.X.Min, p.X.Max = first/beside, last*beside
	}
	ticks := logTicks(low, high)
	p.Y.Tick.Marker = ticks
	p.Y.Min, p.Y.Max = ticks[0].Value, ticks[len(ticks)-1].Value
	return p, nil
}

// logTicks are 1, 2 and 5 times powers of ten from just below low to just above high.
func logTicks(low, high float64) plot.ConstantTicks {
	var out plot.ConstantTicks
	wide := high/low > 2000
	for e := int(math.Floor(math.Log10(low))); ; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow10(e)
			if v <= low {
				out = out[:0]
			}
			t := plot.Tick{Value: v, Label: plain(v)}
			if wide && m != 1 {
				t.Label = ""
			}
			if out = append(out, t); v >= high {
				return out
			}
		}
	}
}

// plain prints a tick's number: no more digits than it has, with commas.
func plain(v float64) string {
	if v >= 100 {
		return figures.Number(v)
	}
	return fmt.Sprintf("%.4g", v)
}

// plotters are the line and its dots.
func (s *series) plotters(value func(point) float64) (*plotter.Line, *plotter.Scatter, error) {
	var xys plotter.XYs
	for _, p := range s.points {
		xys = append(xys, plotter.XY{X: p.x, Y: value(p)})
	}
	line, dots, err := plotter.NewLinePoints(xys)
	if err != nil {
		return nil, nil, err
	}
	line.Color, dots.Color = hues[s.hue], hues[s.hue]
	line.Width, dots.Radius, dots.Shape = vg.Points(1.5), vg.Points(2.5), draw.CircleGlyph{}
	if s.dashed {
		line.Dashes, dots.Shape = []vg.Length{vg.Points(5), vg.Points(3)}, draw.BoxGlyph{}
	}
	return line, dots, nil
}

// markdown is the chart as a picture, its figures, and what they say of the growth of cost.
func (c *chart) markdown() string {
	var b strings.Builder
	columns := append(slices.Clone(c.panels), processor)
	fmt.Fprintf(&b, "## %s\n\n![%s](%s.png)\n\n| %s |", c.title, c.title, c.name, c.quantity)
	for _, s := range c.series {
		for _, p := range columns {
			if len(c.series) > 1 {
				fmt.Fprintf(&b, " %s:", s.name)
			}
			fmt.Fprintf(&b, " %s |", p.label)
		}
	}
	fmt.Fprintf(&b, "\n|---|%s\n", strings.Repeat("---|", len(c.series)*len(columns)))
	for i, at := range c.series[0].points {
		fmt.Fprintf(&b, "| %s |", c.step(at.x))
		for _, s := range c.series {
			for _, p := range columns {
				fmt.Fprintf(&b, " %s |", figures.Number(p.value(s.points[i])))
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n" + c.check())
	return b.String()
}

// check holds the costs of each series against the logarithm of the quantity.
func (c *chart) check() string {
	var b strings.Builder
	points := c.series[0].points
	fmt.Fprintf(&b, "| cost of %s, from %s to %s | grows | the logarithm | no worse than the logarithm? |\n|---|---|---|---|\n",
		c.of, c.step(points[0].x), c.step(points[len(points)-1].x))
	for _, s := range c.series {
		for _, cost := range costs {
			whole, worst := grows(s.points, cost.value)
			fmt.Fprintf(&b, "| %s: %s | × %.3g | × %.2f | %s |\n", s.name, cost.label, whole.factor, whole.log, verdict(whole, worst, c.step))
		}
	}
	return b.String()
}
