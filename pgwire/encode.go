package pgwire

import (
	"strconv"

	"layercake/catalog"
)

func appendInt(b []byte, i int64) []byte { return strconv.AppendInt(b, i, 10) }

// typeLen is pg_type.typlen, as RowDescription tells it.
func typeLen(oid uint32) int16 {
	if t := catalog.TypeByOID(oid); t != nil {
		return t.Len
	}
	return -1
}
