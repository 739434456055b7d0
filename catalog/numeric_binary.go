package catalog

import (
	"encoding/binary"

	"layercake/pgerror"
)

// The sign words of PostgreSQL's binary form.
const (
	numericPos  = 0x0000
	numericNeg  = 0x4000
	numericNaN  = 0xC000
	numericPInf = 0xD000
	numericNInf = 0xF000
)

// decodeNumericBinary reads PostgreSQL's binary form: counts, weight, sign, scale, then digits to the base 10,000.
func decodeNumericBinary(src []byte) (Numeric, error) {
	if len(src) < 8 {
		return Numeric{}, errBinaryLength
	}
	ndigits := int(binary.BigEndian.Uint16(src))
	weight := int(int16(binary.BigEndian.Uint16(src[2:])))
	sign := binary.BigEndian.Uint16(src[4:])
	scale := int(binary.BigEndian.Uint16(src[6:]))
	src = src[8:]
	switch sign {
	case numericNaN:
		return Numeric{Class: NumericNaN}, nil
	case numericPInf:
		return Numeric{Class: NumericInf}, nil
	case numericNInf:
		return Numeric{Class: NumericInf, Neg: true}, nil
	case numericPos, numericNeg:
	default:
		return Numeric{}, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid sign in external \"numeric\" value")
	}
	if scale > maxNumericScale {
		return Numeric{}, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid scale in external \"numeric\" value")
	}
	if len(src) != 2*ndigits {
		return Numeric{}, errBinaryLength
	}
	n := Numeric{Neg: sign == numericNeg, Scale: scale}
	digits := make([]byte, 0, 4*ndigits)
	for i := range ndigits {
		d := int(binary.BigEndian.Uint16(src[2*i:]))
		if d > 9999 {
			return Numeric{}, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid digit in external \"numeric\" value")
		}
		digits = appendPadded(digits, d, 4)
	}
	n.setDigits(digits, 4*(weight+1))
	if n.naturalScale() > scale { // PostgreSQL truncates digits beyond the scale
		keep := n.Exp + scale
		if keep <= 0 {
			n.setDigits(nil, 0)
		} else {
			n.setDigits(n.Digits[:keep], n.Exp)
		}
		n.Scale = scale
	}
	return n, n.check()
}

// appendNumericBinary writes n in PostgreSQL's binary form.
func appendNumericBinary(dst []byte, n *Numeric) []byte {
	sign := uint16(numericPos)
	switch {
	case n.Class == NumericNaN:
		sign = numericNaN
	case n.Class == NumericInf && n.Neg:
		sign = numericNInf
	case n.Class == NumericInf:
		sign = numericPInf
	case n.Neg:
		sign = numericNeg
	}
	if len(n.Digits) == 0 || n.Class != NumericFinite {
		scale := uint16(n.Scale)
		switch n.Class {
		case NumericInf:
			scale = 0x20 // as numeric_send writes it
		case NumericNaN:
			scale = 0
		}
		dst = append(dst, 0, 0, 0, 0)
		dst = binary.BigEndian.AppendUint16(dst, sign)
		return binary.BigEndian.AppendUint16(dst, scale)
	}
	weight := floorDiv(n.Exp-1, 4)
	lead := 4*(weight+1) - n.Exp // zeros in front of the first group
	groups := (lead + len(n.Digits) + 3) / 4
	dst = binary.BigEndian.AppendUint16(dst, uint16(groups))
	dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
	dst = binary.BigEndian.AppendUint16(dst, sign)
	dst = binary.BigEndian.AppendUint16(dst, uint16(max(n.Scale, n.naturalScale())))
	for g := range groups {
		v := 0
		for i := range 4 {
			v *= 10
			if at := 4*g + i - lead; at >= 0 && at < len(n.Digits) {
				v += int(n.Digits[at] - '0')
			}
		}
		dst = binary.BigEndian.AppendUint16(dst, uint16(v))
	}
	return dst
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
