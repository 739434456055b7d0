package pgwire

import (
	"encoding/binary"
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

// appendText and appendBinary stand in for the catalog's codecs until those are there.
func appendText(b []byte, oid uint32, typmod int32, v catalog.Value, s *catalog.OutputSettings) []byte {
	switch v.Kind {
	case catalog.Integer:
		if oid == catalog.BoolOID {
			if v.Bool() {
				return append(b, 't')
			}
			return append(b, 'f')
		}
		return appendInt(b, v.Int())
	case catalog.Real:
		return strconv.AppendFloat(b, v.Float(), 'g', -1, 64)
	}
	return append(b, v.Bytes...)
}

func appendBinary(b []byte, oid uint32, typmod int32, v catalog.Value) ([]byte, error) {
	switch oid {
	case catalog.BoolOID:
		return append(b, byte(v.Int())), nil
	case catalog.Int2OID:
		return binary.BigEndian.AppendUint16(b, uint16(v.Int())), nil
	case catalog.Int4OID:
		return binary.BigEndian.AppendUint32(b, uint32(v.Int())), nil
	case catalog.Int8OID:
		return binary.BigEndian.AppendUint64(b, uint64(v.Int())), nil
	}
	return append(b, v.Bytes...), nil
}
