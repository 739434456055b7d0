package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// OperatorsNamed returns the operators called name, by ascending OID. The slice is shared and read-only.
func OperatorsNamed(name string) []*Operator { return operatorIndex().byName[name] }

// OperatorByOID returns the operator with the OID, nil if there is none.
func OperatorByOID(oid uint32) *Operator { return operatorIndex().byOID[oid] }

// Operators returns every operator. The slice is shared and read-only.
func Operators() []*Operator { return operatorIndex().all }

type operatorTables struct {
	all    []*Operator
	byName map[string][]*Operator
	byOID  map[uint32]*Operator
}

var operatorIndex = sync.OnceValue(func() *operatorTables {
	x := &operatorTables{byName: map[string][]*Operator{}, byOID: map[uint32]*Operator{}}
	for _, text := range []string{
		compareOperators, arithOperators, textOperators, datetimeOperators, containerOperators,
	} {
		x.all = parseOperators(x.all, text)
	}
	for _, o := range x.all {
		x.byName[o.Name] = append(x.byName[o.Name], o)
		x.byOID[o.OID] = o
	}
	return x
})

// parseOperators appends the operators of a table. A line is: OID, name, left type ("-" for a prefix operator), right
// type, result type, commutator, negator ("." for none), and the rest of the line is Impl. Types are named as pg_type
// names them. The tables are part of the program: a malformed line is a programming error.
func parseOperators(dst []*Operator, text string) []*Operator {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		f := strings.SplitN(line, " ", 8)
		if len(f) != 8 {
			panic("catalog: malformed operator: " + line)
		}
		o := &Operator{OID: tableOID(f[0]), Name: f[1], Right: tableType(f[3]), Ret: tableType(f[4]), Impl: f[7]}
		if f[2] != "-" {
			o.Left = tableType(f[2])
		}
		if f[5] != "." {
			o.Commutator = f[5]
		}
		if f[6] != "." {
			o.Negator = f[6]
		}
		dst = append(dst, o)
	}
	return dst
}

func tableOID(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		panic(fmt.Sprintf("catalog: bad OID %q in a table", s))
	}
	return uint32(n)
}

func tableType(s string) uint32 {
	t := TypeByName(s)
	if t == nil {
		panic(fmt.Sprintf("catalog: unknown type %q in a table", s))
	}
	return t.OID
}
