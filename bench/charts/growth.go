package main

import (
	"fmt"
	"math"
)

// point is what was measured at one step of a quantity.
type point struct {
	x    float64 // how much there was of the quantity
	rate float64 // operations a second
	p99  float64 // milliseconds that 99 of 100 operations did not exceed
	cpu  float64 // microseconds of an operation that all nodes' processors took
}

// growth is how a cost grew with a quantity, beside the quantity's logarithm.
type growth struct {
	from, to float64 // the stretch of the quantity
	factor   float64 // the cost at its end by that at its beginning
	log      float64 // the same of the logarithm
}

func (g growth) holds() bool { return g.factor <= g.log }

// between compares two points. One is added before taking a logarithm, so that steps may begin at one.
func between(a, b point, cost func(point) float64) growth {
	return growth{a.x, b.x, cost(b) / cost(a), math.Log1p(b.x) / math.Log1p(a.x)}
}

// grows gives a cost's growth from the first step to the last, and from the cheapest step to the dearest after it: a
// cliff at the end must not hide behind a descent at the beginning.
func grows(points []point, cost func(point) float64) (whole, worst growth) {
	cheapest := 0
	for i, p := range points {
		if cost(p) < cost(points[cheapest]) {
			cheapest = i
		}
	}
	dearest := cheapest
	for i := cheapest; i < len(points); i++ {
		if cost(points[i]) > cost(points[dearest]) {
			dearest = i
		}
	}
	return between(points[0], points[len(points)-1], cost), between(points[cheapest], points[dearest], cost)
}

// verdict says whether both hold.
func verdict(whole, worst growth, step func(float64) string) string {
	switch {
	case !whole.holds():
		return "**no**"
	case !worst.holds():
		return fmt.Sprintf("over all yes, **not from %s to %s**: × %.2f, the logarithm × %.2f", step(worst.from), step(worst.to), worst.factor, worst.log)
	}
	return "yes"
}
